package deployment_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

var shop = deployment.Target{Application: "shop", Environment: "production"}

// deploymentOf is deployment d2 of shop with these runs.
func deploymentOf(status deployment.Status, runs ...deployment.Run) *deployment.Deployment {
	return &deployment.Deployment{ID: "d2", Target: shop, Version: "v2", Status: status, Runs: runs}
}

// ended is a run that ended with that result.
func ended(kind deployment.RunKind, result deployment.Status) deployment.Run {
	return deployment.Run{Kind: kind, LockedAt: began, EndedAt: began.Add(time.Minute), Result: result, Why: "because"}
}

// open is a run that goes on, with the lock or without.
func open(kind deployment.RunKind, locked bool) deployment.Run {
	r := deployment.Run{Kind: kind}
	if locked {
		r.LockedAt = began
	}
	return r
}

// refusal is what the user sees of an error.
type refusal struct {
	Code                    deployment.ErrorCode
	Message, Remedy, Holder string
}

// refusalOf takes the parts out of err; all are empty for nil.
func refusalOf(t *testing.T, err error) refusal {
	t.Helper()
	if err == nil {
		return refusal{}
	}
	var e *deployment.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no error for a user", err)
	}
	return refusal{Code: e.Code, Message: e.Message, Remedy: e.Remedy, Holder: e.Holder}
}

