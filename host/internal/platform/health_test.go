package platform_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/platform"
)

// A plugin whose health changes without end is heard at a pace, and not at length.
func TestMoodyPlatform(t *testing.T) {
	t.Parallel()
	h := developed(t)
	h.control("mode", "moody")
	var mu sync.Mutex
	var unwell []platform.State
	h.supervise(func(c *platform.SupervisorConfig) {
		c.Changed = platform.WhenPhaseChanges(func(s platform.State) {
			mu.Lock()
			defer mu.Unlock()
			if s.Phase == platform.Unhealthy {
				unwell = append(unwell, s)
			}
		})
	})
	const often = 10
	heard := func() []platform.State {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(unwell)
	}
	eventually(t, "it was unwell often", func() bool { return len(heard()) >= often })
	states := heard()
	if took := states[often-1].Since.Sub(states[0].Since); took < time.Second { // one is well in between
		t.Errorf("it was heard %d times in %s", 2*often, took)
	}
	if s := states[0]; len(s.Reason) < 1000 || len(s.Reason) > 5000 || len(s.Attributes) == 0 || len(s.Attributes) > 100 {
		t.Errorf("a reason of %d bytes, %d attributes", len(s.Reason), len(s.Attributes))
	}
}
