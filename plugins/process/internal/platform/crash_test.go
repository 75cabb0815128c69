package platform_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/sdk"
)

// killShim ends the component's shim as a crash would.
func (b *bed) killShim() {
	b.t.Helper()
	shim := b.component().Shim
	if err := syscall.Kill(shim.PID, syscall.SIGKILL); err != nil {
		b.t.Fatal(err)
	}
	eventually(b.t, "the shim is gone", func() bool { return procinfo.StartOf(shim.PID) != shim.Start })
}

func TestKilledShimIsBroughtBack(t *testing.T) {
	t.Parallel()
	by := map[string]func(t *testing.T, b *bed){
		"Configure": func(_ *testing.T, b *bed) { b.configured("inst-1") },
		"Probe": func(t *testing.T, b *bed) {
			if _, err := b.Probe(t.Context(), sdk.ProbeRequest{Target: target("v1", nil)}); err != nil {
				t.Error(err)
			}
		},
		"Snapshot": func(t *testing.T, b *bed) {
			if _, err := b.Snapshot(t.Context(), sdk.SnapshotRequest{Target: target("v1", nil)}); err != nil {
				t.Error(err)
			}
		},
	}
	for name, bring := range by {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.settled("v1", b.app("version=v1"))
			leftover := b.component().Processes[0]
			b.killShim()
			bring(t, b)
			eventually(t, "v1 serves again", func() bool { return get(t, b.public, "/") == "v1" })
			if procinfo.StartOf(leftover.PID) == leftover.Start {
				t.Errorf("instance %d of the killed shim still runs", leftover.PID)
			}
		})
	}
}

// TestKilledShimGoesOn kills the shim in each phase of a staged deploy, while
// somebody watches; the operation ends as an undisturbed one.
func TestKilledShimGoesOn(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		percent int
		end     func(w *watched)
		result  sdk.Result
		serves  string
	}{
		"candidate, then promoted":  {end: func(w *watched) { w.promote(100) }, result: sdk.ResultSucceeded, serves: "v2"},
		"candidate, then cancelled": {end: func(w *watched) { w.cancel() }, result: sdk.ResultCancelled, serves: "v1"},
		"half way, then promoted":   {percent: 50, end: func(w *watched) { w.promote(100) }, result: sdk.ResultSucceeded, serves: "v2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.settled("v1", b.app("version=v1"))
			w := b.deploy("v2", b.app("version=v2"), true)
			w.candidate(0)
			if test.percent > 0 {
				w.promote(test.percent)
				w.candidate(test.percent)
			}
			b.killShim()
			b.Platform = b.configured("inst-1") // the plugin was killed too
			recovery, err := b.Recover(t.Context(), sdk.RecoverRequest{Operation: w.op, Target: w.target})
			if err != nil || recovery.Status != sdk.RecoverRunning || recovery.Handle.IsZero() {
				t.Fatalf("Recover: %+v %v", recovery, err)
			}
			again := b.watch(w.op, w.target, recovery.Handle)
			again.candidate(test.percent) // not beyond what was asked for
			test.end(again)
			if o := again.outcome(); o.Result != test.result {
				t.Errorf("outcome %+v", o)
			}
			if got := get(t, b.public, "/"); got != test.serves {
				t.Errorf("the public address answers %q, want %s", got, test.serves)
			}
			if o := w.outcome(); o.Result != test.result { // the first watch survived it too
				t.Errorf("outcome of the first watch %+v", o)
			}
		})
	}
}

