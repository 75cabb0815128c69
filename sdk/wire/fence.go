package wire

import (
	"sync"

	"github.com/apm-deploy/apm/sdk"
)

// fence refuses mutating calls of a host that no longer owns the target. It
// knows what this process has seen; what is stamped on the platform is the
// plugin's to compare.
type fence struct {
	mu      sync.Mutex
	highest map[component]uint64
}

type component struct{ application, environment, name string }

func newFence() *fence { return &fence{highest: map[component]uint64{}} }

// pass raises the component's epoch to that of the operation, or refuses.
func (f *fence) pass(target sdk.Target, operation sdk.Operation) error {
	key := component{target.Application, target.Environment, target.Component}
	f.mu.Lock()
	defer f.mu.Unlock()
	if seen := f.highest[key]; operation.Epoch < seen {
		return sdk.StaleEpoch(operation, seen)
	}
	f.highest[key] = operation.Epoch
	return nil
}
