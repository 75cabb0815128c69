package platform

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// oneLife is the life of one process: started, configured, watched, stopped. It
// returns for how long it was ready and why it ended, nil when it was the turn's
// end.
func (k *keeper) oneLife(turn, hurry context.Context, o *order) (ready time.Duration, err error) {
	k.set(func(s *State) {
		s.Phase, s.Reason, s.Err, s.NextStart, s.Attributes = Starting, "", nil, time.Time{}, nil
		s.Starts++
	})
	p, pin, err := k.process(turn, o)
	if err != nil {
		return 0, err
	}
	pid, _ := strconv.Atoi(p.child.ID())
	k.set(func(s *State) { s.PID, s.SHA256 = pid, pin.SHA256 })
	defer k.bury(hurry, p)

	description, err := k.catalog.configure(turn, p, pin, k.spec, k.setup, k.log)
	if err != nil {
		return 0, err
	}
	since := time.Now()
	k.ready(p, description)
	err = k.watch(turn, p, o)
	ready = time.Since(since)
	k.withdraw(err)
	if p.runs() {
		k.drain(hurry, p)
	}
	return ready, err
}

// process returns the process of this turn: that of the order, else a new one.
func (k *keeper) process(turn context.Context, o *order) (*process, Pin, error) {
	if o != nil && o.fresh != nil {
		return o.fresh, *o.pin, nil
	}
	pin, err := k.install(turn)
	if err != nil {
		return nil, Pin{}, err
	}
	p, err := start(turn, k.catalog.launch(pin, k.spec.Name, pin.Path))
	return p, pin, err
}

// install finds the binary: once, because what runs must not change with a
// rebuild, until an order asks for it.
func (k *keeper) install(turn context.Context) (Pin, error) {
	k.mu.Lock()
	known := k.pin
	k.mu.Unlock()
	if known != nil && k.catalog.has(turn, *known) {
		return *known, nil
	}
	pin, err := k.catalog.Verify(turn, k.spec.Plugin)
	if err != nil {
		return Pin{}, mistake{err}
	}
	if pin, err = k.catalog.place(turn, pin); err != nil {
		return Pin{}, err
	}
	k.mu.Lock()
	k.pin = &pin
	k.mu.Unlock()
	k.set(func(s *State) { s.SHA256 = pin.SHA256 }) // also of one that cannot be started
	return pin, nil
}

func (k *keeper) ready(p *process, description sdk.Description) {
	k.set(func(s *State) {
		s.Phase, s.Version, s.Output = Ready, description.Version, nil
		k.client, k.description = p.platform, &description
	})
	k.log.Info("platform ready", "version", description.Version, "pid", p.child.ID())
}

// watch follows a process that is ready until it ends, which is an error, or the
// turn does. One that is on trial must also be well when it has settled.
func (k *keeper) watch(turn context.Context, p *process, o *order) error {
	following, cancel := context.WithCancel(turn)
	var followed sync.WaitGroup
	followed.Go(func() { k.followHealth(following, p) })
	defer func() {
		cancel()
		followed.Wait()
	}()
	var settled <-chan time.Time
	if o.onTrial() {
		timer := time.NewTimer(k.times.Settle)
		defer timer.Stop()
		settled = timer.C
	}
	for {
		select {
		case <-turn.Done():
			return nil
		case <-p.child.exited:
			return k.ended(p)
		case <-settled:
			if err := k.judge(o); err != nil {
				return err
			}
			o.finish(nil)
			settled = nil
		}
	}
}

// judge says why a new process that has settled is worse than the old one.
func (k *keeper) judge(o *order) error {
	state, _, _ := k.look()
	if state.Phase == Unhealthy && o.wasReady {
		return unusable(nil, "mend what it says, or what it needs", "platform %q: became unhealthy with it: %s", k.spec.Name, state.Reason)
	}
	return nil
}

// withdraw lets nobody have the process any more.
func (k *keeper) withdraw(err error) {
	k.set(func(s *State) {
		k.client = nil
		switch {
		case err != nil:
			s.Phase, s.Reason, s.Err = Backoff, reasonOf(err), err
		case s.Phase != Draining: // which an order may have said already
			s.Phase, s.Reason = Draining, "the host is stopping"
		}
	})
}

func (k *keeper) ended(p *process) error {
	<-p.child.settled
	return unusable(nil, ownerRemedy, "plugin %q: %s%s", k.spec.Plugin, p.child.ending(), p.lastWords())
}

// drain lets calls under way end before the process is stopped.
func (k *keeper) drain(hurry context.Context, p *process) {
	limit, cancel := context.WithTimeout(hurry, k.times.Drain+time.Second)
	defer cancel()
	inFlight, err := p.platform.Drain(limit, k.times.Drain)
	if err != nil {
		k.log.Warn("drain platform", "error", err)
		return
	}
	if len(inFlight) > 0 {
		k.log.Info("platform drained; operations go on at the platform", "operations", inFlight)
	}
}

// bury stops the process and takes its last lines.
func (k *keeper) bury(hurry context.Context, p *process) {
	if err := p.stop(hurry); err != nil {
		k.log.Warn("stop plugin", "error", err)
	}
	k.set(func(s *State) { s.PID, s.Output = 0, p.tail.last() })
}
