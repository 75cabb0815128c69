package engine_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Every operation tells its platform what must still be there for a way back.
func TestPlatformIsToldWhatToKeep(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	told := func(want ...string) {
		t.Helper()
		r.world.with(func() {
			if diff := cmp.Diff(want, r.world.retained["web"]); diff != "" {
				t.Errorf("asked to keep (-want +got):\n%s", diff)
			}
		})
	}
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	told()
	r.await(r.start("v2", `{"web":{"content":"b"}}`).ID, 1)
	told("v1:a")
	d := r.await(r.start("v3", `{"web":{"content":"c"}}`).ID, 1)
	told("v2:b", "v1:a")
	r.wish(d.ID, deployment.CommandRollback, "")
	r.await(d.ID, 2)
	told("v2:b", "v3:c", "v1:a")
	failed := r.await(r.start("v4", `{"web":{"content":"d","fail":"CRASH_LOOP"}}`).ID, 1)
	if failed.Status != deployment.Failed && failed.Status != deployment.RolledBack {
		t.Errorf("v4 is %s: %s", failed.Status, failed.Reason)
	}
	told("v2:b", "v3:c", "v1:a")
}
