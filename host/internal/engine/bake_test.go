package engine_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// clock is one that can be put forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// Time in which nobody looked counts neither for the bake window nor for a
// deadline: not while the host stands still, not while it is down.
func TestUnobservedTimeDoesNotCount(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := &clock{}
	r.now = c.now
	r.policy.Bake = 30 * time.Minute
	r.run()
	d := r.start("v1", `{"web":{"content":"a"}}`)
	baking := func(more time.Duration) *deployment.Deployment {
		return r.until(d.ID, "baking", func(d *deployment.Deployment) bool {
			return d.Status == deployment.Verifying && d.Run().Baked > more
		})
	}
	before := baking(0)
	c.forward(20 * time.Minute) // as if the machine had slept for a while
	after := baking(before.Run().Baked)
	if got := after.Run().Baked; got > time.Minute {
		t.Errorf("%s count after 20 minutes of sleep", got)
	}
	r.stop()
	c.forward(2 * time.Hour)
	r.run()
	after = baking(after.Run().Baked)
	if got := after.Run().Baked; got > time.Minute || after.Status != deployment.Verifying {
		t.Errorf("%s count after two hours without a host", got)
	}
	if idle := after.Run().IdleSince(after.Run().DeployedAt); idle < 2*time.Hour || after.Run().Idle < 2*time.Hour {
		t.Errorf("idle %s of %s", idle, after.Run().Idle)
	}
}

// A plugin that does not answer leaves its checks unknown: the window stands
// still, visibly unfinished, and is filled when somebody looks again.
func TestBakeStandsStillWhileNobodyLooks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.policy.Bake = 300 * time.Millisecond
	r.run()
	d := r.start("v1", `{"web":{"content":"a"}}`)
	r.until(d.ID, "baking", func(d *deployment.Deployment) bool { return d.Status == deployment.Verifying })
	r.fails("probe", sdk.Unavailable)
	r.until(d.ID, "unknown", func(d *deployment.Deployment) bool {
		for _, check := range d.Component("web").Checks {
			if check.Status == deployment.Unknown {
				return true
			}
		}
		return !d.Run().Open()
	})
	held, err := r.store.Deployment(t.Context(), d.ID)
	if err != nil || held.Status != deployment.Verifying {
		t.Fatalf("%s: %s, %+v, %v", held.Status, held.Reason, held.Component("web").Checks, err)
	}
	r.fails("probe", "")
	if d = r.await(d.ID, 1); d.Status != deployment.Completed || d.Run().Baked < 300*time.Millisecond {
		t.Errorf("%s: %s after %s", d.Status, d.Reason, d.Run().Baked)
	}
}