func TestCheckRollback(t *testing.T) {
	t.Parallel()
	completed := deploymentOf(deployment.Completed, ended(deployment.RunDeploy, deployment.Completed))
	tests := map[string]struct {
		deployment *deployment.Deployment
		state      deployment.TargetState
		version    string
		want       refusal
	}{
		"the current one": {
			deployment: completed, state: deployment.TargetState{Target: shop, Current: "d2", Version: "v2"},
		},
		"the current one, to a version": {
			deployment: completed, state: deployment.TargetState{Target: shop, Current: "d2", Version: "v2"}, version: "v1",
		},
		"the current one, left by a failure": {
			deployment: deploymentOf(deployment.Failed, ended(deployment.RunDeploy, deployment.Failed)),
			state:      deployment.TargetState{Target: shop, Current: "d2", Version: "v2"},
		},
		"the current one, again after its rollback failed": {
			deployment: deploymentOf(deployment.RollbackFailed,
				ended(deployment.RunDeploy, deployment.Failed), ended(deployment.RunRollback, deployment.RollbackFailed)),
			state: deployment.TargetState{Target: shop, Current: "d2", Version: "v2"},
		},
		"one that waits": {
			deployment: deploymentOf(deployment.Pending, open(deployment.RunDeploy, false)),
			state:      deployment.TargetState{Target: shop, Current: "d1", Version: "v1"},
		},
		"one that runs": {
			deployment: deploymentOf(deployment.Deploying, open(deployment.RunDeploy, true)),
			state:      deployment.TargetState{Target: shop, Current: "d1", Version: "v1", Holder: "d2"},
		},
		"a removal that runs": {
			deployment: deploymentOf(deployment.Deploying, open(deployment.RunRemove, true)),
			state:      deployment.TargetState{Target: shop, Current: "d1", Version: "v1", Holder: "d2"},
		},
		"one that runs, to a version": {
			deployment: deploymentOf(deployment.Deploying, open(deployment.RunDeploy, true)),
			state:      deployment.TargetState{Target: shop, Current: "d1", Version: "v1"}, version: "v0",
			want: refusal{
				Code: deployment.Conflict, Holder: "d2",
				Message: "target_version: deployment d2 still runs, so that it can only be cancelled",
				Remedy:  "apm deploy cancel d2, then roll back the deployment that is current",
			},
		},
		"one that rolls back": {
			deployment: deploymentOf(deployment.RollingBack,
				ended(deployment.RunDeploy, deployment.Completed), open(deployment.RunRollback, true)),
			state: deployment.TargetState{Target: shop, Current: "d2", Version: "v2", Holder: "d2"},
			want: refusal{
				Code: deployment.Conflict, Holder: "d2",
				Message: "deployment d2 is rolling back already", Remedy: "watch it: apm deploy watch d2",
			},
		},
		"one whose rollback waits, to a version": {
			deployment: deploymentOf(deployment.Completed,
				ended(deployment.RunDeploy, deployment.Completed), open(deployment.RunRollback, false)),
			state: deployment.TargetState{Target: shop, Current: "d2", Version: "v2"}, version: "v1",
			want: refusal{
				Code: deployment.Conflict, Holder: "d2",
				Message: "deployment d2 is rolling back already", Remedy: "watch it: apm deploy watch d2",
			},
		},
		"an older one": {
			deployment: completed,
			state:      deployment.TargetState{Target: shop, Current: "d3", Version: "v3"},
			want: refusal{
				Code: deployment.Conflict, Holder: "d3",
				Message: "deployment d2 is not current: v3 runs on shop/production by deployment d3",
				Remedy:  "apm deploy rollback d3",
			},
		},
		"an older one after a removal": {
			deployment: completed,
			state:      deployment.TargetState{Target: shop, Current: "d3"},
			want: refusal{
				Code: deployment.Conflict, Holder: "d3",
				Message: "deployment d2 is not current: nothing runs on shop/production by deployment d3",
				Remedy:  "apm deploy rollback d3",
			},
		},
		"one that was rolled back": {
			deployment: deploymentOf(deployment.RolledBack,
				ended(deployment.RunDeploy, deployment.Failed), ended(deployment.RunRollback, deployment.RolledBack)),
			state: deployment.TargetState{Target: shop, Current: "d1", Version: "v1"},
			want: refusal{
				Code: deployment.Conflict, Holder: "d1",
				Message: "deployment d2 is not current: v1 runs on shop/production by deployment d1",
				Remedy:  "apm deploy rollback d1",
			},
		},
		"nothing of ours runs": {
			deployment: completed, state: deployment.TargetState{Target: shop},
			want: refusal{
				Code:    deployment.Conflict,
				Message: "deployment d2 is not current: nothing of ours runs on shop/production",
				Remedy:  "start a deployment of the version you want",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := refusalOf(t, deployment.CheckRollback(test.deployment, test.state, test.version))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCheckCancel(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		deployment *deployment.Deployment
		want       refusal
	}{
		"one that waits":      {deployment: deploymentOf(deployment.Pending, open(deployment.RunDeploy, false))},
		"one that runs":       {deployment: deploymentOf(deployment.Verifying, open(deployment.RunDeploy, true))},
		"a removal that runs": {deployment: deploymentOf(deployment.Deploying, open(deployment.RunRemove, true))},
		"a rollback that waits": {
			deployment: deploymentOf(deployment.Completed,
				ended(deployment.RunDeploy, deployment.Completed), open(deployment.RunRollback, false)),
		},
		"a rollback that runs": {
			deployment: deploymentOf(deployment.RollingBack,
				ended(deployment.RunDeploy, deployment.Completed), open(deployment.RunRollback, true)),
			want: refusal{
				Code: deployment.Conflict, Holder: "d2",
				Message: "deployment d2 is rolling back; a rollback is not cancelled", Remedy: "watch it: apm deploy watch d2",
			},
		},
		"one that has ended": {
			deployment: deploymentOf(deployment.Completed, ended(deployment.RunDeploy, deployment.Completed)),
			want: refusal{
				Code: deployment.Conflict, Message: "deployment d2 has ended: completed", Remedy: "apm deploy explain d2",
			},
		},
		"one that was rolled back": {
			deployment: deploymentOf(deployment.RolledBack,
				ended(deployment.RunDeploy, deployment.Failed), ended(deployment.RunRollback, deployment.RolledBack)),
			want: refusal{
				Code: deployment.Conflict, Message: "deployment d2 has ended: rolled_back", Remedy: "apm deploy explain d2",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := refusalOf(t, deployment.CheckCancel(test.deployment))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
