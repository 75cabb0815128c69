package platform_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/journal"
)

// Whoever reads what is current finds the old files or the new, at every moment.
func TestSwapIsOneStep(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.deploy("one")
	done := make(chan error)
	ctx := r.ctx()
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			text, err := os.ReadFile(r.path("current", "index.html"))
			if err == nil && string(text) != "one" && string(text) != "two" {
				err = fmt.Errorf("current is %q", text)
			}
			if err != nil {
				done <- err
				return
			}
			select {
			case done <- nil: // asked to stop
				return
			default:
			}
		}
	}()
	for range 5 {
		r.deploy("two")
		r.deploy("one")
	}
	if err := <-done; err != nil {
		t.Errorf("while links were swapped: %v", err)
	}
}

// An operation goes on wherever a crash left it.
func TestRecoverGoesOn(t *testing.T) {
	t.Parallel()
	for name, crash := range map[string]func(*rig, *component.Record, *component.Operation, string){
		"accepted": func(_ *rig, s *component.Record, o *component.Operation, _ string) {
			o.Steps, o.Goal.Link, s.Serving.Digest = nil, "", o.Before
		},
		"copied": func(_ *rig, s *component.Record, o *component.Operation, _ string) {
			o.Steps, s.Serving.Digest = o.Steps[:1], o.Before
		},
		"stamped, not swapped": func(_ *rig, _ *component.Record, o *component.Operation, _ string) {
			o.Steps = o.Steps[:1]
		},
		"swapped": func(r *rig, _ *component.Record, o *component.Operation, link string) {
			o.Steps = o.Steps[:1]
			if err := r.component().Swap(link); err != nil {
				r.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.deploy("one")
			before, err := os.Readlink(r.path("current"))
			if err != nil {
				t.Fatal(err)
			}
			deploy := r.deploy("two")
			after, err := os.Readlink(r.path("current"))
			if err != nil {
				t.Fatal(err)
			}
			if err := r.component().Swap(before); err != nil {
				t.Fatal(err)
			}
			r.edit(func(s *component.Record) {
				o := s.Operation(deploy.Operation.ID)
				o.Outcome = nil
				crash(r, s, o, after)
			})
			r.restart()
			deploy.Operation.Epoch += 100
			recovery, err := r.Recover(r.ctx(), sdk.RecoverRequest{Operation: deploy.Operation, Target: r.target, Release: &deploy.Release})
			if err != nil || recovery.Status != sdk.RecoverRunning {
				t.Fatalf("Recover: %+v %v", recovery, err)
			}
			r.succeeds(deploy.Operation)
			r.serves("two")
		})
	}
}

