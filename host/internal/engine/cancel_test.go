package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// A person's cancel is carried out in every stage: what was changed is restored,
// whatever the policy says of failures.
func TestCancelInEachStage(t *testing.T) {
	t.Parallel()
	stage := func(status deployment.Status) func(*rig, string) {
		return func(r *rig, id string) {
			r.until(id, string(status), func(d *deployment.Deployment) bool { return d.Status == status })
		}
	}
	for name, test := range map[string]struct {
		policy string
		web    string
		reach  func(r *rig, id string)
		status deployment.Status
	}{
		"while the environment is held for": {
			policy: `{"on_failure":"leave"}`, web: `{"content":"b","fail":"PLATFORM_DOWN","environment":true}`,
			reach:  func(r *rig, id string) { r.waits(id, deployment.WaitEnvironment) },
			status: deployment.RolledBack,
		},
		"while the platform refuses work": {
			policy: `{}`, web: `{"content":"b"}`,
			reach: func(r *rig, id string) {
				r.waits(id, deployment.WaitEnvironment)
				r.fails("deploy", "")
			},
			status: deployment.RolledBack,
		},
		"candidate that is looked at": {
			policy: `{}`, web: `{"content":"b","health":"unhealthy"}`,
			reach: func(r *rig, id string) {
				r.until(id, "a candidate", func(d *deployment.Deployment) bool {
					s := d.Run().Step("web")
					return s != nil && s.Operation() != nil && s.Operation().Candidate != nil
				})
			},
			status: deployment.RolledBack,
		},
		"between two shares": {
			policy: `{}`, web: `{"content":"b","steps":[25,100],"pause":20000}`,
			reach: func(r *rig, id string) {
				r.until(id, "a share in force", func(d *deployment.Deployment) bool {
					s := d.Run().Step("web")
					return s != nil && s.Operation() != nil && !s.Operation().PercentAt.IsZero()
				})
			},
			status: deployment.RolledBack,
		},
		"bake": {policy: `{"bake":60000000000}`, web: `{"content":"b"}`, reach: stage(deployment.Verifying), status: deployment.RolledBack},
		"last snapshot": {
			policy: `{}`, web: `{"content":"b","health":"until_mended"}`,
			reach: func(r *rig, id string) {
				r.beginsWeb(id)
				r.fails("snapshot", sdk.Unavailable)
				r.world.with(func() { r.world.mended = true })
				r.waits(id, deployment.WaitEnvironment)
			},
			status: deployment.RolledBack,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t).run()
			first := r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
			if name == "while the platform refuses work" {
				r.fails("deploy", sdk.Unavailable)
			}
			id := r.startWith("v2", `{"web":`+test.web+`}`, test.policy).ID
			test.reach(r, id)
			r.cancel(id, "enough")
			d := r.until(id, "ended", func(d *deployment.Deployment) bool { return d.Status.Terminal() })
			if d.Status != test.status || !strings.Contains(d.Reason, "cancelled by tester: enough") || r.world.version("web") != "v1" || r.world.open("web") {
				t.Errorf("%s: %s; runs %s", d.Status, d.Reason, r.world.version("web"))
			}
			if state := r.state(); state.Current != first.ID || state.Holder != "" {
				t.Errorf("%+v", state)
			}
		})
	}
}

// What was cancelled and left no trace on the platform is not begun again.
func TestCancelledIsNotBegunAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	r.world.with(func() { r.world.forgets = true })
	d := r.start("v2", stuckWeb)
	r.beginsWeb(d.ID)
	r.cancel(d.ID, "")
	d = r.until(d.ID, "ended", func(d *deployment.Deployment) bool { return d.Status.Terminal() })
	if d.Status != deployment.RolledBack || len(r.world.duplicates()) > 0 {
		t.Errorf("%s: %s; twice: %v", d.Status, d.Reason, r.world.duplicates())
	}
}

// A rollback that waits for what its plan was made from can be called off.
func TestCancelOfAPlannedRollbackThatWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	second := r.await(r.start("v2", `{"web":{"content":"b"}}`).ID, 1)
	plan, err := r.engine.PlanRollback(t.Context(), second.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	r.fails("snapshot", sdk.Unavailable)
	if _, err := r.engine.Rollback(t.Context(), second.ID, deployment.RollbackWish{Planned: &plan.Planned}, tester); err != nil {
		t.Fatal(err)
	}
	r.waits(second.ID, deployment.WaitEnvironment)
	r.cancel(second.ID, "not now")
	d := r.await(second.ID, 2)
	r.fails("snapshot", "")
	if d.Status != deployment.Completed || d.Reason != second.Reason || r.world.version("web") != "v2" || d.Run().Cancel == nil {
		t.Errorf("%s: %s; runs %s", d.Status, d.Reason, r.world.version("web"))
	}
}

// One that is superseded has taken the lock in the meantime: it goes on.
func TestSupersedeLeavesTheRunningOne(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	d := r.start("v1", `{"web":{"content":"a","health":"until_mended"}}`)
	r.beginsWeb(d.ID)
	command := deployment.Command{
		ID: "late", DeploymentID: d.ID, Target: d.Target, Kind: deployment.CommandCancel, Waiting: true,
		Actor: tester, At: time.Now().UTC(), Reason: "superseded by another",
	}
	if err := r.store.Command(t.Context(), command, deployment.AuditRecord{
		At: command.At, Actor: tester, Action: "deployment.cancel", Object: d.ID,
	}); err != nil {
		t.Fatal(err)
	}
	r.poll("the command to be carried out", func() bool {
		work, err := r.store.Work(t.Context(), d.Target)
		return err == nil && len(work.Commands) == 0
	})
	r.world.with(func() { r.world.mended = true })
	if d = r.await(d.ID, 1); d.Status != deployment.Completed {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
}
