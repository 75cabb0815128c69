package platform

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/wire"
)

// keeper keeps one platform running. One goroutine, run, owns the process; the
// others look at what it published.
type keeper struct {
	spec    Spec
	catalog *Catalog
	setup   Setup
	times   Times
	log     *slog.Logger
	told    func(State)

	// live is one life of a process, and jitter spreads restarts; tests have
	// others.
	live   func(turn, hurry context.Context, o *order) (ready time.Duration, err error)
	jitter func() float64

	telling sync.Mutex // orders what is told

	mu          sync.Mutex
	state       State
	client      *wire.Client // nil unless calls may be made
	description *sdk.Description
	pin         *Pin
	changed     chan struct{} // closed at the next change
	interrupt   context.CancelFunc
	next        *order // for the next turn
}

func newKeeper(config SupervisorConfig, spec Spec, log *slog.Logger) *keeper {
	k := &keeper{
		spec: spec, catalog: config.Catalog, setup: config.Setup, times: config.Catalog.config.Times,
		log:       log.With("plugin", spec.Plugin, "platform", spec.Name),
		told:      config.Changed,
		state:     State{Platform: spec.Name, Plugin: spec.Plugin, Phase: Absent, Since: time.Now()},
		changed:   make(chan struct{}),
		interrupt: func() {}, jitter: rand.Float64,
	}
	k.live = k.oneLife
	return k
}

// run keeps the platform until ctx ends; hurry ends waiting for a clean end. Each
// turn of the loop is one life of a process and the wait for the next; an order
// ends a turn and shapes the one after it.
func (k *keeper) run(ctx, hurry context.Context) {
	var counts tally
	for {
		turn, o := k.begin(ctx)
		if o != nil { // as if nothing had been
			counts = tally{}
		}
		ready, err := k.live(turn, hurry, o)
		switch {
		case turn.Err() != nil:
			o.finish(errInterrupted)
		case o.goesBack():
			k.log.Warn("the new plugin did not stay, the old one is put back", "error", err)
			k.give(&order{reason: "the old version is put back", pin: o.old})
			o.finish(err)
		default:
			o.finish(err)
			k.wait(turn, ready, err, &counts)
		}
		k.end()
		if ctx.Err() != nil {
			k.stopped()
			return
		}
	}
}

// stopped says that the platform is done with. No order comes after it.
func (k *keeper) stopped() {
	var left *order
	k.set(func(s *State) {
		s.Phase, s.Reason, s.Err, s.NextStart = Stopped, "the host is stopping", nil, time.Time{}
		left, k.next = k.next, nil
	})
	left.drop(errInterrupted)
}

// wait lets the time until the next start pass; where only a person can help, it
// ends with the turn.
func (k *keeper) wait(turn context.Context, ready time.Duration, err error, counts *tally) {
	delay := counts.end(ready, platformDown(err), k.times, k.jitter())
	switch {
	case isMistake(err):
		k.log.Error("platform broken", "error", err)
		k.set(func(s *State) { s.Phase, s.Reason, s.Err = Broken, reasonOf(err), err })
		<-turn.Done()
		return
	case counts.broken():
		reason := fmt.Sprintf("%d starts in a row did not stay ready for %s, the last: %s", counts.failures, k.times.Settle, reasonOf(err))
		k.log.Error("platform broken", "error", err, "starts", counts.failures)
		k.set(func(s *State) { s.Phase, s.Reason, s.Err = Broken, reason, err })
		<-turn.Done()
		return
	}
	next := time.Now().Add(delay)
	k.log.Warn("platform starts again", "error", err, "delay", delay)
	k.set(func(s *State) { s.Phase, s.Reason, s.Err, s.NextStart = Backoff, reasonOf(err), err, next })
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-turn.Done():
	}
}

// begin opens a turn, which an order can end, and takes the one that is there.
func (k *keeper) begin(ctx context.Context) (turn context.Context, o *order) {
	turn, cancel := context.WithCancel(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.interrupt = cancel
	o, k.next = k.next, nil
	if o != nil {
		k.pin = o.pin
	}
	return turn, o
}

func (k *keeper) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.interrupt()
}

// give ends the turn; the next one is as ordered. From now on nobody gets the
// old process. It is false when there is no next turn.
func (k *keeper) give(o *order) bool {
	given := false
	var instead *order
	k.set(func(s *State) {
		if s.Phase == Stopped {
			return
		}
		given, instead = true, k.next
		k.client, k.next = nil, o
		s.Phase, s.Reason, s.Err, s.NextStart = Draining, o.reason, nil, time.Time{}
		// Here, so that it ends no turn that began with this order.
		k.interrupt()
	})
	instead.drop(errInterrupted)
	return given
}

// running returns the binary that the platform runs or ran last, if any.
func (k *keeper) running() *Pin {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.pin
}

// set changes the state and tells everybody.
func (k *keeper) set(change func(*State)) {
	k.telling.Lock()
	defer k.telling.Unlock()
	k.mu.Lock()
	before := k.state.Phase
	change(&k.state)
	if k.state.Phase != before {
		k.state.Since = time.Now()
	}
	state := k.state
	close(k.changed)
	k.changed = make(chan struct{})
	k.mu.Unlock()
	if k.told != nil {
		k.told(state)
	}
}

// look returns the state, the client if there is one, and what is closed at the
// next change.
func (k *keeper) look() (State, *wire.Client, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state, k.client, k.changed
}

func (k *keeper) describe() (sdk.Description, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.description == nil {
		return sdk.Description{}, k.state.unavailable(nil)
	}
	return *k.description, nil
}

// pinned waits until the binary of the platform is known; false when it cannot be
// found.
func (k *keeper) pinned(ctx context.Context) bool {
	for {
		k.mu.Lock()
		pin, phase, changed := k.pin, k.state.Phase, k.changed
		k.mu.Unlock()
		switch {
		case pin != nil:
			return true
		case phase == Broken || phase == Stopped:
			return false
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
