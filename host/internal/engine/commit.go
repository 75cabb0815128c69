package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// change collects what goes into one transaction beside the aggregate.
type change struct {
	now      time.Time
	events   []deployment.Event
	blobs    []deployment.Blob
	audit    []deployment.AuditRecord
	consumed []string
	state    bool // the target's state goes with it
}

// event adds a row. Its seq is assigned by commit.
func (c *change) event(kind deployment.EventType, payload any) {
	data, err := json.Marshal(payload)
	if err != nil { // only a payload type that cannot be JSON at all
		data = []byte(fmt.Sprintf(`{"error":%q}`, err.Error()))
	}
	c.events = append(c.events, deployment.Event{Type: kind, Time: c.now, Data: data})
}

// commit applies mutate to the deployment and records it: facts first, then the
// statuses that follow from them, each change of status as an event, all in one
// transaction under the owner's epoch. While the store is away it tries again
// until the lease ends. After an error the owner knows nothing any more and has
// stopped.
func (o *owner) commit(d *deployment.Deployment, mutate func(c *change)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ctx.Err() != nil {
		return o.ctx.Err()
	}
	c := &change{now: o.engine.Now().UTC()}
	mutate(c)
	o.derive(d, c)
	for i := range c.events {
		d.Seq++
		c.events[i].DeploymentID, c.events[i].Seq = d.ID, d.Seq
	}
	d.UpdatedAt = c.now
	record := deployment.Change{
		Target: o.target, Epoch: o.epoch, Deployment: d,
		Events: c.events, Blobs: c.blobs, Audit: c.audit, Consumed: c.consumed,
	}
	if c.state {
		o.state.UpdatedAt = c.now
		record.State = &o.state
	}
	if err := o.store(record); err != nil {
		o.cancel()
		return fmt.Errorf("record deployment %s: %w", d.ID, err)
	}
	for _, id := range c.consumed {
		o.handled[id] = true
	}
	close(o.changed)
	o.changed = make(chan struct{})
	if len(c.events) > 0 {
		o.engine.Bus.Ring(d.ID)
	}
	return nil
}

// derive brings the statuses up to the facts and adds an event for each that
// changed. A step that the state machine does not know is a bug of the engine;
// it is logged and recorded as it is, so that the record stays true.
func (o *owner) derive(d *deployment.Deployment, c *change) {
	for i := range d.Components {
		component := &d.Components[i]
		status, reason := d.DeriveComponent(component)
		if status != component.Status {
			c.event(deployment.EventComponentStatus, deployment.ComponentStatusPayload{
				Component: component.Name, From: component.Status, Status: status, Reason: reason,
			})
		}
		component.Status, component.Reason = status, reason
	}
	status, reason := d.Derive()
	if status != d.Status {
		if !d.Status.CanBecome(status) {
			o.log.Error("status leaves the state machine", "deployment", d.ID, "from", d.Status, "to", status)
		}
		run := 0
		if r := d.Run(); r != nil {
			run = r.Number
			nextStage(d, c.now, status)
		}
		c.event(deployment.EventStatus, deployment.StatusPayload{Run: run, From: d.Status, Status: status, Reason: reason})
	}
	d.Status, d.Reason = status, reason
	if status.Terminal() {
		if end := d.LastEnd(); d.EndedAt.Before(end) {
			d.EndedAt, d.EndedBy = end, o.engine.Host
		}
	} else {
		d.EndedAt, d.EndedBy = time.Time{}, ""
	}
	if r := d.Run(); r != nil {
		r.Percentage = max(r.Percentage, deployment.ProgressOf(d).Percentage)
	}
}

// nextStage ends the open stage and begins that of the status, if it has one.
func nextStage(d *deployment.Deployment, now time.Time, status deployment.Status) {
	for i := range d.Runs {
		if n := len(d.Runs[i].Stages); n > 0 && d.Runs[i].Stages[n-1].EndedAt.IsZero() {
			d.Runs[i].Stages[n-1].EndedAt = now
		}
	}
	if !status.Terminal() {
		r := d.Run()
		r.Stages = append(r.Stages, deployment.Stage{Name: status, StartedAt: now})
	}
}

