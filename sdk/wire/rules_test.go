package wire_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
)

func wantError(t *testing.T, what string, err error, code sdk.Code, reason sdk.Reason) {
	t.Helper()
	if sdk.CodeOf(err) != code || sdk.ReasonOf(err) != reason {
		t.Errorf("%s: %s %s: %v; want %s %s", what, sdk.CodeOf(err), sdk.ReasonOf(err), err, code, reason)
	}
}

func TestConfigureExactlyOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ds    diag.Diagnostics
		err   error
		ready bool
	}{
		"good":    {ready: true},
		"warning": {ds: diag.Diagnostics{{Severity: diag.Warning, Summary: "w"}}, ready: true},
		"mistake": {ds: diag.Diagnostics{{Severity: diag.Error, Summary: "e"}}},
		"error":   {err: sdk.Errorf(sdk.Unauthenticated, sdk.ReasonAuth, "who are you")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, _ := connect(t, &full{bare: bare{configure: func(context.Context, sdk.ConfigureRequest) (diag.Diagnostics, error) {
				return tc.ds, tc.err
			}}})
			client, ctx := conn.Client(), t.Context()
			_, err := client.Probe(ctx, sdk.ProbeRequest{Target: target()})
			wantError(t, "Probe before", err, sdk.FailedPrecondition, sdk.ReasonNotConfigured)
			_, err = client.Deploy(ctx, deployAt("op", 9))
			wantError(t, "Deploy before", err, sdk.FailedPrecondition, sdk.ReasonNotConfigured)
			_, err = client.Configure(ctx, sdk.ConfigureRequest{})
			wantError(t, "Configure", err, sdk.CodeOf(tc.err), sdk.ReasonOf(tc.err))
			_, err = client.Configure(ctx, sdk.ConfigureRequest{})
			wantError(t, "Configure again", err, sdk.FailedPrecondition, sdk.ReasonConflict)
			_, err = client.Probe(ctx, sdk.ProbeRequest{Target: target()})
			if tc.ready != (err == nil) {
				t.Errorf("Probe after: %v", err)
			}
		})
	}
}

func TestNothingBeforeConfigure(t *testing.T) {
	t.Parallel()
	conn, _ := connect(t, &full{})
	c, ctx, op := conn.Client(), t.Context(), sdk.Operation{ID: "op"}
	for name, call := range map[string]func() error{
		"Resolve":  func() error { _, _, err := c.Resolve(ctx, sdk.ResolveRequest{Target: target()}); return err },
		"Snapshot": func() error { _, err := c.Snapshot(ctx, sdk.SnapshotRequest{Target: target()}); return err },
		"Plan":     func() error { _, err := c.Plan(ctx, sdk.PlanRequest{Target: target()}); return err },
		"Rollback": func() error {
			_, err := c.Rollback(ctx, sdk.RollbackRequest{Operation: op, Target: target()})
			return err
		},
		"Promote": func() error {
			_, err := c.Promote(ctx, sdk.PromoteRequest{Operation: op, Target: target(), Percent: 1})
			return err
		},
		"Cancel": func() error { return c.Cancel(ctx, sdk.CancelRequest{Operation: op, Target: target()}) },
		"Recover": func() error {
			_, err := c.Recover(ctx, sdk.RecoverRequest{Operation: op, Target: target()})
			return err
		},
		"Watch":     func() error { return c.Watch(ctx, sdk.WatchRequest{Operation: op, Target: target()}, nil) },
		"Target":    func() error { return c.WatchTarget(ctx, sdk.WatchTargetRequest{Target: target()}, nil) },
		"Logs":      func() error { return c.Logs(ctx, sdk.LogsRequest{Target: target()}, nil) },
		"Health":    func() error { return c.Health(ctx, nil) },
		"Inventory": func() error { _, err := c.Inventory(ctx, ""); return err },
	} {
		wantError(t, name, call(), sdk.FailedPrecondition, sdk.ReasonNotConfigured)
	}
}

