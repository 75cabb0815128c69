// Package memory is the bus and the cache of a single host, in its memory. It
// starts one goroutine per subscription and none else; what is not taken in time
// is bounded and then dropped, never waited for.
package memory

import (
	"sync"

	"github.com/apm-deploy/apm/host/internal/bus"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Bus is a bus.Bus within the process.
type Bus struct {
	mu            sync.RWMutex
	bells         map[string]map[*bell]struct{}         // by deployment, "" for all
	subscriptions map[string]map[*subscription]struct{} // likewise
}

var _ bus.Bus = (*Bus)(nil)

// New returns a bus that nobody listens to.
func New() *Bus {
	return &Bus{
		bells:         map[string]map[*bell]struct{}{},
		subscriptions: map[string]map[*subscription]struct{}{},
	}
}

// bell is one listener to rings.
type bell struct{ rung chan struct{} }

func (b *bell) ring() {
	select {
	case b.rung <- struct{}{}:
	default: // it rings already
	}
}

func ringAll(bells map[*bell]struct{}) {
	for one := range bells {
		one.ring()
	}
}

// Ring implements bus.Bus.
func (b *Bus) Ring(deploymentID string) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if deploymentID == "" {
		for _, bells := range b.bells {
			ringAll(bells)
		}
		return
	}
	ringAll(b.bells[deploymentID])
	ringAll(b.bells[""])
}

// Doorbell implements bus.Bus.
func (b *Bus) Doorbell(deploymentID string) (<-chan struct{}, func()) {
	one := &bell{rung: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	add(b.bells, deploymentID, one)
	return one.rung, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		remove(b.bells, deploymentID, one)
	}
}

// Publish implements bus.Bus.
func (b *Bus) Publish(event deployment.Event) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for one := range b.subscriptions[event.DeploymentID] {
		one.put(event)
	}
	if event.DeploymentID == "" {
		return
	}
	for one := range b.subscriptions[""] {
		one.put(event)
	}
}

// Subscribe implements bus.Bus.
func (b *Bus) Subscribe(deploymentID string) (<-chan deployment.Event, func()) {
	one := newSubscription()
	b.mu.Lock()
	defer b.mu.Unlock()
	add(b.subscriptions, deploymentID, one)
	return one.out, func() {
		b.mu.Lock()
		remove(b.subscriptions, deploymentID, one)
		b.mu.Unlock()
		one.end()
	}
}

func add[L comparable](all map[string]map[L]struct{}, id string, one L) {
	if all[id] == nil {
		all[id] = map[L]struct{}{}
	}
	all[id][one] = struct{}{}
}

func remove[L comparable](all map[string]map[L]struct{}, id string, one L) {
	delete(all[id], one)
	if len(all[id]) == 0 {
		delete(all, id)
	}
}
