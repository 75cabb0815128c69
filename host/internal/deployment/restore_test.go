package deployment_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// operation is one that ended like that; "" is one that goes on.
func operation(result deployment.Result) deployment.Operation {
	op := deployment.Operation{ID: "op", Kind: deployment.OperationDeploy, IntentAt: began}
	if result != "" {
		op.Outcome = &deployment.Outcome{Result: result}
	}
	return op
}

func TestRollbackSteps(t *testing.T) {
	t.Parallel()
	before := &deployment.SnapshotRef{Key: "snapshot/d2/web/before", Digest: "sha256:1"}
	empty := &deployment.SnapshotRef{Key: "snapshot/d2/web/before", Empty: true}
	restored := deployment.Step{Component: "web", Action: deployment.ActionRestore, Goal: before, GoalFrom: "d1"}
	removed := deployment.Step{Component: "web", Action: deployment.ActionRemove, Goal: empty, GoalFrom: "d1"}
	untouched := deployment.Step{Component: "web", Action: deployment.ActionNone}
	succeeded := deployment.Step{Operations: []deployment.Operation{operation(deployment.ResultSucceeded)}, SettledAt: began, PassedAt: began}
	tests := map[string]struct {
		step      deployment.Step // of the deploy
		before    *deployment.SnapshotRef
		unchanged bool
		dropped   bool
		want      deployment.Step
	}{
		"changed":                  {step: succeeded, before: before, want: restored},
		"changed, nothing ran":     {step: succeeded, before: empty, want: removed},
		"dropped":                  {step: succeeded, before: before, dropped: true, want: restored},
		"unchanged":                {step: deployment.Step{PassedAt: began}, before: before, unchanged: true, want: untouched},
		"never started":            {before: before, want: untouched},
		"never looked at":          {want: untouched},
		"still under way":          {step: deployment.Step{Operations: []deployment.Operation{operation("")}}, before: before, want: restored},
		"failed half way":          {step: deployment.Step{Operations: []deployment.Operation{operation(deployment.ResultFailed)}}, before: before, want: restored},
		"cancelled half way":       {step: deployment.Step{Operations: []deployment.Operation{operation(deployment.ResultCancelled)}}, before: before, want: restored},
		"cancelled as a candidate": {step: deployment.Step{Operations: []deployment.Operation{operation(deployment.ResultCancelled)}, Undone: true}, before: before, want: untouched},
		"refused":                  {step: deployment.Step{Operations: []deployment.Operation{operation(deployment.ResultRefused)}, Undone: true}, before: before, want: untouched},
		"refused, then succeeded":  {step: deployment.Step{Operations: []deployment.Operation{operation(deployment.ResultRefused), operation(deployment.ResultSucceeded)}}, before: before, want: restored},
		"refused, then under way":  {step: deployment.Step{Operations: []deployment.Operation{operation(deployment.ResultRefused), operation("")}, Undone: true}, before: before, want: restored},
		"refused twice":            {step: deployment.Step{Operations: []deployment.Operation{operation(deployment.ResultRefused), operation(deployment.ResultRefused)}, Undone: true}, before: before, want: untouched},
		"failed half way, then refused": {
			step:   deployment.Step{Operations: []deployment.Operation{operation(deployment.ResultFailed), operation(deployment.ResultRefused)}, Undone: true},
			before: before, want: restored,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.step.Component = "web"
			d := deploymentOf(deployment.Deploying, open(deployment.RunDeploy, true))
			d.Runs[0].Steps = []deployment.Step{{Component: "db"}, test.step}
			d.Components = []deployment.Component{
				{Name: "db"},
				{Name: "web", Before: test.before, BeforeFrom: "d1", Unchanged: test.unchanged, Dropped: test.dropped},
			}
			want := []deployment.Step{{Component: "db", Action: deployment.ActionNone}, test.want}
			if diff := cmp.Diff(want, d.RollbackSteps()); diff != "" {
				t.Error(diff)
			}
			began := slices.ContainsFunc(test.step.Operations, func(op deployment.Operation) bool {
				return op.Outcome == nil || op.Outcome.Result != deployment.ResultRefused
			})
			changed := test.want.Action != deployment.ActionNone
			if d.ChangedAny() != changed || d.Changed(d.Component("web")) != changed || d.Began() != began {
				t.Errorf("ChangedAny %t, Changed %t, want %t; Began %t, want %t",
					d.ChangedAny(), d.Changed(d.Component("web")), changed, d.Began(), began)
			}
		})
	}
}

func TestOnlyTheDeployCountsAsChange(t *testing.T) {
	t.Parallel()
	// What a rollback did is not what a second rollback has to restore.
	d := deploymentOf(deployment.RollbackFailed,
		ended(deployment.RunDeploy, deployment.Failed), ended(deployment.RunRollback, deployment.RollbackFailed))
	d.Components = []deployment.Component{{Name: "web", Before: &deployment.SnapshotRef{}}}
	d.Runs[0].Steps = []deployment.Step{{Component: "web"}}
	d.Runs[1].Steps = []deployment.Step{{Component: "web", Operations: []deployment.Operation{operation(deployment.ResultFailed)}}}
	if d.ChangedAny() || d.Began() {
		t.Error("a rollback's operation counts as one of the deploy")
	}
}

func TestADeploymentWithoutRunsChangedNothing(t *testing.T) {
	t.Parallel()
	d := deploymentOf(deployment.Pending)
	d.Components = []deployment.Component{{Name: "web", Before: &deployment.SnapshotRef{}}}
	if d.ChangedAny() || d.Began() {
		t.Error("it changed something before its first run")
	}
	want := []deployment.Step{{Component: "web", Action: deployment.ActionNone}}
	if diff := cmp.Diff(want, d.RollbackSteps()); diff != "" {
		t.Error(diff)
	}
}

func TestLooks(t *testing.T) {
	t.Parallel()
	d := deploymentOf(deployment.Pending)
	if d.Run() != nil || d.Component("web") != nil {
		t.Error("something is found where nothing is")
	}
	d.Components = []deployment.Component{{Name: "db"}, {Name: "web"}}
	d.Runs = []deployment.Run{
		{Number: 1, Steps: []deployment.Step{{Component: "db"}, {Component: "web"}}}, {Number: 2},
	}
	d.Component("web").Revision = "7"
	d.Runs[0].Step("web").Undone = true
	d.Run().Reason = "slow"
	if d.Components[1].Revision != "7" || !d.Runs[0].Steps[1].Undone || d.Runs[1].Reason != "slow" {
		t.Error("a change of what was found is lost, or elsewhere")
	}
	if d.Runs[1].Step("web") != nil || d.Component("mail") != nil || d.Runs[0].Step("web").Operation() != nil {
		t.Error("something is found where nothing is")
	}
	s := d.Runs[0].Step("db")
	s.Operations = []deployment.Operation{{ID: "first"}, {ID: "second"}}
	if s.Operation().ID != "second" {
		t.Error("the last operation counts")
	}
	if got := shop.String(); got != "shop/production" {
		t.Errorf("got %q", got)
	}
}