// A platform without a part says so, and the host sees that the plugin is there.
func TestUnsupportedCalls(t *testing.T) {
	t.Parallel()
	c, _ := configured(t, &bare{})
	ctx, op := t.Context(), sdk.Operation{ID: "op"}
	_, err := c.Plan(ctx, sdk.PlanRequest{Target: target()})
	wantError(t, "Plan", err, sdk.Unimplemented, "")
	_, err = c.Promote(ctx, sdk.PromoteRequest{Operation: op, Target: target(), Percent: 100})
	wantError(t, "Promote", err, sdk.Unimplemented, "")
	wantError(t, "Cancel", c.Cancel(ctx, sdk.CancelRequest{Operation: op, Target: target()}), sdk.Unimplemented, "")
	_, err = c.Inventory(ctx, "")
	wantError(t, "Inventory", err, sdk.Unimplemented, "")
	wantError(t, "Logs", c.Logs(ctx, sdk.LogsRequest{Target: target()}, nil), sdk.Unimplemented, "")
	wantError(t, "WatchTarget", c.WatchTarget(ctx, sdk.WatchTargetRequest{Target: target()}, nil), sdk.Unimplemented, "")
	ds, err := c.Validate(ctx, nil, nil)
	same(t, "Validate", 0, len(ds))
	same(t, "error", nil, err)
	ds, err = c.Validate(ctx, []byte(`{"a":1}`), []byte(`{"b":1}`))
	same(t, "error", nil, err)
	if len(ds) != 2 || ds[0].Path[0] != "a" || ds[1].Path[0] != "b" {
		t.Errorf("Validate by the schemas: %v", ds)
	}
	var said sdk.Health
	if err := c.Health(ctx, func(h sdk.Health) error { said = h; return errEnough }); !errors.Is(err, errEnough) {
		t.Error(err)
	}
	same(t, "health", sdk.HealthHealthy, said.State)
}

func TestFence(t *testing.T) {
	t.Parallel()
	client, _ := configured(t, &full{})
	ctx := t.Context()
	at := func(epoch uint64) sdk.Operation { return sdk.Operation{ID: "op", Epoch: epoch} }
	calls := map[string]func(epoch uint64, to sdk.Target) error{
		"Deploy": func(e uint64, to sdk.Target) error {
			_, err := client.Deploy(ctx, sdk.DeployRequest{Operation: at(e), Target: to})
			return err
		},
		"Rollback": func(e uint64, to sdk.Target) error {
			_, err := client.Rollback(ctx, sdk.RollbackRequest{Operation: at(e), Target: to})
			return err
		},
		"Promote": func(e uint64, to sdk.Target) error {
			_, err := client.Promote(ctx, sdk.PromoteRequest{Operation: at(e), Target: to, Percent: 50})
			return err
		},
		"Cancel": func(e uint64, to sdk.Target) error {
			return client.Cancel(ctx, sdk.CancelRequest{Operation: at(e), Target: to})
		},
		"Recover": func(e uint64, to sdk.Target) error {
			_, err := client.Recover(ctx, sdk.RecoverRequest{Operation: at(e), Target: to})
			return err
		},
	}
	for raises, raise := range calls {
		to := target()
		to.Application = raises
		if err := raise(5, to); err != nil {
			t.Fatalf("%s: %v", raises, err)
		}
		for name, call := range calls {
			wantError(t, name+" below, after "+raises, call(4, to), sdk.Aborted, sdk.ReasonStaleEpoch)
			same(t, name+" at the same epoch", nil, call(5, to))
		}
		for _, other := range []sdk.Target{
			{Application: to.Application, Environment: to.Environment, Component: "other"},
			{Application: to.Application, Environment: "other", Component: to.Component},
			{Application: to.Application + "-other", Environment: to.Environment, Component: to.Component},
		} {
			same(t, "another component", nil, raise(1, other))
		}
	}
}

