package fake_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest/fake"
)

func TestRefuse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	block := faults{"refuse": {"times": 1, "message": "not today"}}
	ds, err := r.start().configure(block)
	if err != nil || !ds.HasErrors() || ds[0].Summary != "not today" || len(ds[0].Path) != 2 {
		t.Fatalf("configure: %+v %v", ds, err)
	}
	if ds, err = r.start().configure(block); err != nil || len(ds) > 0 {
		t.Errorf("configure of the next process: %v %v", ds, err)
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	r := with(t, faults{
		"error": {"call": "deploy", "code": "UNAVAILABLE", "reason": "PLATFORM_UNAVAILABLE", "message": "down", "retry_after": "3s", "times": 1},
		"late":  {"kind": "error", "call": "rollback", "at": "after", "code": "DEADLINE_EXCEEDED"},
	})
	o := r.request("op-1", r.target("web", "v1", nil))
	err := r.deploy(o)
	if sdk.CodeOf(err) != sdk.Unavailable || sdk.ReasonOf(err) != sdk.ReasonPlatformUnavailable {
		t.Fatalf("deploy: %v", err)
	}
	if effects, _ := fake.Effects(r.root, o.Target); len(effects) != 0 {
		t.Errorf("effects of a call that failed before it: %q", effects)
	}
	if err := r.deploy(o); err != nil {
		t.Fatalf("deploy again: %v", err)
	}
	if _, err := r.watch(o); err != nil {
		t.Fatal(err)
	}
	back := sdk.RollbackRequest{Operation: o.Operation, Target: o.Target, Snapshot: sdk.Snapshot{Version: 1, Empty: true}}
	back.Operation.ID, back.Operation.Kind, back.Operation.RequestDigest = "op-2", sdk.OperationRollback, "op-2"
	if _, err = r.Client().Rollback(r.ctx(), back); sdk.CodeOf(err) != sdk.DeadlineExceeded {
		t.Fatalf("rollback: %v", err)
	}
	recovery, err := r.Client().Recover(r.ctx(), sdk.RecoverRequest{Operation: back.Operation, Target: o.Target, Snapshot: &back.Snapshot})
	if err != nil || recovery.Status == sdk.RecoverNotStarted {
		t.Errorf("recover of a call that failed after its effect: %+v %v", recovery, err)
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	r := with(t, faults{"panic": {"call": "probe", "message": "canary"}})
	_, err := r.Client().Probe(r.ctx(), sdk.ProbeRequest{Target: r.target("web", "v1", nil)})
	if sdk.CodeOf(err) != sdk.Internal || sdk.ReasonOf(err) != sdk.ReasonPluginBug {
		t.Errorf("probe: %v", err)
	}
}

// Only what the filters name is struck.
func TestFilters(t *testing.T) {
	t.Parallel()
	r := with(t, faults{
		"component": {"kind": "error", "call": "probe", "code": "INTERNAL", "component": "db"},
		"version":   {"kind": "error", "call": "snapshot", "code": "INTERNAL", "version": "v2"},
		"operation": {"kind": "error", "call": "plan", "code": "INTERNAL", "operation": "rollback"},
	})
	client := r.Client()
	for name, tc := range map[string]struct {
		call func(sdk.Target, sdk.OperationKind) error
		hit  sdk.Target
		kind sdk.OperationKind
		miss sdk.Target
	}{
		"component": {func(target sdk.Target, _ sdk.OperationKind) error {
			_, err := client.Probe(r.ctx(), sdk.ProbeRequest{Target: target})
			return err
		}, r.target("db", "v1", nil), sdk.OperationRollback, r.target("web", "v1", nil)},
		"version": {func(target sdk.Target, _ sdk.OperationKind) error {
			_, err := client.Snapshot(r.ctx(), sdk.SnapshotRequest{Target: target})
			return err
		}, r.target("db", "v2", nil), sdk.OperationRollback, r.target("db", "v1", nil)},
		"operation": {func(target sdk.Target, kind sdk.OperationKind) error {
			_, err := client.Plan(r.ctx(), sdk.PlanRequest{Kind: kind, Target: target, Snapshot: &sdk.Snapshot{Empty: true}})
			return err
		}, r.target("db", "v1", nil), sdk.OperationRollback, r.target("db", "v1", nil)},
	} {
		if err := tc.call(tc.hit, tc.kind); sdk.CodeOf(err) != sdk.Internal {
			t.Errorf("%s: not struck: %v", name, err)
		}
		if err := tc.call(tc.miss, sdk.OperationDeploy); err != nil {
			t.Errorf("%s: struck: %v", name, err)
		}
	}
}

func TestHangAndSlow(t *testing.T) {
	t.Parallel()
	r := with(t, faults{
		"hang":    {"call": "probe", "after": 1, "times": 1},
		"slow":    {"call": "snapshot", "delay": "200ms"},
		"drain":   {"kind": "hang", "call": "drain"},
		"accepts": {"kind": "hang", "call": "deploy", "at": "after"},
	})
	target := r.target("web", "v1", nil)
	probe := func(ctx context.Context) error {
		_, err := r.Client().Probe(ctx, sdk.ProbeRequest{Target: target})
		return err
	}
	if err := probe(r.ctx()); err != nil {
		t.Errorf("the first probe: %v", err)
	}
	hangs(t, probe)
	if err := probe(r.ctx()); err != nil {
		t.Errorf("the third probe: %v", err)
	}
	start := time.Now()
	if _, err := r.Client().Snapshot(r.ctx(), sdk.SnapshotRequest{Target: target}); err != nil || time.Since(start) < 200*time.Millisecond {
		t.Errorf("snapshot after %s: %v", time.Since(start), err)
	}
	hangs(t, func(ctx context.Context) error {
		_, err := r.Client().Drain(ctx, time.Millisecond)
		return err
	})
	r = with(t, faults{"hang": {"call": "deploy", "at": "after"}})
	o := r.request("op-1", target)
	hangs(t, func(ctx context.Context) error {
		_, err := r.Client().Deploy(ctx, o.DeployRequest)
		return err
	})
	if events, err := r.watch(o); err != nil || outcome(t, events).Result != sdk.ResultSucceeded {
		t.Errorf("what hangs after its effect had none: %+v %v", events, err)
	}
}

// A hang does not end with the call's deadline, but with the process.
func TestHungProcessEnds(t *testing.T) {
	t.Parallel()
	r := with(t, faults{"hang": {"call": "probe"}})
	hangs(t, func(ctx context.Context) error {
		_, err := r.Client().Probe(ctx, sdk.ProbeRequest{Target: r.target("web", "v1", nil)})
		return err
	})
	if err := r.CloseLifeline(); err != nil {
		t.Fatal(err)
	}
	if _, ended := r.Exited(5 * time.Second); !ended {
		t.Error("it lives on without its host")
	}
}

func TestCrash(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault  map[string]any
		code   int
		effect sdk.RecoverStatus
	}{
		"before":     {map[string]any{"call": "deploy", "times": 1}, -1, sdk.RecoverNotStarted},
		"after":      {map[string]any{"call": "deploy", "at": "after", "times": 1}, -1, sdk.RecoverRunning},
		"with codes": {map[string]any{"call": "deploy", "exit_code": 7, "times": 1}, 7, sdk.RecoverNotStarted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			block := faults{"crash": tc.fault}
			r := with(t, block)
			o := r.request("op-1", r.target("web", "v1", map[string]any{"takes": "1s"}))
			gone(t, r.deploy(o))
			if code, ended := r.Exited(limit); !ended || code != tc.code {
				t.Errorf("ended %v with code %d, want %d", ended, code, tc.code)
			}
			r.with(block)
			recovery, err := r.Client().Recover(r.ctx(), sdk.RecoverRequest{Operation: o.Operation, Target: o.Target, Release: &o.Release})
			if err != nil || recovery.Status != tc.effect {
				t.Errorf("recover: %+v %v, want status %d", recovery, err, tc.effect)
			}
			if err := r.deploy(o); err != nil {
				t.Fatalf("the second process crashes too: %v", err)
			}
			if events, err := r.watch(o); err != nil || outcome(t, events).Result != sdk.ResultSucceeded {
				t.Errorf("watch: %+v %v", events, err)
			}
			if effects, err := fake.Effects(r.root, o.Target); err != nil || len(effects) != 1 {
				t.Errorf("effects %q %v", effects, err)
			}
		})
	}
}

