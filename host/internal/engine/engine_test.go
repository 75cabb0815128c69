package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

func TestDeployRunsItsCourse(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	d := r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	if d.Status != deployment.Completed {
		t.Fatalf("status %s: %s", d.Status, d.Reason)
	}
	want := []string{"preparing", "deploying", "verifying", "completed"}
	if diff := cmp.Diff(want, r.path(d.ID)); diff != "" {
		t.Error(diff)
	}
	if got := r.world.version("web"); got != "v1" {
		t.Errorf("runs %q", got)
	}
}

func TestBadVersionGoesBackByItself(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	first := r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	d := r.await(r.start("v2", `{"web":{"content":"b","turns_bad":true}}`).ID, 2)
	if d.Status != deployment.RolledBack {
		t.Fatalf("status %s: %s", d.Status, d.Reason)
	}
	want := []string{"preparing", "deploying", "rolling_back", "rolled_back"}
	if diff := cmp.Diff(want, r.path(d.ID)); diff != "" {
		t.Error(diff)
	}
	if got := r.world.version("web"); got != "v1" {
		t.Errorf("runs %q", got)
	}
	state, err := r.store.State(t.Context(), d.Target)
	if err != nil || state.Current != first.ID || state.Version != "v1" {
		t.Errorf("state %+v, %v", state, err)
	}
	if d.Runs[1].Trigger != deployment.TriggerPolicy || !strings.Contains(d.Reason, "status 500") {
		t.Errorf("run %+v", d.Runs[1])
	}
}

func TestUnchangedIsNotTouched(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"},"db":{"content":"x"}}`).ID, 1)
	d := r.await(r.start("v2", `{"web":{"content":"b","depends_on":["db"]},"db":{"content":"x"}}`).ID, 1)
	if d.Status != deployment.Completed || d.Component("db").Status != deployment.Unchanged {
		t.Fatalf("status %s, db %s: %s", d.Status, d.Component("db").Status, d.Reason)
	}
	if got := r.world.version("db"); got != "v1" {
		t.Errorf("db runs %q", got)
	}
}

func TestManualRollback(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	second := r.await(r.start("v2", `{"web":{"content":"b"},"new":{"content":"n"}}`).ID, 1)
	third := r.await(r.start("v3", `{"web":{"content":"c"}}`).ID, 1)
	if got := third.Component("new").Status; got != deployment.Removed {
		t.Errorf("dropped component is %s", got)
	}
	got, err := r.engine.Rollback(t.Context(), third.ID, deployment.RollbackWish{Reason: "try"}, tester)
	if err != nil || len(got.Runs) != 2 {
		t.Fatalf("rollback: %v, %d runs", err, len(got.Runs))
	}
	d := r.await(third.ID, 2)
	if d.Status != deployment.RolledBack || r.world.version("web") != "v2" || r.world.version("new") != "v2" {
		t.Fatalf("%s: %s; web %s, new %s", d.Status, d.Reason, r.world.version("web"), r.world.version("new"))
	}
	if _, err := r.engine.Rollback(t.Context(), third.ID, deployment.RollbackWish{}, tester); deployment.CodeOf(err) != deployment.Conflict {
		t.Errorf("second rollback: %v", err)
	}
	if _, err := r.engine.Rollback(t.Context(), second.ID, deployment.RollbackWish{TargetVersion: "v1"}, tester); err != nil {
		t.Fatal(err)
	}
	d = r.await(second.ID, 2)
	if d.Status != deployment.RolledBack || r.world.version("web") != "v1" || r.world.version("new") != "" {
		t.Fatalf("%s: %s; web %s, new %s", d.Status, d.Reason, r.world.version("web"), r.world.version("new"))
	}
}

func TestRemoveAndBack(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	first := r.await(r.start("v1", `{"web":{"content":"a","depends_on":["db"]},"db":{"content":"x"}}`).ID, 1)
	removal, err := r.engine.Remove(t.Context(), first.Target, "no more", nil, tester, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := r.await(removal.ID, 1)
	if d.Status != deployment.Completed || r.world.version("web") != "" || r.world.version("db") != "" {
		t.Fatalf("%s: %s; web %q db %q", d.Status, d.Reason, r.world.version("web"), r.world.version("db"))
	}
	if _, err := r.engine.Rollback(t.Context(), removal.ID, deployment.RollbackWish{}, tester); err != nil {
		t.Fatal(err)
	}
	d = r.await(removal.ID, 2)
	if d.Status != deployment.RolledBack || r.world.version("web") != "v1" || r.world.version("db") != "v1" {
		t.Fatalf("%s: %s; web %q db %q", d.Status, d.Reason, r.world.version("web"), r.world.version("db"))
	}
}
