package engine

import (
	"context"
	"errors"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// conclude ends a deploy run that did not go well: as cancelled, as failed, or
// by opening the rollback that follows from it. A person who cancelled is heard
// before the policy, also when the run failed meanwhile; but what must be kept
// as it is stays.
func (o *owner) conclude(d *deployment.Deployment, err error) {
	f := asFailure(err, "")
	cancelled := func() bool { return d.Run().Cancel != nil && !f.Keep }
	if !errors.Is(err, errCancelled) {
		o.keepEvidence(d, f)
	}
	leaves := f.Keep || d.Definition.Policy.OnFailure == deployment.OnFailureLeave
	if leaves && !o.holds(cancelled) && !o.settleLeft(d, f) {
		return
	}
	_ = o.commit(d, func(c *change) {
		stopWaiting(d, c)
		if cancelled() {
			o.endCancelled(d, c)
			return
		}
		r := d.Run()
		r.Failure = &f.Failure
		if s := r.Step(f.Component); s != nil && s.PassedAt.IsZero() {
			s.Failure = &f.Failure
		}
		r.EndedAt, r.Result, r.Why = c.now, deployment.Failed, f.Error()
		switch {
		case !d.Began():
			o.release(d, c)
		case f.Keep:
			r.Why += "; nothing was undone"
			o.leave(d, c)
		case d.Definition.Policy.OnFailure == deployment.OnFailureLeave:
			r.Why += "; left as it is, as on_failure says"
			o.leave(d, c)
		default:
			o.openRollback(d, c, deployment.TriggerPolicy,
				deployment.Actor{Kind: deployment.ActorPolicy, Name: "on_failure"}, f.Error())
			c.audit = append(c.audit, deployment.AuditRecord{
				At: c.now, Actor: deployment.Actor{Kind: deployment.ActorPolicy, Name: "on_failure"},
				Action: "deployment.rollback", Object: d.ID, Reason: f.Error(),
			})
		}
	})
}

// settleLeft ends what still runs at the platforms beside the component that
// failed, before the lock is given back: nothing may go on that nobody follows.
// What is on a platform that nobody can reach has to stay as it is. It says
// whether the target is still ours.
func (o *owner) settleLeft(d *deployment.Deployment, f *failure) bool {
	var ctx context.Context
	var stop context.CancelFunc
	o.read(func() {
		ctx, stop = o.before(o.ctx, d.Run(), o.engine.Now(), d.Definition.Policy.Timeouts.RollingBack, "ending what still runs")
	})
	defer stop()
	var except []string
	o.read(func() {
		failed := d.Component(f.Component)
		for i := range d.Components {
			c := &d.Components[i]
			unreachable := f.Code == deployment.CodePluginDown && failed != nil && c.Platform == failed.Platform
			if f.Keep && c.Name == f.Component || unreachable {
				except = append(except, c.Name)
			}
		}
	})
	if err := o.settle(ctx, d, except...); err != nil {
		o.log.Warn("end what still runs", "deployment", d.ID, "error", err)
	}
	return o.ctx.Err() == nil
}

// endCancelled ends, within a change, a run that a person stopped: where nothing
// was begun it is cancelled, else what was changed is restored.
func (o *owner) endCancelled(d *deployment.Deployment, c *change) {
	r := d.Run()
	r.EndedAt, r.Result, r.Why = c.now, deployment.Cancelled, r.Cancel.Why()
	if !d.Began() {
		o.release(d, c)
		return
	}
	o.openRollback(d, c, deployment.TriggerUser, r.Cancel.Actor, r.Why)
}

// openRollback appends the run that brings each component back to its `before`.
// Its steps are fixed once the open operations have ended.
func (o *owner) openRollback(d *deployment.Deployment, c *change, trigger deployment.Trigger, actor deployment.Actor, reason string) {
	d.Runs = append(d.Runs, deployment.Run{
		Number: len(d.Runs) + 1, Kind: deployment.RunRollback, Trigger: trigger, Actor: actor,
		Reason: reason, From: d.Version, To: d.PreviousVersion,
		RequestedAt: c.now, LockedAt: c.now,
	})
}
