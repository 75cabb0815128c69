package engine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// follows says whether each name comes somewhere after the one before it.
func follows(order []string, names ...string) bool {
	at := -1
	for _, name := range names {
		next := slices.Index(order, name)
		if next <= at {
			return false
		}
		at = next
	}
	return true
}

func TestDependenciesFirstAndReverseBack(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	d := r.await(r.start("v1", `{"web":{"content":"a","depends_on":["api","cache"]},"api":{"content":"a","depends_on":["db"]},"cache":{"content":"a"},"db":{"content":"a"}}`).ID, 1)
	there := r.world.begun()
	if !follows(there, "deploy db", "deploy api", "deploy web") || !follows(there, "deploy cache", "deploy web") {
		t.Errorf("order %v", there)
	}
	for name, dependency := range map[string]string{"web": "api", "api": "db"} {
		if passed, began := d.Runs[0].Step(dependency).PassedAt, d.Runs[0].Step(name).StartedAt; began.Before(passed) {
			t.Errorf("%s began at %s, %s passed at %s", name, began, dependency, passed)
		}
	}
	r.wish(d.ID, deployment.CommandRollback, "")
	if d = r.await(d.ID, 2); d.Status != deployment.RolledBack {
		t.Fatalf("%s: %s", d.Status, d.Reason)
	}
	back := r.world.begun()[len(there):]
	if !follows(back, "rollback web", "rollback api", "rollback db") || !follows(back, "rollback web", "rollback cache") {
		t.Errorf("order back %v", back)
	}
}

func TestIndependentComponentsGoSideBySide(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	d := r.start("v1", `{"web":{"content":"a"},"cache":{"content":"a","health":"until_mended"},"last":{"content":"a","depends_on":["cache"]}}`)
	r.until(d.ID, "web through while cache is not", func(d *deployment.Deployment) bool {
		web, last := d.Run().Step("web"), d.Run().Step("last")
		return web != nil && !web.PassedAt.IsZero() && last.StartedAt.IsZero()
	})
	r.world.with(func() { r.world.mended = true })
	if d = r.await(d.ID, 1); d.Status != deployment.Completed {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
}

// One component fails: those that waited for it are skipped, one that was under
// way beside it is stopped and goes back.
func TestOneFailsTheOthersAreSkipped(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"side":{"content":"s"}}`).ID, 1)
	d := r.await(r.start("v2", `{"db":{"content":"x","fail":"EXITED"},"web":{"content":"b","depends_on":["db"]},"side":{"content":"t","stuck":true}}`).ID, 2)
	got := map[string]deployment.Status{}
	for i := range d.Components {
		got[d.Components[i].Name] = d.Components[i].Status
	}
	want := map[string]deployment.Status{"db": deployment.RolledBack, "web": deployment.Skipped, "side": got["side"]}
	if diff := cmp.Diff(want, got); diff != "" || d.Status != deployment.RolledBack {
		t.Errorf("%s: %s; %s", d.Status, d.Reason, diff)
	}
	if r.world.version("side") != "v1" || r.world.open("side") || r.world.version("web") != "" {
		t.Errorf("side runs %s", r.world.version("side"))
	}
	if slices.Contains(r.world.begun(), "deploy web") {
		t.Errorf("operations %v", r.world.begun())
	}
}

// An unchanged component is not touched, but its checks belong to the bake.
func TestUnchangedIsWatchedInTheBake(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run()
	r.await(r.start("v1", `{"web":{"content":"a"},"db":{"content":"x"}}`).ID, 1)
	r.policy.Bake = time.Minute
	r.run()
	d := r.start("v2", `{"web":{"content":"b"},"db":{"content":"x"}}`)
	r.until(d.ID, "verifying with db unchanged", func(d *deployment.Deployment) bool {
		return d.Status == deployment.Verifying && d.Run().Baked > 0 && d.Component("db").Unchanged
	})
	r.world.with(func() {
		sick := *r.world.running["db"]
		sick.spec.Health = "unhealthy"
		r.world.running["db"] = &sick
	})
	d = r.await(d.ID, 2)
	if d.Status != deployment.RolledBack || d.Runs[0].Failure.Component != "db" || r.world.version("web") != "v1" {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
	if diff := cmp.Diff([]string{"start v1:x", "settle v1:x"}, r.world.effectsOf("db")); diff != "" {
		t.Error(diff)
	}
}
