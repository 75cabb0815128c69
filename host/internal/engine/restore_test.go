package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// After a rollback all that runs is the restored deployment's again, also what
// neither of the two touched: its version, its definition, its checks.
func TestUnchangedIsTheRestoredDeploymentsAgain(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]string{"to before": "", "to a version": "v1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t).run()
			first := r.await(r.start("v1", `{"web":{"content":"a","depends_on":["db"]},"db":{"content":"x"}}`).ID, 1)
			second := r.await(r.start("v2", `{"web":{"content":"b"},"db":{"content":"x","no_checks":true,"depends_on":["web"]}}`).ID, 1)
			if !second.Component("db").Unchanged || r.state().Components["db"].Deployment != second.ID {
				t.Fatalf("%+v", r.state())
			}
			if _, err := r.engine.Rollback(t.Context(), second.ID, deployment.RollbackWish{TargetVersion: target}, tester); err != nil {
				t.Fatal(err)
			}
			if d := r.await(second.ID, 2); d.Status != deployment.RolledBack {
				t.Fatalf("%s: %s", d.Status, d.Reason)
			}
			for _, name := range []string{"web", "db"} {
				if got := r.state().Components[name]; got.Version != "v1" || got.Deployment != first.ID || got.Baseline == "" {
					t.Errorf("%s: %+v", name, got)
				}
			}
			third := r.await(r.start("v1", `{"web":{"content":"a","depends_on":["db"]},"db":{"content":"x"}}`).ID, 1)
			if third.Status != deployment.Completed || !third.Component("web").Unchanged || !third.Component("db").Unchanged {
				t.Errorf("%s: %s; web %s, db %s", third.Status, third.Reason, third.Component("web").Status, third.Component("db").Status)
			}
			if diff := cmp.Diff([]string{"start v1:x", "settle v1:x"}, r.world.effectsOf("db")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A rollback to the version that runs mends what drifted.
func TestRollbackToAVersionMendsDrift(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"},"db":{"content":"x"}}`).ID, 1)
	d := r.await(r.start("v2", `{"web":{"content":"b"},"db":{"content":"x"}}`).ID, 1)
	r.world.change("db", "hotfix")
	r.drifts(d.ID, 1)
	r.wish(d.ID, deployment.CommandRollback, "v1")
	if d = r.await(d.ID, 2); d.Status != deployment.RolledBack {
		t.Fatalf("%s: %s", d.Status, d.Reason)
	}
	r.world.with(func() {
		if got := r.world.running["db"].digest(); got != "v1:x" {
			t.Errorf("db runs %s", got)
		}
	})
}

// What is dropped is removed as it was seen, and comes back as it was: what
// somebody changed in between is looked at again.
func TestDroppedThatMovedComesBackAsItWas(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"},"old":{"content":"o"}}`).ID, 1)
	d := r.start("v2", `{"web":{"content":"b","health":"until_mended"}}`)
	r.beginsWeb(d.ID)
	r.world.change("old", "hotfix")
	r.world.with(func() { r.world.mended = true })
	if d = r.await(d.ID, 1); d.Status != deployment.Completed || r.world.version("old") != "" {
		t.Fatalf("%s: %s; runs %q", d.Status, d.Reason, r.world.version("old"))
	}
	r.wish(d.ID, deployment.CommandRollback, "")
	if d = r.await(d.ID, 2); d.Status != deployment.RolledBack {
		t.Fatalf("%s: %s", d.Status, d.Reason)
	}
	r.world.with(func() {
		if got := r.world.running["old"].digest(); got != "v1:hotfix" {
			t.Errorf("old runs %s", got)
		}
	})
}

// An approved plan that removes something removes just what it showed.
func TestPlannedRemovalRefusesWhatMoved(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"},"old":{"content":"o"}}`).ID, 1)
	next := request("v2", `{"web":{"content":"b","health":"until_mended"}}`)
	plan, err := r.engine.PlanStart(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	d, err := r.engine.Start(t.Context(), next, &plan.Planned, tester, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.beginsWeb(d.ID)
	r.world.change("old", "hotfix")
	r.world.with(func() { r.world.mended = true })
	d = r.await(d.ID, 2)
	if d.Status != deployment.RolledBack || d.Runs[0].Failure.Code != deployment.CodePlanOutOfDate || d.Runs[0].Failure.Component != "old" || r.world.version("web") != "v1" {
		t.Errorf("%s: %s; %+v", d.Status, d.Reason, d.Runs[0].Failure)
	}
}

// What died is heard too: the lines of the instance before are evidence.
func TestEvidenceHasTheLinesOfTheInstanceBefore(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	d := r.await(r.start("v2", `{"web":{"content":"b","turns_bad":true}}`).ID, 2)
	data, err := r.store.Blob(t.Context(), d.Runs[0].Failure.Evidence)
	if err != nil || !strings.Contains(string(data), "a last line") || !strings.Contains(string(data), "the line before it died") {
		t.Errorf("%s, %v", data, err)
	}
}

// A plugin that looks and names no check says nothing: that is no reason to go
// on, and none to go back.
func TestNoCheckAtAllIsNotGood(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.world.silent = true
	r.run()
	d := r.await(r.start("v1", `{"web":{"content":"a","no_checks":true,"timeout":2000}}`).ID, 1)
	if d.Status != deployment.Failed || d.Runs[0].Failure.Code != deployment.CodeUnknown || !strings.Contains(d.Reason, "nothing was undone") {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
}

// Steps that the platform cannot take are refused, not left out.
func TestStepsThatThePlatformCannotTake(t *testing.T) {
	t.Parallel()
	for name, caps := range map[string]sdk.Capabilities{
		"no shares":  {Staged: true, Cancel: true},
		"not staged": {Percent: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.world.caps = caps
			_, err := startOn(t, r.config("host", r.store), "v1", `{"web":{"content":"a","steps":[25,100]}}`)
			refused := asError(t, err)
			if refused.Code != deployment.Invalid || len(refused.Problems) != 1 || refused.Problems[0].Field != "component.web.promote.steps" || refused.Problems[0].Remedy == "" {
				t.Errorf("%+v", refused)
			}
			if _, err := startOn(t, r.config("host", r.store), "v1", `{"web":{"content":"a"}}`); err != nil {
				t.Error(err)
			}
		})
	}
}

// What came back and does not pass its checks runs all the same: it is known, and
// can be removed.
func TestWhatCameBackBadlyIsKnown(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a","timeout":2000}}`).ID, 1)
	remove := func() *deployment.Deployment {
		t.Helper()
		d, err := r.engine.Remove(t.Context(), shop, "", nil, tester, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r.await(d.ID, 1)
	}
	d := remove()
	r.world.with(func() { r.world.down = true })
	r.wish(d.ID, deployment.CommandRollback, "")
	d = r.await(d.ID, 2)
	known, runs := r.state().Components["web"]
	if d.Status != deployment.RollbackFailed || r.world.version("web") != "v1" || !runs || known.Version != "v1" || known.Baseline != "" || known.Platform != "fake" {
		t.Errorf("%s: %s; runs %q, known %+v", d.Status, d.Reason, r.world.version("web"), known)
	}
	if d = remove(); d.Status != deployment.Completed || r.world.version("web") != "" || len(r.state().Components) > 0 {
		t.Errorf("%s: %s; runs %q", d.Status, d.Reason, r.world.version("web"))
	}
}
