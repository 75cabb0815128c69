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

	telling sync.Mutex // orders what is told

	// Of run alone.
	readyAt   time.Time     // of the process that runs
	readyTime time.Duration // of the process that ended

	mu          sync.Mutex
	state       State
	client      *wire.Client // nil unless calls may be made
	description *sdk.Description
	pin         *Pin
	changed     chan struct{} // closed at the next change
	interrupt   context.CancelFunc
	again       bool // Restart was called
}

func newKeeper(config SupervisorConfig, spec Spec, log *slog.Logger) *keeper {
	return &keeper{
		spec: spec, catalog: config.Catalog, setup: config.Setup, times: config.Catalog.config.Times,
		log:       log.With("plugin", spec.Plugin, "platform", spec.Name),
		told:      config.Changed,
		state:     State{Platform: spec.Name, Plugin: spec.Plugin, Phase: Absent, Since: time.Now()},
		changed:   make(chan struct{}),
		interrupt: func() {},
	}
}

// run keeps the platform until ctx ends; hurry ends waiting for a clean end. Each
// turn of the loop is one life of a process and the wait for the next; Restart
// ends a turn.
func (k *keeper) run(ctx, hurry context.Context) {
	var counts tally
	for {
		turn, byHand := k.begin(ctx)
		if byHand { // as if nothing had been
			counts = tally{}
			k.forget()
		}
		err := k.live(turn, hurry)
		if turn.Err() == nil {
			k.wait(turn, err, &counts)
		}
		k.end()
		if ctx.Err() != nil {
			k.set(func(s *State) {
				s.Phase, s.Reason, s.Err, s.NextStart = Stopped, "the host is stopping", nil, time.Time{}
			})
			return
		}
	}
}

// wait lets the time until the next start pass; where only a person can help, it
// ends with the turn.
func (k *keeper) wait(turn context.Context, err error, counts *tally) {
	delay := counts.end(k.readyTime, platformDown(err), k.times, rand.Float64())
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

// begin opens a turn, which Restart can end, and says whether one has been asked
// for since the last began.
func (k *keeper) begin(ctx context.Context) (turn context.Context, byHand bool) {
	turn, cancel := context.WithCancel(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.interrupt = cancel
	byHand, k.again = k.again, false
	return turn, byHand
}

func (k *keeper) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.interrupt()
}

// restart ends the turn. From now on nobody gets the old process.
func (k *keeper) restart() {
	k.set(func(s *State) {
		k.client, k.again = nil, true
		if s.Phase != Stopped {
			s.Phase, s.Reason, s.Err, s.NextStart = Draining, "restarted by hand", nil, time.Time{}
		}
	})
	k.end()
}

func (k *keeper) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pin = nil
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

// firstPin waits until the binary of the platform is known; false when it cannot
// be found.
func (k *keeper) firstPin(ctx context.Context) (Pin, bool) {
	for {
		k.mu.Lock()
		pin, phase, changed := k.pin, k.state.Phase, k.changed
		k.mu.Unlock()
		switch {
		case pin != nil:
			return *pin, true
		case phase == Broken || phase == Stopped:
			return Pin{}, false
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Pin{}, false
		}
	}
}
