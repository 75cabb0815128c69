package deployment_test

import (
	"slices"
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

func TestCanBecome(t *testing.T) {
	t.Parallel()
	// Every step that the state machine has; all others are refused below.
	allowed := map[deployment.Status][]deployment.Status{
		// The last three, and failed and cancelled too: a rollback that never began.
		deployment.Pending: {
			deployment.Preparing, deployment.Failed, deployment.Cancelled, deployment.RollingBack,
			deployment.Completed, deployment.RolledBack, deployment.RollbackFailed,
		},
		deployment.Preparing: {deployment.Deploying, deployment.Verifying, deployment.Completed, deployment.Failed, deployment.Cancelled},
		deployment.Deploying: {
			deployment.Verifying, deployment.Completed, deployment.Failed, deployment.Cancelled, deployment.RollingBack,
		},
		// Cancelled: nothing was touched, since every component was unchanged.
		deployment.Verifying:      {deployment.Completed, deployment.Failed, deployment.Cancelled, deployment.RollingBack},
		deployment.RollingBack:    {deployment.RolledBack, deployment.RollbackFailed},
		deployment.Completed:      {deployment.Pending},
		deployment.Failed:         {deployment.Pending},
		deployment.Cancelled:      {deployment.Pending},
		deployment.RolledBack:     {deployment.Pending},
		deployment.RollbackFailed: {deployment.Pending},
	}
	all := append(deployment.Statuses(), deployment.Skipped, deployment.Unchanged, deployment.Removed, "", "other")
	for _, from := range all {
		for _, to := range all {
			if got, want := from.CanBecome(to), slices.Contains(allowed[from], to); got != want {
				t.Errorf("%q → %q: %t, want %t", from, to, got, want)
			}
		}
	}
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	terminal := []deployment.Status{
		deployment.Completed, deployment.Failed, deployment.Cancelled, deployment.RolledBack, deployment.RollbackFailed,
	}
	for _, status := range append(deployment.Statuses(), deployment.Skipped, deployment.Unchanged, deployment.Removed, "") {
		if got := status.Terminal(); got != slices.Contains(terminal, status) {
			t.Errorf("%q: %t", status, got)
		}
	}
	for _, status := range terminal {
		for _, next := range deployment.Statuses() {
			if next != deployment.Pending && status.CanBecome(next) {
				t.Errorf("terminal %s can become %s without a new run", status, next)
			}
		}
	}
}

func TestStatusesAreTheTenOfADeployment(t *testing.T) {
	t.Parallel()
	statuses := deployment.Statuses()
	if len(statuses) != 10 {
		t.Errorf("%d statuses: %v", len(statuses), statuses)
	}
	for _, ofComponents := range []deployment.Status{deployment.Skipped, deployment.Unchanged, deployment.Removed} {
		if slices.Contains(statuses, ofComponents) {
			t.Errorf("%s is of components only", ofComponents)
		}
	}
	statuses[0] = "changed"
	if deployment.Statuses()[0] != deployment.Pending {
		t.Error("a caller can change the statuses of all")
	}
}