// A refused call leaves no trace in the fence.
func TestIncompleteOperationsAreRefused(t *testing.T) {
	t.Parallel()
	client, _ := configured(t, &full{})
	ctx := t.Context()
	incomplete := deployAt("op", 9)
	incomplete.Target.Component = ""
	for name, r := range map[string]sdk.DeployRequest{"no id": deployAt("", 9), "no component": incomplete} {
		_, err := client.Deploy(ctx, r)
		wantError(t, name, err, sdk.InvalidArgument, sdk.ReasonInvalidSpec)
	}
	_, err := client.Deploy(ctx, deployAt("op", 1))
	same(t, "a lower epoch afterwards", nil, err)
	for _, percent := range []int{-1, 0, 101} {
		_, err := client.Promote(ctx, sdk.PromoteRequest{Operation: sdk.Operation{ID: "op", Epoch: 1}, Target: target(), Percent: percent})
		wantError(t, "percent", err, sdk.InvalidArgument, sdk.ReasonInvalidSpec)
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	platform := &full{}
	platform.probe = func(context.Context, sdk.ProbeRequest) (sdk.ProbeResult, error) { panic("canary") }
	platform.watch = func(context.Context, sdk.WatchRequest, sdk.Sink) error { panic("canary") }
	platform.logs = func(context.Context, sdk.LogsRequest, func(...sdk.LogLine) error) error { panic("canary") }
	client, out := configured(t, platform)
	ctx := t.Context()
	_, err := client.Probe(ctx, sdk.ProbeRequest{Target: target()})
	errs := map[string]error{
		"Probe": err,
		"Watch": client.Watch(ctx, sdk.WatchRequest{Target: target(), Operation: sdk.Operation{ID: "op"}}, nil),
		"Logs":  client.Logs(ctx, sdk.LogsRequest{Target: target()}, nil),
	}
	for name, err := range errs {
		wantError(t, name, err, sdk.Internal, sdk.ReasonPluginBug)
		if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "goroutine") {
			t.Errorf("%s shows what belongs in the log: %v", name, err)
		}
	}
	if log := out.String(); strings.Count(log, "canary") < 3 || !strings.Contains(log, "rules_test.go") {
		t.Errorf("the log has no stack:\n%s", log)
	}
	_, err = client.Deploy(ctx, deployAt("op", 1))
	same(t, "the plugin goes on", nil, err)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	handle := sdk.Handle{State: make([]byte, sdk.MaxHandle+1)}
	release := sdk.Release{State: make([]byte, sdk.MaxRelease+1)}
	snapshot := sdk.Snapshot{State: make([]byte, sdk.MaxSnapshot+1)}
	platform := &full{}
	platform.deploy = func(context.Context, sdk.DeployRequest) (sdk.Handle, error) { return handle, nil }
	platform.resolve = func(context.Context, sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
		return release, nil, nil
	}
	platform.snapshot = func(context.Context, sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
		return sdk.SnapshotResult{Snapshot: snapshot}, nil
	}
	platform.probe = func(context.Context, sdk.ProbeRequest) (sdk.ProbeResult, error) {
		return sdk.ProbeResult{Revision: strings.Repeat("x", sdk.MaxMessage+1)}, nil
	}
	conn, _ := connect(t, platform)
	polite, rude, ctx := conn.Client(), conn.Client(noLimits), t.Context()
	if _, err := polite.Configure(ctx, sdk.ConfigureRequest{}); err != nil {
		t.Fatal(err)
	}
	op := sdk.Operation{ID: "op"}
	_, err := polite.Deploy(ctx, deployAt("op", 0))
	wantError(t, "answered handle", err, sdk.Internal, sdk.ReasonPluginBug)
	_, _, err = polite.Resolve(ctx, sdk.ResolveRequest{Target: target()})
	wantError(t, "answered release", err, sdk.Internal, sdk.ReasonPluginBug)
	_, err = polite.Snapshot(ctx, sdk.SnapshotRequest{Target: target()})
	wantError(t, "answered snapshot", err, sdk.Internal, sdk.ReasonPluginBug)
	_, err = polite.Probe(ctx, sdk.ProbeRequest{Target: target()})
	wantError(t, "answered message", err, sdk.Internal, sdk.ReasonPluginBug)

	for name, client := range map[string]interface {
		sdk.Platform
		sdk.Canceller
	}{"host's side": polite, "plugin's side": rude} {
		_, err = client.Deploy(ctx, sdk.DeployRequest{Operation: op, Target: target(), Release: release})
		wantError(t, name+": release", err, sdk.InvalidArgument, sdk.ReasonInvalidSpec)
		_, err = client.Rollback(ctx, sdk.RollbackRequest{Operation: op, Target: target(), Snapshot: snapshot})
		wantError(t, name+": snapshot", err, sdk.InvalidArgument, sdk.ReasonInvalidSpec)
		err = client.Cancel(ctx, sdk.CancelRequest{Operation: op, Target: target(), Handle: handle})
		wantError(t, name+": handle", err, sdk.InvalidArgument, sdk.ReasonInvalidSpec)
	}
	// 16 MiB + 1: refused by either side, and the plugin goes on.
	huge := target()
	huge.Spec = make([]byte, sdk.MaxMessage+1)
	_, _, err = polite.Resolve(ctx, sdk.ResolveRequest{Target: huge})
	wantError(t, "host's side: message", err, sdk.InvalidArgument, sdk.ReasonInvalidSpec)
	_, _, err = rude.Resolve(ctx, sdk.ResolveRequest{Target: huge})
	if err == nil || errors.Is(err, sdk.ErrPluginGone) {
		t.Errorf("plugin's side: message: %v", err)
	}
	same(t, "afterwards", nil, polite.Cancel(ctx, sdk.CancelRequest{Operation: op, Target: target()}))
}

// A message just below the limit passes, in both directions.
func TestLargeMessagesPass(t *testing.T) {
	t.Parallel()
	const size = sdk.MaxMessage - 1<<10
	client, _ := configured(t, &full{bare: bare{probe: func(_ context.Context, r sdk.ProbeRequest) (sdk.ProbeResult, error) {
		return sdk.ProbeResult{Revision: strings.Repeat("x", len(r.Target.Spec))}, nil
	}}})
	big := target()
	big.Spec = make([]byte, size)
	got, err := client.Probe(t.Context(), sdk.ProbeRequest{Target: big})
	same(t, "error", nil, err)
	same(t, "size", size, len(got.Revision))
}

