package engine

import (
	"context"
	"errors"
	"sort"
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

// lock takes the target for the deployment and fixes what it starts from.
func (o *owner) lock(d *deployment.Deployment) error {
	var locked bool
	o.read(func() { locked = !d.Run().LockedAt.IsZero() })
	if locked {
		return nil
	}
	dropped, err := o.dropped(d)
	if err != nil {
		return err
	}
	return o.commit(d, func(c *change) {
		stopWaiting(d, c)
		c.state = true
		o.state.Holder = d.ID
		d.Previous, d.PreviousVersion = o.state.Current, o.state.Version
		d.Components = append(d.Components, dropped...)
		r := d.Run()
		r.LockedAt, r.From = c.now, o.state.Version
		r.Steps = nil
		for i := range d.Components {
			component := &d.Components[i]
			if running, runs := o.state.Components[component.Name]; runs {
				component.BeforeFrom, component.BeforeVersion = running.Deployment, running.Version
				component.BeforeRunning = &running
			}
			action := deployment.ActionDeploy
			if component.Dropped {
				action = deployment.ActionRemove
			}
			r.Steps = append(r.Steps, deployment.Step{Component: component.Name, Action: action})
		}
	})
}

// dropped returns the components that run and that the definition no longer has.
func (o *owner) dropped(d *deployment.Deployment) ([]deployment.Component, error) {
	var names []string
	running := map[string]deployment.Running{}
	o.read(func() {
		for name, r := range o.state.Components {
			if d.Component(name) == nil {
				names = append(names, name)
				running[name] = r
			}
		}
	})
	sort.Strings(names)
	components := make([]deployment.Component, 0, len(names))
	for _, name := range names {
		definition, err := o.definitionOf(running[name].Deployment, name)
		if err != nil {
			return nil, err
		}
		definition.Platform = running[name].Platform
		components = append(components, deployment.Component{
			Name: name, Platform: running[name].Platform, DependsOn: definition.DependsOn,
			Definition: definition, Dropped: true, Status: deployment.Pending,
		})
	}
	return components, nil
}

// definitionOf returns the definition of a component in a deployment, an empty
// one where the deployment is not known any more.
func (o *owner) definitionOf(id, component string) (deployment.ComponentDefinition, error) {
	empty := deployment.ComponentDefinition{
		Name: component, Monitor: deployment.DefaultMonitor(), Promotion: deployment.DefaultPromotion(),
	}
	if id == "" {
		return empty, nil
	}
	var source *deployment.Deployment
	err := o.fetch(func(ctx context.Context) error {
		var err error
		source, err = o.engine.Store.Deployment(ctx, id)
		return err
	})
	if errors.Is(err, deployment.ErrNotFound) {
		return empty, nil
	}
	if err != nil {
		return empty, err
	}
	if c := source.Component(component); c != nil {
		return c.Definition, nil
	}
	return empty, nil
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