func TestCrashAfterEvents(t *testing.T) {
	t.Parallel()
	block := faults{"crash": {"after_events": 2, "times": 1}}
	r := with(t, block)
	o := r.accepted("op-1")
	events, err := r.watch(o)
	gone(t, err)
	if len(events) != 2 {
		t.Errorf("%d events came before the crash: %+v", len(events), events)
	}
	r.with(block)
	if _, err := r.Client().Recover(r.ctx(), sdk.RecoverRequest{Operation: o.Operation, Target: o.Target, Release: &o.Release}); err != nil {
		t.Fatal(err)
	}
	if events, err = r.watch(o); err != nil || outcome(t, events).Result != sdk.ResultSucceeded {
		t.Errorf("watch of the next process: %+v %v", events, err)
	}
}

func TestFreeze(t *testing.T) {
	t.Parallel()
	r := with(t, faults{"freeze": {"call": "probe"}})
	probe := func(ctx context.Context) error {
		_, err := r.Client().Probe(ctx, sdk.ProbeRequest{Target: r.target("web", "v1", nil)})
		return err
	}
	hangs(t, probe)
	eventually(t, func() error { // it may have got the call after its deadline
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := r.Serving(ctx); err == nil {
			return errors.New("it serves")
		}
		return nil
	})
}

