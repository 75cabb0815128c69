package platform

import (
	"errors"
	"fmt"
	"time"
)

var (
	// errSilent is the error of a plugin that does not answer.
	errSilent = errors.New("no answer in time")
	// errPaused is the error of a host that stood still while it waited: it
	// cannot know whether the plugin would have answered.
	errPaused = errors.New("the host was paused")
)

// guard asks a process from its handshake to its stop whether it lives, and
// kills it when it does not or takes more memory than it may. From the moment
// that a plugin is frozen to its end no more than Ping + Answer pass.
func (p *process) guard(times Times, memory int64) {
	ticks := time.NewTicker(times.Ping)
	defer ticks.Stop()
	var broken time.Time // since when its connection is
	for {
		select {
		case <-p.stopping:
			return
		case <-p.child.exited:
			return
		case <-ticks.C:
		}
		if memory > 0 {
			if used := residentMemory(p.child.ID()); used > memory {
				p.child.killFor(fmt.Sprintf("took %s of memory, its memory_limit is %s, and was killed", sizeText(used), sizeText(memory)))
				return
			}
		}
		err := p.ping(times.Answer)
		switch {
		case err == nil, errors.Is(err, errPaused):
			broken = time.Time{}
		case errors.Is(err, errSilent):
			p.child.killFor(fmt.Sprintf("did not answer for %s and was killed", times.Answer))
			return
		case broken.IsZero(): // it is made again by itself
			broken = time.Now()
		case time.Since(broken) > times.Answer:
			p.child.killFor(fmt.Sprintf("could not be reached for %s (%v) and was killed", times.Answer, err))
			return
		}
	}
}

// ping asks whether the plugin lives. go-plugin's Ping has no deadline; it
// returns at the latest when the process has been stopped.
func (p *process) ping(limit time.Duration) error {
	answered := make(chan error, 1)
	asked := time.Now()
	p.asking.Go(func() { answered <- p.protocol.Ping() })
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-answered:
		return err
	case <-timer.C:
		if time.Since(asked) > limit+limit/2 {
			return errPaused
		}
		return errSilent
	case <-p.stopping:
		return nil
	case <-p.child.exited:
		return nil
	}
}