// store writes the record, again and again while the store is away.
func (o *owner) store(record deployment.Change) error {
	pause := o.engine.Retry / 50
	for {
		call, cancel := context.WithTimeout(o.ctx, o.engine.Config.Renew)
		err := o.engine.Store.Commit(call, record)
		cancel()
		if err == nil || !away(err) {
			return err
		}
		o.log.Warn("store is away", "error", err)
		if !sleep(o.ctx, pause) {
			return err
		}
		pause = min(2*pause, o.engine.Retry)
	}
}

// fetch reads from the store, again and again while it is away: that it cannot
// be read now says nothing about what runs.
func (o *owner) fetch(read func(context.Context) error) error {
	pause := o.engine.Retry / 50
	for {
		call, cancel := context.WithTimeout(o.ctx, o.engine.Config.Renew)
		err := read(call)
		cancel()
		if err == nil || !away(err) {
			return err
		}
		o.log.Warn("store is away", "error", err)
		if !sleep(o.ctx, pause) {
			return err
		}
		pause = min(2*pause, o.engine.Retry)
	}
}

// away says whether the store was away, or took so long that nobody waited.
func away(err error) bool {
	return errors.Is(err, deployment.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
}

// read runs a pure look at the aggregates under the lock.
func (o *owner) read(look func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	look()
}

// until waits until the condition, a look at recorded facts, holds. It returns
// the cause of ctx's end otherwise.
func (o *owner) until(ctx context.Context, holds func() bool) error {
	for {
		o.mu.Lock()
		reached, changed := holds(), o.changed
		o.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
	}
}

// publish sends an ephemeral event: its seq is that of the last row.
func (o *owner) publish(d *deployment.Deployment, kind deployment.EventType, payload any) {
	data, err := json.Marshal(payload)
	if err != nil {
		return
	}
	var seq uint64
	o.read(func() { seq = d.Seq })
	o.engine.Bus.Publish(deployment.Event{
		Type: kind, DeploymentID: d.ID, Seq: seq, Time: o.engine.Now().UTC(), Ephemeral: true, Data: data,
	})
}

// wait records what the deployment waits for, and why on behalf of whom (a
// component; "" for the whole). Another reason to wait for a plugin is no new
// wait: it goes on from when it began.
func (o *owner) wait(ctx context.Context, d *deployment.Deployment, whose string, kind deployment.WaitKind, subject string) {
	var same bool
	var since time.Time
	subject = clip(subject)
	o.read(func() {
		same = d.Waiting != nil && d.Waiting.Kind == kind && (d.Waiting.For == subject || o.waiter[d.ID] != whose)
		if d.Waiting != nil && d.Waiting.Kind == kind && kind == deployment.WaitPlugin {
			since = d.Waiting.Since
		}
	})
	if same || ctx.Err() != nil { // of several that wait the first is shown
		return
	}
	_ = o.commit(d, func(c *change) { // an error has stopped the owner
		o.waiter[d.ID] = whose
		if since.IsZero() {
			since = c.now
		}
		d.Waiting = &deployment.Waiting{Kind: kind, For: subject, Since: since}
		c.event(deployment.EventWaiting, deployment.WaitingPayload{Waiting: d.Waiting})
	})
}

// waitNoMore records that a wait of that kind is over for whom it was.
func (o *owner) waitNoMore(d *deployment.Deployment, whose string, kind deployment.WaitKind) {
	var waits bool
	o.read(func() { waits = d.Waiting != nil && d.Waiting.Kind == kind && o.waiter[d.ID] == whose })
	if !waits {
		return
	}
	_ = o.commit(d, func(c *change) { stopWaiting(d, c) })
}

// stopWaiting clears the wait within a change.
func stopWaiting(d *deployment.Deployment, c *change) {
	if d.Waiting != nil {
		d.Waiting = nil
		c.event(deployment.EventWaiting, deployment.WaitingPayload{})
	}
}

// sleep waits, and says whether ctx still goes on.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
