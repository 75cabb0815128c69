package deployment_test

import (
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// touched is a step whose operation ended like that, "" for one that goes on.
func touched(result deployment.Result) deployment.Step {
	return deployment.Step{Component: "web", StartedAt: began, Operations: []deployment.Operation{operation(result)}}
}

// passed is a step that went well.
func passed() deployment.Step {
	s := touched(deployment.ResultSucceeded)
	s.SettledAt, s.PassedAt = began, began
	return s
}

// failing gives a step its failure.
func failing(s deployment.Step, message string) deployment.Step {
	s.Failure = &deployment.Failure{Message: message}
	return s
}

// action gives a step what it does.
func action(s deployment.Step, does deployment.Action) deployment.Step {
	s.Component, s.Action = "web", does
	return s
}

func TestDeriveComponent(t *testing.T) {
	t.Parallel()
	locked := deployment.Run{LockedAt: began}
	deploying := deployment.Run{LockedAt: began, PreparedAt: began}
	with := func(r deployment.Run, steps ...deployment.Step) deployment.Run {
		r.Steps = steps
		return r
	}
	because := func(r deployment.Run, component, message string) deployment.Run {
		r.Failure = &deployment.Failure{Component: component, Message: message}
		return r
	}
	completed := ended(deployment.RunDeploy, deployment.Completed)
	failed := ended(deployment.RunDeploy, deployment.Failed)
	back := open(deployment.RunRollback, true)
	queued := open(deployment.RunRollback, false)
	waits := deployment.Step{Component: "web"}
	restore := action(deployment.Step{}, deployment.ActionRestore)
	toGoal := back
	toGoal.Goal = "d1"
	tests := map[string]struct {
		component deployment.Component
		runs      []deployment.Run
		status    deployment.Status
		reason    string
	}{
		"before any run":          {status: deployment.Pending},
		"in the queue":            {runs: []deployment.Run{{}}, status: deployment.Pending},
		"locked":                  {runs: []deployment.Run{locked}, status: deployment.Preparing},
		"a part before the lock":  {runs: []deployment.Run{with(deployment.Run{}, waits)}, status: deployment.Pending},
		"its snapshot is taken":   {runs: []deployment.Run{with(locked, waits)}, status: deployment.Preparing},
		"waits for dependencies":  {runs: []deployment.Run{with(deploying, waits)}, status: deployment.Preparing, reason: "waiting for its dependencies"},
		"comes up":                {runs: []deployment.Run{with(deploying, touched(""))}, status: deployment.Deploying},
		"has settled":             {runs: []deployment.Run{with(deploying, deployment.Step{Component: "web", StartedAt: began, SettledAt: began})}, status: deployment.Verifying},
		"has passed its gate":     {runs: []deployment.Run{with(deploying, passed())}, status: deployment.Verifying},
		"completed":               {runs: []deployment.Run{with(completed, passed())}, status: deployment.Completed},
		"unchanged":               {component: deployment.Component{Unchanged: true}, runs: []deployment.Run{with(completed, deployment.Step{Component: "web", PassedAt: began})}, status: deployment.Unchanged, reason: "the same release runs already"},
		"watched, but not a part": {component: deployment.Component{Unchanged: true}, runs: []deployment.Run{completed}, status: deployment.Unchanged, reason: "the same release runs already"},
		"removed":                 {component: deployment.Component{Dropped: true}, runs: []deployment.Run{with(deploying, passed())}, status: deployment.Removed},
		"failed":                  {runs: []deployment.Run{with(deploying, failing(touched(deployment.ResultFailed), "exit code 1"))}, status: deployment.Failed, reason: "exit code 1"},
		"failed, and left":        {runs: []deployment.Run{with(failed, failing(touched(deployment.ResultFailed), "exit code 1"))}, status: deployment.Failed, reason: "exit code 1"},
		"failed in the bake window, and left": {
			runs:   []deployment.Run{because(with(failed, passed()), "web", "check front failed")},
			status: deployment.Failed, reason: "check front failed",
		},
		"another one failed in the bake window": {
			runs:   []deployment.Run{because(with(failed, passed()), "db", "check ping failed")},
			status: deployment.Completed,
		},
		"never started":                {runs: []deployment.Run{with(failed, waits)}, status: deployment.Skipped},
		"never even locked":            {runs: []deployment.Run{failed}, status: deployment.Skipped},
		"never started, cancelled":     {runs: []deployment.Run{with(ended(deployment.RunDeploy, deployment.Cancelled), waits)}, status: deployment.Cancelled},
		"cancelled in the queue":       {runs: []deployment.Run{ended(deployment.RunDeploy, deployment.Cancelled)}, status: deployment.Cancelled},
		"cut short by another failure": {runs: []deployment.Run{with(failed, touched(deployment.ResultCancelled))}, status: deployment.Cancelled, reason: "because"},
		"a rollback waits": {
			runs: []deployment.Run{with(completed, passed()), queued}, status: deployment.Completed,
		},
		"its rollback is certain": {
			runs: []deployment.Run{with(failed, passed()), back}, status: deployment.RollingBack, reason: "waiting for its turn",
		},
		"its rollback is certain, it failed itself": {
			runs:   []deployment.Run{because(with(failed, passed()), "web", "check front failed"), back},
			status: deployment.Failed, reason: "check front failed",
		},
		"a rollback to a version is not fixed yet": {
			runs: []deployment.Run{with(completed, passed()), toGoal}, status: deployment.Completed,
		},
		"its turn to go back comes later": {
			runs: []deployment.Run{with(failed, passed()), with(back, restore)}, status: deployment.RollingBack, reason: "waiting for its turn",
		},
		"goes back": {
			runs:   []deployment.Run{with(failed, passed()), with(back, action(touched(""), deployment.ActionRestore))},
			status: deployment.RollingBack,
		},
		"rolled back": {
			runs:   []deployment.Run{with(failed, passed()), with(back, action(passed(), deployment.ActionRestore))},
			status: deployment.RolledBack,
		},
		"rolled back to nothing": {
			runs:   []deployment.Run{with(completed, passed()), with(ended(deployment.RunRollback, deployment.RolledBack), action(passed(), deployment.ActionRemove))},
			status: deployment.RolledBack,
		},
		"its rollback failed": {
			runs: []deployment.Run{
				with(failed, passed()),
				with(ended(deployment.RunRollback, deployment.RollbackFailed), failing(action(touched(deployment.ResultFailed), deployment.ActionRestore), "disk full")),
			},
			status: deployment.RollbackFailed, reason: "disk full",
		},
		"its rollback was never begun": {
			runs:   []deployment.Run{with(failed, passed()), with(ended(deployment.RunRollback, deployment.RollbackFailed), restore)},
			status: deployment.RollbackFailed, reason: "because",
		},
		"the rollback failed before it was fixed": {
			runs:   []deployment.Run{with(failed, passed()), ended(deployment.RunRollback, deployment.RollbackFailed)},
			status: deployment.RollbackFailed, reason: "because",
		},
		"a second rollback made it good": {
			runs: []deployment.Run{
				with(failed, passed()),
				with(ended(deployment.RunRollback, deployment.RollbackFailed), failing(action(touched(""), deployment.ActionRestore), "disk full")),
				with(ended(deployment.RunRollback, deployment.RolledBack), action(passed(), deployment.ActionRestore)),
			},
			status: deployment.RolledBack,
		},
		"a rollback does nothing to it": {
			runs: []deployment.Run{with(failed, waits), with(ended(deployment.RunRollback, deployment.RolledBack), action(deployment.Step{}, deployment.ActionNone))}, status: deployment.Skipped,
		},
		"a rollback does nothing to what it had undone": {
			runs: []deployment.Run{
				with(failed, failing(touched(deployment.ResultFailed), "exit code 1")),
				with(ended(deployment.RunRollback, deployment.RolledBack), action(deployment.Step{}, deployment.ActionNone)),
			},
			status: deployment.Failed, reason: "exit code 1",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.component.Name = "web"
			d := deploymentOf("", test.runs...)
			d.Components = []deployment.Component{test.component}
			for i := range d.Runs {
				d.Runs[i].RequestedAt = began.Add(-time.Minute)
			}
			status, reason := d.DeriveComponent(&d.Components[0])
			if status != test.status || reason != test.reason {
				t.Errorf("got %s %q, want %s %q", status, reason, test.status, test.reason)
			}
		})
	}
}
