package platform

import (
	"context"
	"fmt"
	"time"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
)

// lookEvery is how often Watch and WatchTarget look for what nobody announces: the
// changes of other people.
const lookEvery = time.Second

// batch is how many log lines are sent at once.
const batch = 64

// position is how much of an operation was sent. It is the resume token.
type position struct {
	steps  int
	offset int64 // in the operation's log
}

func (p position) token(operation string) []byte {
	return fmt.Appendf(nil, "%s %d %d", operation, p.steps, p.offset)
}

func parseToken(token []byte, operation string) (p position, err error) {
	var of string
	n, err := fmt.Sscanf(string(token), "%s %d %d", &of, &p.steps, &p.offset)
	if err != nil || n != 3 || of != operation || p.steps < 0 || p.offset < 0 {
		return p, sdk.Errorf(sdk.OutOfRange, sdk.ReasonResumeExpired, "the resume token is not of operation %q: watch again without one", operation)
	}
	return p, nil
}

// Watch sends what is written down of an operation, its lines and its steps, and
// waits for more until it has ended. It begins anew wherever a token says.
func (p *Platform) Watch(ctx context.Context, r sdk.WatchRequest, sink sdk.Sink) error {
	dir, err := p.dir(r.Target)
	if err != nil {
		return err
	}
	id := r.Operation.ID
	var at position
	if len(r.ResumeToken) > 0 {
		if at, err = parseToken(r.ResumeToken, id); err != nil {
			return err
		}
	}
	fresh := len(r.ResumeToken) == 0
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	seen := "" // of what is current
	for {
		woken := p.wakeup()
		s, err := dir.Load()
		if err != nil {
			return answer("watch", err)
		}
		o := s.Operation(id)
		if o == nil {
			return sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "operation %q was never accepted here, or is forgotten", id)
		}
		if fresh {
			fresh = false
			if err := sink(sdk.Event{State: stateOf(o), ResumeToken: at.token(id)}); err != nil {
				return err
			}
		}
		if ended, err := p.send(dir, o, &at, sink); ended || err != nil {
			return err
		}
		select {
		case <-woken:
		case <-tick.C:
			if now, err := dir.Fingerprint(ctx); err == nil && now != seen && o.Waits() {
				seen = now
				p.drive(dir, o) // which looks whether what is current was changed
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// send sends what is new, lines first: when a step is written, so are the lines
// before it.
func (p *Platform) send(dir component.Dir, o *component.Operation, at *position, sink sdk.Sink) (ended bool, err error) {
	for {
		lines, next, err := dir.ReadLog(o.ID, at.offset, batch)
		if err != nil {
			return false, answer("read log", err)
		}
		if len(lines) == 0 {
			break
		}
		at.offset = next
		events := make([]sdk.Event, len(lines))
		for i, line := range lines {
			events[i] = sdk.Event{ObservedAt: line.At, Log: lineOf(line)}
		}
		events[len(events)-1].ResumeToken = at.token(o.ID)
		if err := sink(events...); err != nil {
			return false, err
		}
	}
	for at.steps < len(o.Steps) {
		event := eventOf(dir, o, o.Steps[at.steps])
		at.steps++
		event.ResumeToken = at.token(o.ID)
		if err := sink(event); err != nil || event.Outcome != nil {
			return event.Outcome != nil, err
		}
	}
	return false, nil
}
