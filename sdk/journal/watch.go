package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

const (
	// lookEvery is how often Watch and Logs look for what another process wrote.
	lookEvery = time.Second
	// batch is how many lines are sent at once.
	batch = 64
)

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
		return p, expired(operation)
	}
	return p, nil
}

func expired(operation string) *sdk.Error {
	return sdk.Errorf(sdk.OutOfRange, sdk.ReasonResumeExpired, "the resume token is not of operation %q: watch again without one", operation)
}

// Watch sends what is written down of an operation, its lines and its steps, and waits
// for more until it has ended. It begins anew wherever a token says, in whatever
// process.
func (j *Journal[G]) Watch(ctx context.Context, r sdk.WatchRequest, sink sdk.Sink) (err error) {
	var at position
	if len(r.ResumeToken) > 0 {
		if at, err = parseToken(r.ResumeToken, r.Operation.ID); err != nil {
			return err
		}
	}
	fresh := len(r.ResumeToken) == 0
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		changed := j.Changed()
		record, err := j.Read()
		if err != nil {
			return Answer("watch", err)
		}
		o := record.Operation(r.Operation.ID)
		if o == nil {
			return unknown(r.Operation.ID)
		}
		if fresh {
			fresh = false
			if err := sink(sdk.Event{State: j.stateOf(o), ResumeToken: at.token(o.ID)}); err != nil {
				return err
			}
		}
		if at.steps > len(o.Steps) {
			return expired(o.ID)
		}
		if o.Outcome != nil {
			at.steps = min(at.steps, len(o.Steps)-1) // the Outcome ends every watch, also one that has told it
		}
		if ended, err := j.send(o, &at, sink); ended || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// send sends what is new, lines first: when a step is written, so are the lines
// before it.
func (j *Journal[G]) send(o *Operation[G], at *position, sink sdk.Sink) (ended bool, err error) {
	for {
		lines, next, err := j.readLog(o.ID, at.offset, batch)
		if err != nil {
			return false, Answer("read log", err)
		}
		if len(lines) == 0 {
			break
		}
		at.offset = next
		events := make([]sdk.Event, len(lines))
		for i := range lines {
			events[i] = sdk.Event{ObservedAt: lines[i].Time, Log: &lines[i]}
		}
		events[len(events)-1].ResumeToken = at.token(o.ID)
		if err := sink(events...); err != nil {
			return false, err
		}
	}
	for at.steps < len(o.Steps) {
		events := j.eventsOf(o, o.Steps[at.steps])
		at.steps++
		events[len(events)-1].ResumeToken = at.token(o.ID)
		if err := sink(events...); err != nil {
			return false, err
		}
		if events[0].Outcome != nil {
			return true, nil
		}
	}
	return false, nil
}

// eventsOf is what a step of an operation says on Watch.
func (j *Journal[G]) eventsOf(o *Operation[G], step Step) []sdk.Event {
	switch step.Name {
	case Candidate:
		return []sdk.Event{{ObservedAt: step.At, Candidate: candidateOf(o)}}
	case ended:
		return []sdk.Event{{ObservedAt: step.At, Outcome: j.outcomeOf(o)}}
	}
	state := j.stateOf(o)
	if len(state.Resources) == 0 {
		return []sdk.Event{{ObservedAt: step.At, State: state}}
	}
	events := make([]sdk.Event, len(state.Resources))
	for i := range state.Resources {
		events[i] = sdk.Event{ObservedAt: step.At, Resource: &state.Resources[i]}
	}
	return events
}

func (j *Journal[G]) stateOf(o *Operation[G]) *sdk.State {
	state := j.book.config.State(o)
	if o.Waits() {
		state.Candidate = candidateOf(o)
	}
	return state
}

func candidateOf[G any](o *Operation[G]) *sdk.Candidate {
	return &sdk.Candidate{Revision: o.Revision, Addresses: o.Addresses}
}

// results turns what is written into what the contract says.
var results = map[string]sdk.Result{
	Succeeded: sdk.ResultSucceeded, Failed: sdk.ResultFailed, Cancelled: sdk.ResultCancelled, Superseded: sdk.ResultSuperseded,
}

// outcomeOf is how an operation ended.
func (j *Journal[G]) outcomeOf(o *Operation[G]) *sdk.Outcome {
	out := &sdk.Outcome{
		Result: results[o.Outcome.Result], Message: o.Outcome.Message, SupersededBy: o.Outcome.By, Revision: o.Revision,
		Addresses: o.Outcome.Addresses, Outputs: o.Outcome.Outputs,
	}
	if o.Outcome.Result == Failed {
		out.Failure = &sdk.Failure{
			Code: o.Outcome.Code, Resource: j.book.config.Resource, Message: o.Outcome.Message, Suggestion: o.Outcome.Suggestion,
			Environment: o.Outcome.Environment, Logs: j.lastLines(o.ID),
		}
	}
	return out
}
