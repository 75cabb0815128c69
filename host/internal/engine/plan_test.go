package engine_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/engine"
	"github.com/apm-deploy/apm/sdk"
)

func request(version, components string) deployment.Request {
	return deployment.Request{Name: "shop", Version: version, Configuration: json.RawMessage(components)}
}

// startOn starts a deployment through an engine that runs nothing.
func startOn(t *testing.T, config engine.Config, version, components string) (*deployment.Deployment, error) {
	t.Helper()
	return engine.New(config).Start(t.Context(), request(version, components), nil, tester, nil)
}

// asError is the error that a person sees.
func asError(t *testing.T, err error) *deployment.Error {
	t.Helper()
	var e *deployment.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v", err)
	}
	return e
}

func TestPlanStartChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a","depends_on":["db"]},"db":{"content":"x"},"old":{"content":"o"}}`).ID, 1)
	before := r.world.begun()
	plan, err := r.engine.PlanStart(t.Context(), request("v2", `{"web":{"content":"b","depends_on":["db"]},"db":{"content":"x"}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]deployment.Action{}
	for _, c := range plan.Components {
		got[c.Component] = c.Action
	}
	want := map[string]deployment.Action{"web": deployment.ActionDeploy, "db": deployment.ActionNone, "old": deployment.ActionRemove}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]string{{"db"}, {"web"}, {"old"}}, plan.Order); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, r.world.begun()); diff != "" || plan.From != "v1" || plan.To != "v2" || len(plan.NotRestored) != 1 {
		t.Errorf("plan %+v %s", plan, diff)
	}
}

// An approved plan is applied as it is, or not at all.
func TestPlannedStart(t *testing.T) {
	t.Parallel()
	const next = `{"web":{"content":"b"}}`
	tests := map[string]struct {
		before func(r *rig) // between plan and start
		inside func(r *rig) // between accept and lock
		runs   string       // afterwards
	}{
		"nothing moved":               {runs: "v2:b"},
		"moved before start":          {runs: "v1:hotfix", before: func(r *rig) { r.world.change("web", "hotfix") }},
		"moved before the lock":       {runs: "v1:hotfix", inside: func(r *rig) { r.world.change("web", "hotfix") }},
		"became another by a release": {runs: "v3:c", before: func(r *rig) { r.await(r.start("v3", `{"web":{"content":"c"}}`).ID, 1) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t).run()
			r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
			plan, err := r.engine.PlanStart(t.Context(), request("v2", next))
			if err != nil {
				t.Fatal(err)
			}
			if test.before != nil {
				test.before(r)
			}
			if test.inside != nil {
				r.fails("snapshot", sdk.Unavailable)
			}
			d, err := r.engine.Start(t.Context(), request("v2", next), &plan.Planned, tester, nil)
			if test.before != nil {
				if refused := asError(t, err); refused.Code != deployment.OutOfDate || !strings.Contains(refused.Message, "component web") {
					t.Errorf("%+v", refused)
				}
			} else {
				if err != nil {
					t.Fatal(err)
				}
				if test.inside != nil {
					r.waits(d.ID, deployment.WaitEnvironment)
					test.inside(r)
					r.fails("snapshot", "")
				}
				d = r.await(d.ID, 1)
				if moved := test.inside != nil; moved != (d.Status == deployment.Failed) || moved && d.Runs[0].Failure.Code != deployment.CodePlanOutOfDate {
					t.Errorf("%s: %s", d.Status, d.Reason)
				} else if moved && d.Reason != "plan out of date: component web was changed on the platform after the plan was made" {
					t.Errorf("the reason: %s", d.Reason)
				}
			}
			r.world.with(func() {
				if got := r.world.running["web"].digest(); got != test.runs {
					t.Errorf("runs %s", got)
				}
			})
		})
	}
}

// A plan of a rollback is refused at once, or, when the world moves while it
// waits, when its turn comes: the deployment stays what it was.
func TestPlannedRollback(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]bool{"before it is asked for": false, "before the lock": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t).run()
			r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
			second := r.await(r.start("v2", `{"web":{"content":"b"}}`).ID, 1)
			plan, err := r.engine.PlanRollback(t.Context(), second.ID, "")
			if err != nil {
				t.Fatal(err)
			}
			if late {
				r.fails("snapshot", sdk.Unavailable)
			} else {
				r.world.change("web", "hotfix")
			}
			_, err = r.engine.Rollback(t.Context(), second.ID, deployment.RollbackWish{Planned: &plan.Planned}, tester)
			if !late {
				if refused := asError(t, err); refused.Code != deployment.OutOfDate {
					t.Errorf("%+v", refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r.waits(second.ID, deployment.WaitEnvironment)
			r.world.change("web", "hotfix")
			r.fails("snapshot", "")
			d := r.await(second.ID, 2)
			if d.Status != deployment.Completed || !strings.Contains(d.Reason, "plan out of date: component web") || r.world.version("web") != "v2" {
				t.Errorf("%s: %s", d.Status, d.Reason)
			}
			plan, err = r.engine.PlanRollback(t.Context(), second.ID, "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.engine.Rollback(t.Context(), second.ID, deployment.RollbackWish{Planned: &plan.Planned}, tester); err != nil {
				t.Fatal(err)
			}
			if d = r.await(second.ID, 3); d.Status != deployment.RolledBack || r.world.version("web") != "v1" {
				t.Errorf("%s: %s", d.Status, d.Reason)
			}
		})
	}
}

func TestPlanRemoveInOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	first := r.await(r.start("v1", `{"web":{"content":"a","depends_on":["db"]},"db":{"content":"x"}}`).ID, 1)
	plan, err := r.engine.PlanRemove(t.Context(), first.Target)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"web"}, {"db"}}, plan.Order); diff != "" {
		t.Error(diff)
	}
	d, err := r.engine.Remove(t.Context(), first.Target, "", &plan.Planned, tester, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d = r.await(d.ID, 1); d.Status != deployment.Completed {
		t.Fatalf("%s: %s", d.Status, d.Reason)
	}
	if _, err := r.engine.PlanRemove(t.Context(), first.Target); deployment.CodeOf(err) != deployment.NotFound {
		t.Errorf("nothing runs: %v", err)
	}
}
