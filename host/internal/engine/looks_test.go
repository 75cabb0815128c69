package engine_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// TestRecordOfWhatRunsIsRefreshed: while what runs stays healthy, the record
// does not go on saying that it was looked at long ago.
func TestRecordOfWhatRunsIsRefreshed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var later atomic.Int64
	r.now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	r.run()
	d := r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	seen := func(d *deployment.Deployment) (last time.Time) { // of the check that was heard first since then
		for _, check := range d.Component("web").Checks {
			if check.At.After(last) {
				last = check.At
			}
		}
		return last
	}
	before := seen(d)
	d = r.until(d.ID, "a later look in the record", func(d *deployment.Deployment) bool {
		later.Add(int64(2 * time.Minute)) // another record than that of a look may have been due first
		return seen(d).Sub(before) > time.Minute
	})
	if check := d.Component("web").Checks[0]; check.Status != deployment.Healthy {
		t.Errorf("the check: %+v", check)
	}
}
