package engine

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// errSilent ends a Watch stream from which nothing came for too long.
var errSilent = errors.New("watch stream silent")

// errUnheard is why nobody sees what an operation does whose Watch has not begun.
var errUnheard = errors.New("the plugin has sent nothing on Watch")

// errOver ends a Watch stream after the outcome, whatever the plugin goes on to
// say.
var errOver = errors.New("the operation has ended")

// watch follows the operation until its outcome is recorded. A broken stream is
// opened again from the stored token; after a plugin was gone, the platform is
// asked first and the last stored Promote repeated.
func (f *flight) watch(ctx context.Context) error {
	gone := false
	pause := f.o.engine.Retry / 50
	for {
		if op, _ := f.op(); op.Outcome != nil {
			return nil
		}
		if gone {
			if err := f.pickUp(ctx); err != nil {
				return err
			}
			if op, _ := f.op(); op.Outcome != nil {
				return nil
			}
			gone = false
		}
		began := f.o.engine.Now()
		err := f.stream(ctx)
		if op, _ := f.op(); op.Outcome != nil {
			return nil
		}
		switch {
		case f.o.ctx.Err() != nil:
			return f.o.ctx.Err()
		case ctx.Err() != nil:
			return endOf(ctx, err)
		case sdk.ReasonOf(err) == sdk.ReasonResumeExpired || sdk.CodeOf(err) == sdk.OutOfRange:
			if err := f.o.commit(f.d, func(*change) { f.step().Operation().Token = nil }); err != nil {
				return err
			}
			continue
		case err != nil && !uncertain(err) && !throttled(err) && !errors.Is(err, errSilent):
			f.o.log.Warn("watch an operation", "component", f.component, "error", err)
		}
		gone = true
		f.sees(err)
		if f.o.engine.Now().Sub(began) > f.o.engine.Retry {
			pause = f.o.engine.Retry / 50
		}
		if !sleep(ctx, pause) {
			return context.Cause(ctx)
		}
		pause = min(2*pause, f.o.engine.Retry)
	}
}

// sees records whether somebody sees what the operation does: not after a stream
// ended without its outcome, with err or without.
func (f *flight) sees(err error) {
	if err == nil {
		err = errors.New("the stream ended without an outcome")
	}
	f.o.read(func() { f.blind = err })
}

// pickUp asks the platform what became of the operation and repeats what it was
// told last: to stop, or the last stored Promote. One that was told to stop and
// never started is not wanted any more.
func (f *flight) pickUp(ctx context.Context) error {
	started, err := f.recover(ctx)
	if err != nil {
		return err
	}
	op, _ := f.op()
	if !started && !op.CancelAt.IsZero() {
		return f.refuse(errors.New("cancelled, and nothing of it is there"))
	}
	if !started {
		if err := f.accept(ctx); err != nil {
			return err
		}
		op, _ = f.op()
	}
	switch {
	case op.Outcome != nil:
		return nil
	case !op.CancelAt.IsZero():
		return f.cancel(ctx)
	case op.Percent > 0:
		return f.promote(ctx)
	default:
		return nil
	}
}

// stream reads one Watch stream and records its batches.
func (f *flight) stream(ctx context.Context) error {
	p, err := f.o.platform(ctx, f.d, f.component, f.platform)
	if err != nil {
		return err
	}
	op, _ := f.op()
	bounded, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(f.o.engine.Silence, func() { cancel(errSilent) })
	defer silence.Stop()
	f.o.read(func() {
		f.stood = 0
		if f.blind == nil && len(op.Token) == 0 { // a fresh stream begins with the full picture, at once
			f.blind = errUnheard
		}
	})
	err = p.Watch(bounded, sdk.WatchRequest{
		Target: f.target, Handle: toHandle(op.Handle),
		Operation: operationOf(f.d, &op, f.o.epoch), ResumeToken: op.Token,
	}, stoppingTimer(silence, f.o.engine.Silence, paced(bounded, f.o.engine.Now, func(events ...sdk.Event) error {
		f.o.read(func() { f.blind = nil })
		if err := f.record(op.ID, events); err != nil {
			return err
		}
		if f.ended() {
			return errOver
		}
		return nil
	})))
	if cause := context.Cause(bounded); errors.Is(cause, errSilent) {
		return errSilent
	}
	return err
}