func TestInvalidText(t *testing.T) {
	t.Parallel()
	bad := "a\xffb"
	line := sdk.LogLine{Line: bad}
	platform := &full{}
	platform.probe = func(context.Context, sdk.ProbeRequest) (sdk.ProbeResult, error) {
		return sdk.ProbeResult{Checks: []sdk.Check{{Message: bad}}, Addresses: map[string]string{bad: bad}}, nil
	}
	platform.resolve = func(context.Context, sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
		return sdk.Release{State: []byte(bad)}, diag.Diagnostics{{Severity: diag.Warning, Path: []string{bad}}}, nil
	}
	platform.logs = func(_ context.Context, _ sdk.LogsRequest, send func(...sdk.LogLine) error) error { return send(line) }
	platform.watch = func(_ context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
		return sink(sdk.Event{State: &sdk.State{Message: bad}}, sdk.Event{Log: &line},
			sdk.Event{Outcome: &sdk.Outcome{Failure: &sdk.Failure{Events: []string{bad}}}})
	}
	client, _ := configured(t, platform)
	ctx, good := t.Context(), "a\uFFFDb"
	probed, err := client.Probe(ctx, sdk.ProbeRequest{Target: target()})
	same(t, "error", nil, err)
	same(t, "probe", sdk.ProbeResult{Checks: []sdk.Check{{Message: good, Status: sdk.CheckUnknown}}, Addresses: map[string]string{good: good}}, probed)
	release, ds, err := client.Resolve(ctx, sdk.ResolveRequest{Target: target()})
	same(t, "error", nil, err)
	same(t, "state is bytes", bad, string(release.State))
	same(t, "path", []string{good}, ds[0].Path)
	err = client.Logs(ctx, sdk.LogsRequest{Target: target()}, func(lines ...sdk.LogLine) error {
		same(t, "log", good, lines[0].Line)
		return nil
	})
	same(t, "error", nil, err)
	var events []sdk.Event
	err = client.Watch(ctx, sdk.WatchRequest{Target: target(), Operation: sdk.Operation{ID: "op"}}, func(batch ...sdk.Event) error {
		events = append(events, cloned(batch)...)
		return nil
	})
	same(t, "error", nil, err)
	same(t, "watch", []string{good, good, good}, []string{events[0].State.Message, events[1].Log.Line, events[2].Outcome.Failure.Events[0]})

	// The host's own names are not repaired but refused.
	_, err = client.Deploy(ctx, deployAt(bad, 1))
	wantError(t, "operation id", err, sdk.InvalidArgument, sdk.ReasonInvalidSpec)
}

func TestDrain(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	var calls atomic.Int32
	// Without an own Drain: bare plus what is needed here.
	platform := &bare{
		deploy: func(_ context.Context, r sdk.DeployRequest) (sdk.Handle, error) {
			calls.Add(1)
			if r.Operation.ID == "slow" {
				close(entered)
				<-release
			}
			return sdk.Handle{Version: 1}, nil
		},
		watch: func(_ context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
			return sink(sdk.Event{State: &sdk.State{}}, sdk.Event{Outcome: &sdk.Outcome{Result: sdk.ResultSucceeded}})
		},
	}
	client, _ := configured(t, platform)
	ctx := t.Context()
	for _, id := range []string{"done", "followed"} {
		if _, err := client.Deploy(ctx, deployAt(id, 1)); err != nil {
			t.Fatal(err)
		}
	}
	err := client.Watch(ctx, sdk.WatchRequest{Target: target(), Operation: sdk.Operation{ID: "done"}}, func(...sdk.Event) error { return nil })
	same(t, "watch", nil, err)
	slow := make(chan error, 1)
	go func() {
		_, err := client.Deploy(ctx, deployAt("slow", 1))
		slow <- err
	}()
	<-entered
	inFlight, err := client.Drain(ctx, time.Millisecond)
	same(t, "error", nil, err)
	same(t, "still under way", []string{"followed", "slow"}, inFlight)
	_, err = client.Deploy(ctx, deployAt("new", 1))
	wantError(t, "new work", err, sdk.Unavailable, sdk.ReasonPlatformUnavailable)
	_, err = client.Probe(ctx, sdk.ProbeRequest{Target: target()})
	same(t, "looking goes on", nil, err)
	close(release)
	same(t, "the call under way", nil, <-slow)
	inFlight, err = client.Drain(ctx, time.Hour)
	same(t, "error", nil, err)
	same(t, "in flight", []string{"followed", "slow"}, inFlight)
	same(t, "calls", int32(3), calls.Load())
}
