package platform

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// live is one life of a process: started, configured, watched, stopped. It
// returns why the life ended, nil when it was the turn's end.
func (k *keeper) live(turn, hurry context.Context) error {
	k.set(func(s *State) {
		s.Phase, s.Reason, s.Err, s.NextStart, s.Attributes = Starting, "", nil, time.Time{}, nil
		s.Starts++
	})
	k.readyTime = 0
	pin, err := k.install(turn)
	if err != nil {
		return err
	}
	p, err := start(turn, k.catalog.launch(pin, k.spec.Name, pin.Path))
	if err != nil {
		return err
	}
	pid, _ := strconv.Atoi(p.child.ID())
	k.set(func(s *State) { s.PID = pid })
	defer k.bury(hurry, p)

	description, err := k.catalog.configure(turn, p, pin, k.spec, k.setup, k.log)
	if err != nil {
		return err
	}
	k.ready(p, description)
	if err := k.watch(turn, p); err != nil {
		return err
	}
	k.drain(hurry, p)
	return nil
}

// install finds the binary: once, because what runs must not change with a
// rebuild, until Restart asks for it.
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
	k.set(func(s *State) { s.SHA256 = pin.SHA256 })
	return pin, nil
}

func (k *keeper) ready(p *process, description sdk.Description) {
	k.readyAt = time.Now()
	k.set(func(s *State) {
		s.Phase, s.Version, s.Output = Ready, description.Version, nil
		k.client, k.description = p.platform, &description
	})
	k.log.Info("platform ready", "version", description.Version, "pid", p.child.ID())
}

// watch follows a process that is ready until it ends, which is an error, or the
// turn does. A process that does not answer is killed.
func (k *keeper) watch(turn context.Context, p *process) (err error) {
	following, cancel := context.WithCancel(turn)
	var followed sync.WaitGroup
	followed.Go(func() { k.followHealth(following, p) })
	defer func() {
		cancel()
		followed.Wait()
		k.withdraw(err)
	}()
	ticks := time.NewTicker(k.times.Ping)
	defer ticks.Stop()
	misses := 0
	for {
		select {
		case <-turn.Done():
			return nil
		case <-p.child.exited:
			return k.ended(p)
		case <-ticks.C:
		}
		err = p.ping(turn, k.times.Answer)
		if err == nil {
			misses = 0
			continue
		}
		// A broken connection is made again by itself, once; silence is not.
		if misses++; misses == 1 && !errors.Is(err, errSilent) {
			continue
		}
		p.child.kill()
		return unusable(err, ownerRemedy, "plugin %q: did not answer for %s and was killed%s", k.spec.Plugin, k.times.Answer, p.lastWords())
	}
}

// withdraw lets nobody have the process any more.
func (k *keeper) withdraw(err error) {
	k.readyTime = time.Since(k.readyAt)
	k.set(func(s *State) {
		k.client = nil
		switch {
		case err != nil:
			s.Phase, s.Reason, s.Err = Backoff, reasonOf(err), err
		case s.Phase != Draining: // which Restart may have said already
			s.Phase, s.Reason = Draining, "the host is stopping"
		}
	})
}

func (k *keeper) ended(p *process) error {
	<-p.child.settled
	return unusable(nil, ownerRemedy, "plugin %q: %s%s", k.spec.Plugin, p.child.ending(), p.lastWords())
}

// followHealth reports what the plugin says about its platform.
func (k *keeper) followHealth(ctx context.Context, p *process) {
	for {
		err := p.platform.Health(ctx, func(h sdk.Health) error {
			k.report(h)
			return nil
		})
		if ctx.Err() != nil || sdk.CodeOf(err) == sdk.Unimplemented {
			return
		}
		timer := time.NewTimer(k.times.BackoffMin)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

func (k *keeper) report(h sdk.Health) {
	k.set(func(s *State) {
		if s.Phase != Ready && s.Phase != Unhealthy {
			return
		}
		s.Attributes = h.Attributes
		switch h.State {
		case sdk.HealthUnhealthy, sdk.HealthUndetected:
			s.Phase, s.Reason = Unhealthy, h.Description
		default:
			s.Phase, s.Reason = Ready, ""
		}
	})
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