func TestRecover(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	to, r := b.resolve("v1", b.app("version=v1"))
	op := b.operation(sdk.OperationDeploy, false)
	recovery, err := b.Recover(t.Context(), sdk.RecoverRequest{Operation: op, Target: to, Release: &r})
	if err != nil || recovery.Status != sdk.RecoverNotStarted {
		t.Fatalf("before Deploy: %+v %v", recovery, err)
	}
	handle, err := b.Deploy(t.Context(), sdk.DeployRequest{Operation: op, Target: to, Release: r})
	if err != nil {
		t.Fatal(err)
	}
	b.watch(op, to, handle).outcome()
	recovery, err = b.Recover(t.Context(), sdk.RecoverRequest{Operation: op, Target: to, Release: &r})
	if err != nil || recovery.Status != sdk.RecoverFinished || recovery.Outcome.Result != sdk.ResultSucceeded {
		t.Fatalf("after Deploy: %+v %v", recovery, err)
	}
	other := op
	other.RequestDigest = "another"
	_, err = b.Recover(t.Context(), sdk.RecoverRequest{Operation: other, Target: to})
	wantCode(t, err, sdk.AlreadyExists, sdk.ReasonOperationMismatch)
	raised := b.operation(sdk.OperationDeploy, false)
	raised.Epoch = 9
	if recovery, err := b.Recover(t.Context(), sdk.RecoverRequest{Operation: raised, Target: to}); err != nil || recovery.Status != sdk.RecoverNotStarted {
		t.Fatalf("unknown operation: %+v %v", recovery, err)
	}
	raised.Epoch = 8 // the lost call lands late
	_, err = b.Deploy(t.Context(), sdk.DeployRequest{Operation: raised, Target: to, Release: r})
	wantCode(t, err, sdk.Aborted, sdk.ReasonStaleEpoch)
}

