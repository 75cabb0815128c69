package deployment_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	policy := deployment.Policy{
		OnFailure: "rollback", Concurrent: "queue", Bake: time.Minute,
		Timeouts: deployment.Timeouts{
			Preparing: 5 * time.Minute, Deploying: 30 * time.Minute, Verifying: 10 * time.Minute, RollingBack: 15 * time.Minute,
		},
	}
	if diff := cmp.Diff(policy, deployment.DefaultPolicy()); diff != "" {
		t.Error(diff)
	}
	// The product description shows these two for a platform.
	monitor := deployment.Monitor{Interval: 10 * time.Second, Timeout: 30 * time.Minute}
	if diff := cmp.Diff(monitor, deployment.DefaultMonitor()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(deployment.Promotion{Steps: []int{100}}, deployment.DefaultPromotion()); diff != "" {
		t.Error(diff)
	}
	changed := deployment.DefaultPromotion()
	changed.Steps[0] = 1
	if deployment.DefaultPromotion().Steps[0] != 100 {
		t.Error("a caller can change the default of all")
	}
}