func TestForget(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]sdk.RecoverStatus{"not_started": sdk.RecoverNotStarted, "unknown": sdk.RecoverUnknown} {
		r := with(t, faults{"forget": {"what": what, "times": 1}})
		o := r.accepted("op-1")
		request := sdk.RecoverRequest{Operation: o.Operation, Target: o.Target, Release: &o.Release}
		if recovery, err := r.Client().Recover(r.ctx(), request); err != nil || recovery.Status != want {
			t.Errorf("%s: %+v %v", what, recovery, err)
		}
		if recovery, err := r.Client().Recover(r.ctx(), request); err != nil || recovery.Status == want {
			t.Errorf("%s, once more: %+v %v", what, recovery, err)
		}
	}
}

// A count is kept by the root: three processes share it.
func TestTimes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	block := faults{"error": {"call": "probe", "code": "INTERNAL", "after": 1, "times": 2}}
	var struck []bool
	for range 5 {
		r.with(block)
		_, err := r.Client().Probe(r.ctx(), sdk.ProbeRequest{Target: r.target("web", "v1", nil)})
		struck = append(struck, err != nil)
	}
	want := []bool{false, true, true, false, false}
	for i := range want {
		if struck[i] != want[i] {
			t.Fatalf("struck %v, want %v", struck, want)
		}
	}
}

func TestInject(t *testing.T) {
	t.Parallel()
	r := with(t, faults{"own": {"kind": "error", "call": "probe", "code": "INTERNAL"}})
	probe := func() error {
		_, err := r.Client().Probe(r.ctx(), sdk.ProbeRequest{Target: r.target("web", "v1", nil)})
		return err
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := probe(); sdk.CodeOf(err) != sdk.Internal {
		t.Errorf("of the block: %v", err)
	}
	must(fake.Relent(r.root, "own"))
	must(probe())
	for range 2 {
		must(fake.Inject(r.root, "more", map[string]any{"kind": "error", "call": "probe", "code": "NOT_FOUND", "times": 1}))
		if err := probe(); sdk.CodeOf(err) != sdk.NotFound {
			t.Errorf("injected: %v", err)
		}
		must(probe())
	}
	must(fake.Relent(r.root))
	must(probe())
	if err := fake.Inject(r.root, "more", map[string]any{"call": "probe"}); err == nil {
		t.Error("a fault of no kind was injected")
	}
	if err := fake.Inject(r.root, "break", map[string]any{"rule": "epoch"}); err == nil || !strings.Contains(err.Error(), "platform block") {
		t.Errorf("a broken rule that nobody would ask for was injected: %v", err)
	}
}