func TestRecoverWithABrokenStateIsUnknown(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.settled("v1", b.app("version=v1"))
	whole, err := os.ReadFile(filepath.Join(b.dir(), "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(b.dir(), "state.json"), "{half", 0o600)
	op := b.operation(sdk.OperationDeploy, false)
	recovery, err := b.Recover(t.Context(), sdk.RecoverRequest{Operation: op, Target: target("v1", nil)})
	if err != nil || recovery.Status != sdk.RecoverUnknown || !strings.Contains(recovery.Message, "state.json") {
		t.Errorf("%+v %v", recovery, err)
	}
	write(t, filepath.Join(b.dir(), "state.json"), string(whole), 0o600)
}

func TestFencing(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.epoch = 5
	b.settled("v1", b.app("version=v1"))
	w := b.deploy("v2", b.app("version=v2"), true)
	w.candidate(0)
	to, r := b.resolve("v3", b.app("version=v3"))
	tests := map[string]struct {
		call   func(op sdk.Operation) error
		op     func(op *sdk.Operation)
		code   sdk.Code
		reason sdk.Reason
	}{
		"stale deploy":   {op: func(op *sdk.Operation) { *op = sdk.Operation{ID: "x", RequestDigest: "x", Epoch: 4} }, code: sdk.Aborted, reason: sdk.ReasonStaleEpoch},
		"stale repeat":   {op: func(op *sdk.Operation) { op.Epoch = 4 }, code: sdk.Aborted, reason: sdk.ReasonStaleEpoch},
		"stale promote":  {op: func(op *sdk.Operation) { op.Epoch = 4 }, call: func(op sdk.Operation) error { return promote(b, op, to) }, code: sdk.Aborted, reason: sdk.ReasonStaleEpoch},
		"stale cancel":   {op: func(op *sdk.Operation) { op.Epoch = 4 }, call: func(op sdk.Operation) error { return cancelled(b, op, to) }, code: sdk.Aborted, reason: sdk.ReasonStaleEpoch},
		"other content":  {op: func(op *sdk.Operation) { op.RequestDigest = "x" }, code: sdk.AlreadyExists, reason: sdk.ReasonOperationMismatch},
		"other promote":  {op: func(op *sdk.Operation) { op.RequestDigest = "x" }, call: func(op sdk.Operation) error { return promote(b, op, to) }, code: sdk.AlreadyExists, reason: sdk.ReasonOperationMismatch},
		"unknown cancel": {op: func(op *sdk.Operation) { op.ID = "x" }, call: func(op sdk.Operation) error { return cancelled(b, op, to) }, code: sdk.NotFound, reason: sdk.ReasonNotFound},
		"a second one":   {op: func(op *sdk.Operation) { op.ID = "x" }, code: sdk.Aborted, reason: sdk.ReasonConflict},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			op := w.op
			test.op(&op)
			if test.call == nil {
				test.call = func(op sdk.Operation) error {
					_, err := b.Deploy(t.Context(), sdk.DeployRequest{Operation: op, Target: to, Release: r})
					return err
				}
			}
			wantCode(t, test.call(op), test.code, test.reason)
		})
	}
	again, err := b.Deploy(t.Context(), sdk.DeployRequest{Operation: w.op, Target: w.target, Release: r})
	if err != nil || string(again.State) != string(w.handle.State) {
		t.Errorf("the same again: %s %v, want %s", again.State, err, w.handle.State)
	}
	w.cancel()
	w.outcome()
	if again, err = b.Deploy(t.Context(), sdk.DeployRequest{Operation: w.op, Target: w.target, Release: r}); err != nil || string(again.State) != string(w.handle.State) {
		t.Errorf("the same after its end: %s %v, want %s", again.State, err, w.handle.State)
	}
	if got := get(t, b.public, "/"); got != "v1" {
		t.Errorf("the public address answers %q, want v1", got)
	}
}

func promote(b *bed, op sdk.Operation, to sdk.Target) error {
	_, err := b.Promote(b.t.Context(), sdk.PromoteRequest{Operation: op, Target: to, Percent: 10})
	return err
}

func cancelled(b *bed, op sdk.Operation, to sdk.Target) error {
	return b.Cancel(b.t.Context(), sdk.CancelRequest{Operation: op, Target: to})
}

func TestStaleEpochAfterRemoval(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.epoch = 7
	b.settled("v1", b.app("version=v1"))
	b.rollback(target("v1", nil), sdk.Snapshot{Empty: true}).outcome()
	eventually(t, "the shim is gone", func() bool { return len(procinfo.Shims(b.stateDir)) == 0 })
	b.epoch = 6
	to, r := b.resolve("v1", b.app("version=v1"))
	_, err := b.Deploy(t.Context(), sdk.DeployRequest{Operation: b.operation(sdk.OperationDeploy, false), Target: to, Release: r})
	wantCode(t, err, sdk.Aborted, sdk.ReasonStaleEpoch)
	b.epoch = 7
	b.settled("v1", b.app("version=v1"))
}

func TestExpectedDigest(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	nothing, err := b.Snapshot(t.Context(), sdk.SnapshotRequest{Target: target("v1", nil)})
	if err != nil {
		t.Fatal(err)
	}
	b.settled("v1", b.app("version=v1"))
	to, r := b.resolve("v2", b.app("version=v2"))
	op := b.operation(sdk.OperationDeploy, false)
	_, err = b.Deploy(t.Context(), sdk.DeployRequest{Operation: op, Target: to, Release: r, ExpectedDigest: nothing.ObservedDigest})
	wantCode(t, err, sdk.Aborted, sdk.ReasonStateChanged)
	if !strings.Contains(err.Error(), "dep-op-1") || !strings.Contains(err.Error(), `"web"`) {
		t.Errorf("%q does not name what changed and by whom", err)
	}
	now, err := b.Snapshot(t.Context(), sdk.SnapshotRequest{Target: to})
	if err != nil {
		t.Fatal(err)
	}
	handle, err := b.Deploy(t.Context(), sdk.DeployRequest{Operation: op, Target: to, Release: r, ExpectedDigest: now.ObservedDigest})
	if err != nil {
		t.Fatal(err)
	}
	b.watch(op, to, handle).outcome()
}

func TestARollbackSupersedesAnUnfinishedDeploy(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.settled("v1", b.app("version=v1"))
	before, err := b.Snapshot(t.Context(), sdk.SnapshotRequest{Target: target("v1", nil)})
	if err != nil {
		t.Fatal(err)
	}
	old := b.component().Processes[0]
	w := b.deploy("v2", b.app("version=v2"), true)
	w.candidate(0)
	back := b.rollback(target("v1", nil), before.Snapshot)
	if o := w.outcome(); o.Result != sdk.ResultSuperseded || !strings.Contains(o.SupersededBy, back.op.ID) {
		t.Errorf("outcome of the deploy %+v", o)
	}
	if o := back.outcome(); o.Result != sdk.ResultSucceeded {
		t.Errorf("outcome of the rollback %+v", o)
	}
	if now := b.component().Processes; len(now) != 1 || now[0] != old {
		t.Errorf("instances %v, want %v untouched", now, old)
	}
}