// record stores a batch of events, with the token that stands after it, in one
// transaction. What is no transition goes to those who look on.
func (f *flight) record(operation string, events []sdk.Event) error {
	rows := false
	moved := false
	for i := range events {
		if line := events[i].Log; line != nil {
			f.o.publish(f.d, deployment.EventLog, deployment.LogPayload{
				Component: f.component, LogLine: fromLog(*line), Dropped: events[i].DroppedLogLines,
			})
			continue
		}
		if !events[i].Heartbeat && events[i].DroppedLogLines == 0 {
			rows = true
		}
	}
	if !rows {
		return nil
	}
	err := f.o.commit(f.d, func(c *change) {
		op := f.step().Operation()
		if op.ID != operation { // its successor is what counts by now
			return
		}
		for i := range events {
			if op.Outcome != nil { // the last word was said
				f.misdeed(MisdeedAfter, operation)
				break
			}
			moved = f.apply(c, op, &events[i]) || moved
		}
		if token := events[len(events)-1].ResumeToken; len(token) > 0 {
			op.Token = token
		}
	})
	if err == nil && moved {
		f.o.publishProgress(f.d)
	}
	return err
}

// apply records one event and says whether the progress moved.
func (f *flight) apply(c *change, op *deployment.Operation, event *sdk.Event) bool {
	component := f.d.Component(f.component)
	switch {
	case event.State != nil:
		applyPicture(c, component, event.State.Resources)
		if event.State.Candidate != nil {
			f.applyCandidate(c, op, *event.State.Candidate)
		}
		op.Phase, op.Message = phaseName(event.State.Phase), clip(event.State.Message)
		fraction := event.State.Fraction
		if math.IsNaN(fraction) || fraction < f.stood || fraction > 1 {
			f.misdeed(MisdeedBackwards, op.ID)
			return false
		}
		if f.stood = fraction; fraction < op.Fraction {
			return false // a plugin that was started anew counts from the beginning
		}
		op.Fraction = fraction
		return true
	case event.Resource != nil:
		applyResource(c, component, fromResource(*event.Resource))
	case event.Handle != nil:
		op.Handle = fromHandle(*event.Handle)
	case event.Candidate != nil:
		f.applyCandidate(c, op, *event.Candidate)
		return true
	case event.Drift != nil:
		f.o.driftEvent(c, f.component, *event.Drift)
	case event.Outcome != nil:
		f.finish(c, *event.Outcome)
		return true
	}
	return false
}

// applyCandidate records the candidate, and as a row its first appearance and
// every new share of the traffic.
func (f *flight) applyCandidate(c *change, op *deployment.Operation, candidate sdk.Candidate) {
	kind := deployment.EventCandidatePromoted
	switch {
	case op.Candidate == nil:
		kind = deployment.EventCandidateReady
	case op.Candidate.Percent == candidate.Percent:
		op.Candidate = fromCandidate(candidate)
		return
	}
	op.Candidate = fromCandidate(candidate)
	if candidate.Percent > 0 {
		op.PercentAt = c.now
	}
	c.event(kind, deployment.CandidatePayload{
		Component: f.component, Operation: op.ID, Revision: op.Candidate.Revision,
		Addresses: op.Candidate.Addresses, Percent: candidate.Percent,
	})
}

// applyPicture records a full picture of the resources, which replaces what was
// known.
func applyPicture(c *change, component *deployment.Component, resources []sdk.Resource) {
	seen := map[string]bool{} // of those that are known
	for i := range component.Resources {
		seen[component.Resources[i].ID] = false
	}
	for i := range resources {
		if _, known := seen[clip(resources[i].ID)]; !known && crowded(component) {
			continue // a hundred thousand for which there is no room are not looked for one by one
		}
		r := fromResource(resources[i])
		seen[r.ID] = applyResource(c, component, r)
	}
	kept := component.Resources[:0]
	for _, r := range component.Resources {
		if seen[r.ID] {
			kept = append(kept, r)
			continue
		}
		r.Health = deployment.ResourceGone
		c.event(deployment.EventResourceStatus, deployment.ResourcePayload{Component: component.Name, Resource: r})
	}
	component.Resources = kept
}

// applyResource records one resource: a change of health or reason is a row. It says
// whether there was room for it.
func applyResource(c *change, component *deployment.Component, r deployment.Resource) bool {
	at := slices.IndexFunc(component.Resources, func(known deployment.Resource) bool { return known.ID == r.ID })
	if at < 0 && crowded(component) {
		return false
	}
	if at < 0 || component.Resources[at].Health != r.Health || component.Resources[at].Reason != r.Reason {
		c.event(deployment.EventResourceStatus, deployment.ResourcePayload{Component: component.Name, Resource: r})
	}
	switch gone := r.Health == deployment.ResourceGone; {
	case at >= 0 && gone:
		component.Resources = slices.Delete(component.Resources, at, at+1)
	case at >= 0:
		component.Resources[at] = r
	case !gone:
		component.Resources = append(component.Resources, r)
	}
	return true
}

// publishProgress sends the progress of the deployment's run.
func (o *owner) publishProgress(d *deployment.Deployment) {
	var payload deployment.ProgressPayload
	o.read(func() {
		payload.Progress = deployment.ProgressOf(d)
		payload.ETA = deployment.EstimateETA(d, o.past, o.engine.Now())
	})
	o.publish(d, deployment.EventProgress, payload)
}
