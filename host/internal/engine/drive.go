package engine

import (
	"context"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// pastRuns is how many past runs an estimate rests on at most.
const pastRuns = 20

// drive goes on with the deployment's open run, and with the rollback that may
// follow from it, until no run is open or the lease is lost.
func (o *owner) drive(course context.Context, d *deployment.Deployment) {
	o.resume(d)
	for o.ctx.Err() == nil {
		var open bool
		var kind deployment.RunKind
		o.read(func() {
			r := d.Run()
			open, kind = r.Open(), r.Kind
		})
		if !open {
			return
		}
		o.recall(kind)
		if kind == deployment.RunRollback {
			o.rollBack(course, d)
			continue
		}
		o.deploy(course, d)
	}
}

// recall reads how long past runs took, for estimates; without them there are
// none from history.
func (o *owner) recall(kind deployment.RunKind) {
	past, err := o.engine.Store.PastRuns(o.ctx, o.target, kind, pastRuns)
	if err != nil {
		o.log.Debug("read past runs", "error", err)
	}
	o.read(func() { o.past = past })
}

// heartbeat records now and then that the active run is looked at, though
// nothing changes: what a crash makes of the time since the last record is time
// in which nobody looked, and a deadline has to come all the same.
func (o *owner) heartbeat() {
	var due *deployment.Deployment
	o.read(func() {
		if d := o.active; d != nil && !d.Run().LockedAt.IsZero() && d.Run().Open() &&
			o.engine.Now().Sub(d.UpdatedAt) >= o.engine.Config.Renew {
			due = d
		}
	})
	if due != nil {
		_ = o.commit(due, func(*change) {}) // an error has stopped the owner
	}
}

// resume leaves the time in which nobody looked out of the run's deadlines, and
// drops the wait of a host that is gone: what has to wait says so anew.
func (o *owner) resume(d *deployment.Deployment) {
	var locked bool
	o.read(func() { locked = !d.Run().LockedAt.IsZero() })
	if !locked {
		return
	}
	_ = o.commit(d, func(c *change) {
		stopWaiting(d, c)
		if idle := c.now.Sub(d.UpdatedAt); idle > 0 {
			r := d.Run()
			r.Idle += idle
			r.Gaps = append(r.Gaps, deployment.Gap{From: d.UpdatedAt, To: c.now})
		}
	})
}

// deploy is the good course of a deploy or a removal: lock, prepare, deploy,
// verify, complete. Every part reads from the record what was done already.
func (o *owner) deploy(course context.Context, d *deployment.Deployment) {
	err := o.lock(d)
	for _, part := range []func(context.Context, *deployment.Deployment) error{
		o.prepare, o.deployAll, o.bake, o.complete,
	} {
		if err == nil {
			err = part(course, d)
		}
	}
	if err != nil && o.ctx.Err() == nil {
		o.conclude(d, err)
	}
}

// before returns ctx bounded by a stored deadline: limit after start, without
// the time of the run in which nobody looked. Called under mu.
func (o *owner) before(ctx context.Context, r *deployment.Run, start time.Time, limit time.Duration, what string) (context.Context, context.CancelFunc) {
	if limit <= 0 {
		return context.WithCancel(ctx)
	}
	left := start.Add(limit).Add(r.IdleSince(start)).Sub(o.engine.Now())
	return context.WithTimeoutCause(ctx, left, &deadlineError{what: what, long: limit.String()})
}
