package engine

import (
	"context"
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// rollBack carries out the deployment's open rollback run: what still runs is
// stopped and awaited, then the changed components go back in reverse order,
// each through its gate. It ends rolled_back or rollback_failed.
func (o *owner) rollBack(course context.Context, d *deployment.Deployment) {
	if done, err := o.lockRollback(course, d); done || err != nil {
		return
	}
	var ctx context.Context
	var stop context.CancelFunc
	o.read(func() {
		r := d.Run()
		ctx, stop = o.before(o.ctx, r, r.LockedAt, d.Definition.Policy.Timeouts.RollingBack, "rolling back")
	})
	defer stop()
	err := o.settle(ctx, d)
	if err == nil {
		err = o.fixSteps(d)
	}
	if err == nil {
		err = o.restoreAll(ctx, d)
	}
	if o.ctx.Err() != nil {
		return
	}
	if err != nil {
		o.rollbackFailed(d, err)
		return
	}
	o.rolledBack(d)
}

// lockRollback takes the lock for a rollback that a person asked for. When its
// turn comes the deployment must still be current: otherwise the run ends
// refused, and the status is what it was. Until then a person can call it off,
// which ends its course.
func (o *owner) lockRollback(course context.Context, d *deployment.Deployment) (done bool, err error) {
	var locked, current bool
	o.read(func() {
		locked, current = !d.Run().LockedAt.IsZero(), o.state.Current == d.ID
	})
	if locked {
		return false, nil
	}
	refused := ""
	if current {
		if refused = o.checkPlannedRollback(course, d); o.ctx.Err() != nil {
			return true, o.ctx.Err()
		}
	}
	err = o.commit(d, func(c *change) {
		r := d.Run()
		if done = r.Cancel != nil; done {
			endWithdrawn(d, c)
			return
		}
		stopWaiting(d, c)
		switch {
		case !current:
			refused = "deployment " + o.state.Current + " is current by now"
		case r.TargetVersion != "" && r.Goal == "":
			refused = "version " + r.TargetVersion + " is not in the history any more"
		}
		if refused != "" {
			previous := &d.Runs[len(d.Runs)-2]
			r.EndedAt, r.Result = c.now, previous.Result
			r.Why = previous.Why + "; a rollback was refused: " + refused
			return
		}
		c.state = true
		o.state.Holder = d.ID
		r.LockedAt = c.now
	})
	return done || refused != "", err
}

// checkPlannedRollback says what was changed on the platform since the approved
// plan of a rollback was made, "" when nothing was, or when there is no plan.
func (o *owner) checkPlannedRollback(course context.Context, d *deployment.Deployment) string {
	var planned deployment.Planned
	var ctx context.Context
	var stop context.CancelFunc
	o.read(func() {
		r := d.Run()
		if r.Planned != nil {
			planned = *r.Planned
		}
		ctx, stop = o.before(course, r, o.engine.Now(), d.Definition.Policy.Timeouts.Preparing, "looking at what runs")
	})
	defer stop()
	for _, p := range planned.Components {
		var component deployment.Component
		o.read(func() {
			if c := d.Component(p.Component); c != nil {
				component = *c
			}
		})
		if component.Name == "" { // comes back by the rollback: nothing runs that could have moved
			continue
		}
		var seen sdk.SnapshotResult
		err := o.ask(ctx, d, p.Component, component.Platform, "look at what runs", func(ctx context.Context, p sdk.Platform) error {
			var err error
			seen, err = p.Snapshot(ctx, sdk.SnapshotRequest{Target: o.targetFor(d, &component)})
			return err
		})
		switch {
		case err != nil:
			return err.Error()
		case seen.ObservedDigest != p.ObservedDigest:
			return outOfDate(p.Component, "was changed on the platform after the plan was made").Message
		}
	}
	return ""
}

// rolledBack ends the run well.
func (o *owner) rolledBack(d *deployment.Deployment) {
	_ = o.commit(d, func(c *change) {
		stopWaiting(d, c)
		r := d.Run()
		r.EndedAt, r.Result = c.now, deployment.RolledBack
		what := r.To
		if what == "" {
			what = "nothing, as before"
		}
		r.Why = fmt.Sprintf("back on %s", what)
		if r.Reason != "" {
			r.Why += ": " + r.Reason
		}
		o.restoreState(d, r, c)
	})
}

// rollbackFailed ends the run badly: the deployment stays current, and a person
// can try again.
func (o *owner) rollbackFailed(d *deployment.Deployment, err error) {
	f := asFailure(err, "")
	o.keepEvidence(d, f)
	_ = o.commit(d, func(c *change) {
		stopWaiting(d, c)
		r := d.Run()
		r.Failure = &f.Failure
		r.EndedAt, r.Result = c.now, deployment.RollbackFailed
		r.Why = "rollback failed: " + f.Error()
		o.leave(d, c)
		for i := range r.Steps {
			o.leaveStep(d, r, &r.Steps[i])
		}
	})
}
