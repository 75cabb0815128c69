package engine

import (
	"context"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// What one Watch stream may bring, in log lines: so many at once, and so many a
// second. A resource, which is stored, counts as more. Who sends more waits in the
// plugin, where newer events take the place of older ones, and the other deployments
// do not notice.
const (
	paceBurst    = 16_000
	paceRate     = 8_000
	paceResource = 4
)

// pace bounds what one stream brings. Its zero value has the whole burst.
type pace struct {
	owed float64 // of the burst
	at   time.Time
}

// pauseAfter is how long to wait before the next batch, once this one was taken at now.
func (p *pace) pauseAfter(events []sdk.Event, now time.Time) time.Duration {
	p.owed = max(0, p.owed-max(0, now.Sub(p.at)).Seconds()*paceRate) // a clock may be put back
	p.at = now
	for i := range events {
		p.owed++
		if events[i].Log == nil {
			p.owed += paceResource - 1
		}
		if state := events[i].State; state != nil {
			p.owed += paceResource * float64(len(state.Resources))
		}
	}
	return time.Duration(max(0, p.owed-paceBurst) / paceRate * float64(time.Second))
}

// stoppingTimer returns the sink of a stream that ends when the timer of its silence fires:
// what the host needs, and its pace, is no silence of the plugin.
func stoppingTimer(timer *time.Timer, silence time.Duration, sink sdk.Sink) sdk.Sink {
	return func(events ...sdk.Event) error {
		timer.Stop()
		defer timer.Reset(silence)
		return sink(events...)
	}
}

// paced returns the sink with its events bounded.
func paced(ctx context.Context, now func() time.Time, sink sdk.Sink) sdk.Sink {
	var p pace
	return func(events ...sdk.Event) error {
		if err := sink(events...); err != nil {
			return err
		}
		if pause := p.pauseAfter(events, now()); pause > 0 {
			sleep(ctx, pause)
		}
		return nil
	}
}
