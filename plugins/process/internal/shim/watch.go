package shim

import (
	"context"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/record"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

// watch streams events: of one operation until its outcome, or of the component
// for as long as the plugin listens.
func (c *component) watch(ctx context.Context, request control.Request, send func(control.Response) error) error {
	id := ""
	if request.Method == control.Watch {
		id = request.Operation.ID
		if op := c.operation(id); op.Phase == state.PhaseFinished && op.Outcome == nil {
			return sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "operation %q was never accepted here, or is forgotten", id)
		}
	}
	seq, logs, err := c.begin(id, request.Token, send)
	if err != nil {
		return err
	}
	for {
		entries, gap, missed, wait := c.hub.after(seq, logs)
		if gap {
			events := append([]sdk.Event{c.stateEvent(id, seq)}, c.stand()...)
			if missed > 0 {
				events = append(events, sdk.Event{ObservedAt: time.Now(), DroppedLogLines: missed})
			}
			if err := send(control.Response{Events: record.OfEvents(events)}); err != nil {
				return err
			}
		}
		if len(entries) == 0 {
			if outcome := c.outcome(id); outcome != nil {
				return send(control.Response{Events: record.OfEvents([]sdk.Event{{ObservedAt: time.Now(), Outcome: outcome, ResumeToken: c.hub.token(seq)}}), End: true})
			}
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		batch, ended := selectEvents(id, entries)
		last := entries[len(entries)-1]
		seq, logs = last.seq, last.logs
		if len(batch) > 0 {
			if err := send(control.Response{Events: record.OfEvents(batch), End: ended}); err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
	}
}

// begin finds the place of a token, or sends the State that a fresh stream
// begins with.
func (c *component) begin(id string, token []byte, send func(control.Response) error) (seq, logs uint64, err error) {
	if len(token) > 0 {
		seq, logs, err = c.hub.resume(token)
		if err != nil {
			return 0, 0, err
		}
		return seq, logs, send(control.Response{}) // the plugin learns that the token holds
	}
	seq, logs = c.hub.position() // before the picture: what changes now is told again
	events := []sdk.Event{c.stateEvent(id, seq)}
	if id == "" { // an operation is not told what was before it
		events = append(events, c.stand()...)
	} else if lines := c.linesSince(id, mark{seq, logs}); len(lines) > 0 {
		events[0].ResumeToken = nil // who resumes wants the lines too
		events = append(events, lines...)
	}
	for len(events) > 0 {
		batch := events[:min(batchSize, len(events))]
		if err := send(control.Response{Events: record.OfEvents(batch)}); err != nil {
			return 0, 0, err
		}
		events = events[len(batch):]
	}
	return seq, logs, nil
}

// linesSince is what was written since an operation was accepted, before anybody
// watched it. The last event has the token.
func (c *component) linesSince(id string, now mark) []sdk.Event {
	ended := c.outcome(id) != nil
	c.mu.Lock()
	known, began := c.beganOp == id, c.began
	c.mu.Unlock()
	if !known {
		return nil
	}
	lines, missed := c.hub.told(id, ended, began, now)
	for i := range lines {
		lines[i].ResumeToken = nil
	}
	if missed > 0 {
		lines = append([]sdk.Event{{ObservedAt: time.Now(), DroppedLogLines: missed}}, lines...)
	}
	if len(lines) > 0 {
		lines[len(lines)-1].ResumeToken = c.hub.token(now.seq)
	}
	return lines
}

// selectEvents picks what a stream is about, up to the outcome.
func selectEvents(id string, entries []entry) (batch []sdk.Event, ended bool) {
	for _, e := range entries {
		if e.op != "" && e.op != id {
			continue
		}
		batch = append(batch, e.event)
		if e.event.Outcome != nil {
			return batch, true
		}
	}
	return batch, false
}

func (c *component) outcome(id string) *sdk.Outcome {
	if id == "" {
		return nil
	}
	return record.ToOutcome(c.operation(id).Outcome)
}

func (c *component) stateEvent(id string, seq uint64) sdk.Event {
	s := &sdk.State{Phase: sdk.PhaseStabilizing, Fraction: 1, Resources: c.resources()}
	c.mu.Lock()
	defer c.mu.Unlock()
	op := c.st.Operation(id)
	if id == "" {
		op = c.st.Operation(c.st.Active)
	}
	if c.st.Serving != nil {
		s.Message = fmt.Sprintf("version %s serves", c.st.Serving.Version)
	} else {
		s.Message = "nothing runs"
	}
	if op != nil && op.Phase != state.PhaseFinished {
		s.Phase, s.Fraction, s.Message = progress(op)
		if id != "" && c.candidate != nil && c.ready && c.candidate.deployed.OperationID == id {
			s.Candidate = candidateOf(c.candidate, c.inForce)
		}
	}
	return sdk.Event{ObservedAt: time.Now(), State: s, ResumeToken: c.hub.token(seq)}
}

// progress says how far an operation is: half of the way is to be ready, the
// traffic is most of the rest.
func progress(op *state.Operation) (sdk.Phase, float64, string) {
	switch op.Phase {
	case state.PhaseReady:
		return sdk.PhaseStabilizing, 0.5 + 0.4*float64(op.Percent)/100, fmt.Sprintf("version %s is up and gets %d %% of the traffic", op.Version, op.Percent)
	case state.PhaseSettling:
		return sdk.PhaseStabilizing, 0.95, fmt.Sprintf("version %s serves; the old instances finish their requests", op.Version)
	case state.PhaseRemoving:
		return sdk.PhaseProgressing, 0.5, "instances finish their requests and stop"
	default:
		return sdk.PhaseProgressing, 0.1, fmt.Sprintf("instances of version %s start", op.Version)
	}
}
