package engine

import (
	"errors"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// carryOut does what a person asked for, as far as it is still possible, and
// marks the command as done in the same transaction.
func (o *owner) carryOut(command deployment.Command) {
	var d *deployment.Deployment
	o.read(func() { d = o.find(command.DeploymentID) })
	if d == nil {
		loaded, err := o.engine.Store.Deployment(o.ctx, command.DeploymentID)
		if err != nil && !errors.Is(err, deployment.ErrNotFound) {
			o.log.Warn("read the deployment of a command", "deployment", command.DeploymentID, "error", err)
			return
		}
		d = loaded
	}
	if d == nil {
		o.handled[command.ID] = true
		return
	}
	var open bool
	var kind deployment.RunKind
	o.read(func() {
		if r := d.Run(); r != nil {
			open, kind = r.Open(), r.Kind
		}
	})
	switch {
	case open && kind != deployment.RunRollback:
		o.stop(d, command)
	case open && command.Kind == deployment.CommandCancel:
		o.withdraw(d, command)
	case open || command.Kind == deployment.CommandCancel:
		_ = o.commit(d, func(c *change) { c.consumed = append(c.consumed, command.ID) })
	default:
		o.queueRollback(d, command)
	}
}

// stop cancels a deploy run: before it has begun it ends at once, afterwards its
// course ends and what was changed is restored.
func (o *owner) stop(d *deployment.Deployment, command deployment.Command) {
	wish := &deployment.Cancel{Actor: command.Actor, Reason: command.Reason, At: command.At}
	err := o.commit(d, func(c *change) {
		c.consumed = append(c.consumed, command.ID)
		r := d.Run()
		if !r.Open() || r.Kind == deployment.RunRollback {
			return // it ended, or goes back already, since the command was read
		}
		runs := !r.LockedAt.IsZero() || o.active == d
		if runs && command.Waiting {
			return // it was meant for one that waits
		}
		if r.Cancel == nil {
			r.Cancel = wish
		}
		if runs {
			return
		}
		stopWaiting(d, c)
		r.EndedAt, r.Result, r.Why = c.now, deployment.Cancelled, r.Cancel.Why()
	})
	if err != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.interrupt(d)
	o.forget(d)
}

// interrupt ends the course of a run that a person cancelled. Called under mu.
func (o *owner) interrupt(d *deployment.Deployment) {
	if o.active == d && o.stopActive != nil && d.Run().Cancel != nil {
		o.stopActive(errCancelled)
	}
}

// withdraw cancels a rollback that has not begun; one that has begun goes on.
func (o *owner) withdraw(d *deployment.Deployment, command deployment.Command) {
	_ = o.commit(d, func(c *change) {
		c.consumed = append(c.consumed, command.ID)
		r := d.Run()
		if !r.Open() || !r.LockedAt.IsZero() {
			return
		}
		r.Cancel = &deployment.Cancel{Actor: command.Actor, Reason: command.Reason, At: command.At}
		if o.active != d { // else it ends by itself, before it takes the lock
			endWithdrawn(d, c)
		}
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	o.interrupt(d)
	o.forget(d)
}

// endWithdrawn ends, within a change, a rollback that has not begun: all is as
// it was.
func endWithdrawn(d *deployment.Deployment, c *change) {
	stopWaiting(d, c)
	r, previous := d.Run(), &d.Runs[len(d.Runs)-2]
	r.EndedAt, r.Result, r.Why = c.now, previous.Result, previous.Why
}

// queueRollback opens a rollback run of an ended deployment. Whether it is still
// current, and its goal still there, is looked at when its turn comes.
func (o *owner) queueRollback(d *deployment.Deployment, command deployment.Command) {
	goal := ""
	if command.TargetVersion != "" {
		source, err := o.engine.Store.Completed(o.ctx, o.target, command.TargetVersion)
		switch {
		case err == nil:
			goal = source.ID
		case !errors.Is(err, deployment.ErrNotFound):
			o.log.Warn("find the goal of a rollback", "version", command.TargetVersion, "error", err)
			return
		}
	}
	err := o.commit(d, func(c *change) {
		c.consumed = append(c.consumed, command.ID)
		to := d.PreviousVersion
		if command.TargetVersion != "" {
			to = command.TargetVersion
		}
		d.Runs = append(d.Runs, deployment.Run{
			Number: len(d.Runs) + 1, Kind: deployment.RunRollback, Trigger: deployment.TriggerUser,
			Actor: command.Actor, Reason: command.Reason, From: d.Version, To: to,
			TargetVersion: command.TargetVersion, Goal: goal, Planned: command.Planned,
			RequestedAt: command.At,
		})
	})
	if err != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, other := range o.open {
		if other == d {
			return
		}
	}
	o.open = append(o.open, d)
}
