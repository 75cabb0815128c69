package crash_test

import (
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// TestCrashAfterPromote kills between Promote(100) and its outcome, which a
// request that is under way on the old version keeps from coming. That request
// is answered by the old version all the same.
func TestCrashAfterPromote(t *testing.T) {
	t.Parallel()
	c := course{
		status: "completed", path: []string{"preparing", "deploying", "verifying", "completed"},
		starts: []string{"v1", "v2"}, version: "v2",
	}
	for victim, kill := range victims {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			atOnce <- struct{}{}
			t.Cleanup(func() { <-atOnce })
			h := harness.Started(t)
			h.Artifact("v1", "v2")
			address := h.Address()
			h.Define(harness.Application{Name: "shop", Bake: "500ms", Components: []harness.Component{
				{Name: "web", Listen: address, Steps: []int{50, 100}, Pause: "100ms", Spec: `drain = "60s"`},
			}})
			h.Quickly("shop", "v1")
			finish := h.Hold(address)
			traffic := h.Traffic("web", address)
			d := h.Deploy("shop", "v2")
			seen := h.Follow(d.ID)
			h.Await(d.ID, 0, with("candidate.promoted", "percent", "50"))
			h.Switched(address, "v2")
			kill(h)
			if got := finish(); got != "v1" {
				t.Errorf("the held request was answered by %q, want v1", got)
			}
			c.judge(t, h, d.ID, seen)
			traffic.Undisturbed()
			if got := h.Version(address); got != c.version {
				t.Errorf("version %q is served, want %q", got, c.version)
			}
		})
	}
}

// lasting are the events that no restart makes come again.
var lasting = map[string]bool{
	"deployment.status": true, "component.status": true, "snapshot.taken": true, "operation.started": true,
	"candidate.ready": true, "candidate.promoted": true, "operation.finished": true,
}

// TestCrashAgain kills the host again and again, each time as soon as it got
// one step further after it came back.
func TestCrashAgain(t *testing.T) {
	t.Parallel()
	atOnce <- struct{}{}
	t.Cleanup(func() { <-atOnce })
	h := harness.Started(t)
	h.Artifact("v1", "v2")
	address := h.Address()
	h.Define(harness.Application{Name: "shop", Bake: "1s", Components: []harness.Component{
		{Name: "web", Listen: address, Steps: []int{50, 100}, Pause: "500ms"},
	}})
	h.Quickly("shop", "v1")
	traffic := h.Traffic("web", address)
	d := h.Deploy("shop", "v2")
	seen := h.Follow(d.ID)
	kills := 0
	for seq := d.Seq; !harness.Terminal(h.Get(d.ID).Status); kills++ {
		seq = h.Await(d.ID, seq, func(e apiv1.Event) bool { return lasting[e.Type] }).Seq
		h.Kill9()
		h.Start()
	}
	if kills < 5 {
		t.Errorf("the host was killed %d times only", kills)
	}
	course{
		status: "completed", path: []string{"preparing", "deploying", "verifying", "completed"},
		starts: []string{"v1", "v2"},
	}.judge(t, h, d.ID, seen)
	traffic.Undisturbed()
}
