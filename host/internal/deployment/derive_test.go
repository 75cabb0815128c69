package deployment_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

func TestDerivedStatusesAreAPathOfTheStateMachine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := newCourse(t)
		c.deploy()
		if !c.d.Status.Terminal() {
			t.Fatalf("the run has ended and the deployment is %s", c.d.Status)
		}
		for range rapid.IntRange(0, 2).Draw(t, "rollbacks") {
			c.rollBackLater()
		}
		if !c.d.Status.Terminal() {
			t.Fatalf("every run has ended and the deployment is %s", c.d.Status)
		}
	})
}

func TestDerive(t *testing.T) {
	t.Parallel()
	at := func(n int) time.Time { return began.Add(time.Duration(n) * time.Second) }
	waiting := func(kind deployment.WaitKind, subject string) *deployment.Waiting {
		return &deployment.Waiting{Kind: kind, For: subject, Since: began}
	}
	failedThen := func(r deployment.Run) []deployment.Run {
		r.Kind = deployment.RunRollback
		return []deployment.Run{ended(deployment.RunDeploy, deployment.Failed), r}
	}
	tests := map[string]struct {
		runs    []deployment.Run
		waiting *deployment.Waiting
		remove  bool
		status  deployment.Status
		reason  string
	}{
		"before any run": {status: deployment.Pending, reason: "accepted"},
		"accepted":       {runs: []deployment.Run{{}}, status: deployment.Pending, reason: "accepted"},
		"waits for the lock": {
			runs: []deployment.Run{{}}, waiting: waiting(deployment.WaitLock, "d1"),
			status: deployment.Pending, reason: "waiting for deployment d1 to end",
		},
		"prepares": {
			runs:   []deployment.Run{{LockedAt: at(1)}},
			status: deployment.Preparing, reason: "taking snapshots of what runs",
		},
		"waits for a plugin": {
			runs: []deployment.Run{{LockedAt: at(1)}}, waiting: waiting(deployment.WaitPlugin, `platform "process" is broken: exit 1`),
			status: deployment.Preparing, reason: `waiting: platform "process" is broken: exit 1`,
		},
		"deploys": {
			runs:   []deployment.Run{{LockedAt: at(1), PreparedAt: at(2)}},
			status: deployment.Deploying, reason: "bringing up v2",
		},
		"removes": {
			runs:   []deployment.Run{{Kind: deployment.RunRemove, LockedAt: at(1), PreparedAt: at(2)}},
			remove: true, status: deployment.Deploying, reason: "bringing up nothing",
		},
		"holds": {
			runs:    []deployment.Run{{LockedAt: at(1), PreparedAt: at(2)}},
			waiting: waiting(deployment.WaitEnvironment, "node n1 is down"),
			status:  deployment.Deploying, reason: "holding, the environment is at fault: node n1 is down",
		},
		"is cancelled": {
			runs:   []deployment.Run{{LockedAt: at(1), PreparedAt: at(2), Cancel: &deployment.Cancel{Actor: alice}}},
			status: deployment.Deploying, reason: "cancelled by alice",
		},
		"verifies": {
			runs:   []deployment.Run{{LockedAt: at(1), PreparedAt: at(2), DeployedAt: at(3)}},
			status: deployment.Verifying, reason: "every component passed; watched for 1m0s",
		},
		"has ended": {
			runs:   []deployment.Run{{LockedAt: at(1), EndedAt: at(2), Result: deployment.Failed, Why: "no disk"}},
			status: deployment.Failed, reason: "no disk",
		},
		"rolls back by policy": {
			runs: failedThen(deployment.Run{
				Trigger: deployment.TriggerPolicy, LockedAt: at(5), To: "v1", Reason: "check front failed",
			}),
			status: deployment.RollingBack, reason: "going back to v1: check front failed",
		},
		"rolls back because it was cancelled": {
			runs: failedThen(deployment.Run{
				Trigger: deployment.TriggerUser, LockedAt: at(5), To: "v1", Reason: "cancelled by alice",
			}),
			status: deployment.RollingBack, reason: "going back to v1: cancelled by alice",
		},
		"rolls back to nothing, no reason given": {
			runs:   failedThen(deployment.Run{Trigger: deployment.TriggerUser, LockedAt: at(5)}),
			status: deployment.RollingBack, reason: "going back to nothing",
		},
		"a rollback waits": {
			runs:   failedThen(deployment.Run{Trigger: deployment.TriggerUser, Actor: alice, Reason: "slow"}),
			status: deployment.Pending, reason: "rollback asked for by alice",
		},
		"a rollback waits for the lock": {
			runs:    failedThen(deployment.Run{Trigger: deployment.TriggerUser, Actor: alice}),
			waiting: waiting(deployment.WaitLock, "d3"),
			status:  deployment.Pending, reason: "waiting for deployment d3 to end",
		},
		"a second rollback waits": {
			runs: append(failedThen(deployment.Run{LockedAt: at(5), EndedAt: at(6), Result: deployment.RollbackFailed, Why: "x"}),
				deployment.Run{Kind: deployment.RunRollback, Actor: alice}),
			status: deployment.Pending, reason: "rollback asked for by alice",
		},
		"a rollback was refused when its turn came": {
			runs:   failedThen(deployment.Run{EndedAt: at(6), Result: deployment.Failed, Why: "no disk; a rollback was refused"}),
			status: deployment.Failed, reason: "no disk; a rollback was refused",
		},
		"is rolled back": {
			runs:   failedThen(deployment.Run{LockedAt: at(5), EndedAt: at(6), Result: deployment.RolledBack, Why: "back on v1"}),
			status: deployment.RolledBack, reason: "back on v1",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deploymentOf("", test.runs...)
			d.Waiting, d.Remove, d.Definition.Policy = test.waiting, test.remove, deployment.DefaultPolicy()
			status, reason := d.Derive()
			if status != test.status || reason != test.reason {
				t.Errorf("got %s %q, want %s %q", status, reason, test.status, test.reason)
			}
		})
	}
}
