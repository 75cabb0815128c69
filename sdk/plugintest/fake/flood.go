package fake

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// tick is the time between two bursts of a flood.
const tick = 10 * time.Millisecond

// flood sends what the faults want sent on a Watch, and returns when that was
// sent.
func (p *faulty) flood(ctx context.Context, m moment, sink sdk.Sink) error {
	for one := range p.faults.strikes(m, kindFlood) {
		switch one.What {
		case floodEvents, floodLines:
			if err := p.floodEvents(ctx, one, sink); err != nil {
				return err
			}
		default:
			p.floodBeside(one)
		}
	}
	return nil
}

// floodOutside begins floods of a call that sends no events.
func (p *faulty) floodOutside(m moment) {
	for one := range p.faults.strikes(m, kindFlood) {
		p.floodBeside(one)
	}
}

func (p *faulty) floodBeside(one Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beside(func() {
		if one.What == floodStderr {
			p.floodStderr(one)
			return
		}
		text := strings.Repeat("x", one.Bytes)
		_ = p.bursts(context.Background(), one, func(first, n int) error {
			for i := range n {
				p.log.Info("flood", "number", first+i, "text", text)
			}
			return nil
		})
	})
}

// floodEvents sends events, or log lines of the component.
func (p *faulty) floodEvents(ctx context.Context, one Fault, sink sdk.Sink) error {
	text := strings.Repeat("x", one.Bytes)
	resources := one.Resources
	if resources == 0 {
		resources = 1000
	}
	return p.bursts(ctx, one, func(first, n int) error {
		events := make([]sdk.Event, n)
		for i := range events {
			number := first + i
			if one.What == floodLines {
				events[i].Log = &sdk.LogLine{Resource: "file", Time: time.Now(), Line: fmt.Sprintf("flood %d %s", number, text)}
				continue
			}
			events[i].Resource = &sdk.Resource{
				ID: fmt.Sprintf("flood-%d", number%resources), Kind: "flood", Health: sdk.ResourceReady,
				Message: fmt.Sprintf("event %d %s", number, text), Restarts: uint32(number / resources), //nolint:gosec // a count
			}
		}
		return sink(events...)
	})
}

// bursts calls send for all that is due, as often as a tick, until the flood has
// lasted its time. What nobody takes in time is late and comes all the same.
func (p *faulty) bursts(ctx context.Context, one Fault, send func(first, n int) error) error {
	start := time.Now()
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	all := int(float64(one.Rate) * one.For.Seconds())
	for sent := 0; sent < all; {
		due := min(all, int(float64(one.Rate)*time.Since(start).Seconds()))
		for sent < due {
			n := min(64, due-sent)
			if err := send(sent, n); err != nil {
				return err
			}
			sent += n
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-p.faults.gone:
			return nil
		}
	}
	return nil
}

// stderrLine is the length of a line of the flood.
const stderrLine = 1 << 10

func (p *faulty) floodStderr(one Fault) {
	line := []byte(strings.Repeat("flood ", stderrLine/6+1)[:stderrLine-1] + "\n")
	for left := one.Bytes; left > 0; left -= len(line) {
		select {
		case <-p.faults.gone:
			return
		default:
		}
		if _, err := output().Write(line[max(0, len(line)-left):]); err != nil {
			return // nobody reads it any more
		}
	}
}