// Stamps that are gone or cannot be read are no proof that nothing happened.
func TestRecoverUnknown(t *testing.T) {
	t.Parallel()
	for name, break1 := range map[string]func(*rig){
		"gone":   func(r *rig) { _ = os.Remove(r.path(".apm", "state.json")) },
		"broken": func(r *rig) { r.write(r.path(".apm", "state.json"), `{"format":`) },
		"newer":  func(r *rig) { r.write(r.path(".apm", "state.json"), `{"format": 99}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.deploy("one")
			break1(r)
			recovery, err := r.Recover(r.ctx(), sdk.RecoverRequest{Operation: r.operation(sdk.OperationDeploy), Target: r.target})
			if err != nil || recovery.Status != sdk.RecoverUnknown || recovery.Message == "" {
				t.Errorf("Recover: %+v %v", recovery, err)
			}
		})
	}
}

// A change by somebody else while a candidate waits ends the operation, and stays.
func TestSuperseded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.deploy("one")
	o := r.operation(sdk.OperationDeploy)
	o.Staged = true
	if _, err := r.Deploy(r.ctx(), sdk.DeployRequest{Operation: o, Target: r.target, Release: r.resolve("two")}); err != nil {
		t.Fatal(err)
	}
	r.until(o, func(e sdk.Event) bool { return e.Candidate != nil || e.State != nil && e.State.Candidate != nil })
	r.write(r.path("current", "index.html"), "by hand")
	if outcome := r.outcome(o); outcome.Result != sdk.ResultSuperseded || outcome.SupersededBy == "" {
		t.Errorf("outcome %+v", outcome)
	}
	r.serves("by hand")
}

// An operation that takes the place of another ends it.
func TestRollbackEndsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.deploy("one")
	before := r.snapshot().Snapshot
	o := r.operation(sdk.OperationDeploy)
	o.Staged = true
	request := sdk.DeployRequest{Operation: o, Target: r.target, Release: r.resolve("two")}
	if _, err := r.Deploy(r.ctx(), request); err != nil {
		t.Fatal(err)
	}
	request.Operation.ID, request.Operation.Epoch = "another", o.Epoch
	_, err := r.Deploy(r.ctx(), request)
	r.refused("Deploy while another is under way", err, sdk.Aborted, sdk.ReasonConflict)
	r.rollback(before)
	if outcome := r.outcome(o); outcome.Result != sdk.ResultCancelled {
		t.Errorf("outcome %+v", outcome)
	}
	r.serves("one")
}

// What goes wrong with the work is an outcome with evidence, and changes nothing.
func TestFailure(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	release := r.resolve("one")
	r.write(r.path("releases"), "in the way")
	o := r.operation(sdk.OperationDeploy)
	if _, err := r.Deploy(r.ctx(), sdk.DeployRequest{Operation: o, Target: r.target, Release: release}); err != nil {
		t.Fatal(err)
	}
	outcome := r.outcome(o)
	if outcome.Result != sdk.ResultFailed || outcome.Failure == nil || outcome.Failure.Code == "" || len(outcome.Failure.Logs) == 0 {
		t.Errorf("outcome %+v %+v", outcome, outcome.Failure)
	}
	if !r.snapshot().Snapshot.Empty {
		t.Error("something is current")
	}
}

// Only what is not kept any more cannot be gone back to, and that is said before
// anything changes.
func TestPruned(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.keep = 2
	r.restart()
	r.deploy("one")
	first := r.snapshot().Snapshot
	r.deploy("two")
	second := r.snapshot().Snapshot
	r.deploy("three")
	r.deploy("four")
	unlock, err := journal.Lock(r.ctx(), r.component().Journal()) // whoever ended the last one has cleaned up when he lets go
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	_, err = r.Plan(r.ctx(), sdk.PlanRequest{Kind: sdk.OperationRollback, Target: r.target, Snapshot: &second})
	r.refused("Plan", err, sdk.FailedPrecondition, sdk.ReasonSnapshotStale)
	_, err = r.Rollback(r.ctx(), sdk.RollbackRequest{Operation: r.operation(sdk.OperationRollback), Target: r.target, Snapshot: first})
	r.refused("Rollback", err, sdk.FailedPrecondition, sdk.ReasonSnapshotStale)
	r.serves("four")
	for _, dir := range []string{"releases", filepath.Join(".apm", "frozen")} {
		if entries, err := os.ReadDir(r.path(dir)); err != nil || len(entries) != 2 {
			t.Errorf("%s: %v %v, want 2", dir, entries, err)
		}
	}
}

// What the host may go back to, or still wants to deploy, stays, however small keep is,
// until the host says otherwise.
func TestRetained(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.keep = 1
	r.restart()
	r.deploy("one")
	first, waits := r.snapshot().Snapshot, r.resolve("later")
	r.retain = []string{"never heard of", first.Digest, waits.Digest}
	for _, text := range []string{"two", "three", "four"} {
		r.deploy(text)
	}
	o := r.operation(sdk.OperationDeploy)
	if _, err := r.Deploy(r.ctx(), sdk.DeployRequest{Operation: o, Target: r.target, Release: waits, Retain: r.retain}); err != nil {
		t.Fatalf("Deploy of what waited: %v", err)
	}
	r.succeeds(o)
	r.serves("later")
	r.rollback(first)
	r.serves("one")
	r.retain = nil
	r.deploy("five")
	r.deploy("six")
	_, err := r.Plan(r.ctx(), sdk.PlanRequest{Kind: sdk.OperationRollback, Target: r.target, Snapshot: &first})
	r.refused("Plan", err, sdk.FailedPrecondition, sdk.ReasonSnapshotStale)
}
