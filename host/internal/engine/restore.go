package engine

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// restoreAll takes every step of the run. What the deployment removed comes
// back first, in dependency order, since what goes back after it may need it;
// then the others go back in reverse order. Independent ones go side by side. One
// that fails does not stop those that do not wait for it: as much as can be is
// restored.
func (o *owner) restoreAll(ctx context.Context, d *deployment.Deployment) error {
	absent, present := deployment.Graph{}, deployment.Graph{}
	o.read(func() {
		graph := deployment.GraphOf(d.Components)
		for name := range graph {
			if d.Component(name).Dropped || d.Runs[0].Step(name) == nil {
				absent[name] = graph[name]
			}
		}
		for name, dependents := range graph.Reverse() {
			if _, comes := absent[name]; !comes {
				present[name] = dependents
			}
		}
	})
	var failures failureList
	for _, graph := range []deployment.Graph{absent, present} {
		err := inOrder(ctx, graph, func(ctx context.Context, name string) error {
			if failures.blocks(name, graph[name]) {
				return nil
			}
			err := o.restore(ctx, d, name)
			if err == nil || o.ctx.Err() != nil || errors.Is(err, errSibling) {
				return err
			}
			f := asFailure(err, name)
			f.Component = name
			o.keepEvidence(d, f)
			failures.add(name, f)
			return o.commit(d, func(*change) { d.Run().Step(name).Failure = &f.Failure })
		})
		var late *deadlineError
		if known := failures.first(); known != nil && errors.As(err, &late) {
			return known // which knows what the time passed with
		}
		if err != nil {
			return err
		}
	}
	return failures.first()
}

// failureList keeps the failures of several goroutines, and which components
// are not to be touched because of them.
type failureList struct {
	mu      sync.Mutex
	list    []*failure
	blocked []string
}

func (l *failureList) add(name string, f *failure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list, l.blocked = append(l.list, f), append(l.blocked, name)
}

// blocks says whether one of those that the component waits for failed.
func (l *failureList) blocks(name string, waited []string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, other := range waited {
		if slices.Contains(l.blocked, other) {
			l.blocked = append(l.blocked, name)
			return true
		}
	}
	return false
}

func (l *failureList) first() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == 0 {
		return nil
	}
	return l.list[0]
}

// restore takes one component back.
func (o *owner) restore(ctx context.Context, d *deployment.Deployment, name string) error {
	var component deployment.Component
	var step deployment.Step
	var reason string
	var planned *deployment.Planned
	o.read(func() {
		component = *d.Component(name)
		reason, planned = d.Run().Reason, d.Run().Planned
		if s := d.Run().Step(name); s != nil {
			step = *s
		}
	})
	switch {
	case step.Action == deployment.ActionNone, step.Action == "", !step.PassedAt.IsZero():
		return nil
	case step.Failure != nil: // recorded by a host before this one
		return &failure{Failure: *step.Failure}
	}
	f, err := o.restoreFlight(d, &component, &step)
	if err != nil {
		return err
	}
	f.reason = reason
	if planned != nil {
		f.planned = true
		for _, p := range planned.Components {
			if p.Component == name {
				f.expected = p.ObservedDigest
			}
		}
	}
	if step.SettledAt.IsZero() {
		if err := o.flyBack(ctx, f, component.Definition.Monitor); err != nil {
			return err
		}
	}
	if step.Action == deployment.ActionRestore {
		if err := o.passRestored(ctx, f, component.Definition.Monitor, step.GoalChecks); err != nil {
			return err
		}
	}
	return o.commit(d, func(c *change) {
		d.Run().Step(name).PassedAt = c.now
		if step.Action == deployment.ActionRemove {
			d.Component(name).Resources, d.Component(name).Checks = nil, nil
			d.Component(name).Addresses = nil
		}
	})
}

// passRestored is the gate of a restore: the checks of what is back.
func (o *owner) passRestored(ctx context.Context, f *flight, monitor deployment.Monitor, checks []deployment.CheckDefinition) error {
	k := o.checkupOf(f.d, f.component, checks)
	k.target = f.target
	var stop context.CancelFunc
	o.read(func() {
		ctx, stop = o.before(ctx, &f.d.Runs[f.run], f.step().Operation().IntentAt, monitor.Timeout,
			"the rollback of component "+f.component+" with its checks")
	})
	defer stop()
	return o.gate(ctx, k, nil)
}

// restoreFlight is the flight of a restore or a removal.
func (o *owner) restoreFlight(d *deployment.Deployment, component *deployment.Component, step *deployment.Step) (*flight, error) {
	f := &flight{
		o: o, d: d, component: component.Name, platform: component.Platform,
		target: o.targetFor(d, component),
	}
	var to string
	o.read(func() { f.run, to = len(d.Runs)-1, d.Run().To })
	if step.Action == deployment.ActionRemove || step.Goal.Key == "" {
		f.snapshot, f.digest = &sdk.Snapshot{Empty: true}, "empty"
		return f, nil
	}
	var snapshot *sdk.Snapshot
	err := o.fetch(func(ctx context.Context) error {
		var err error
		snapshot, err = o.engine.loadSnapshot(ctx, step.Goal.Key)
		return err
	})
	if err != nil {
		return nil, err
	}
	f.snapshot, f.digest = snapshot, snapshotDigest(*snapshot)
	f.target.Version = to
	if len(step.GoalSpec) > 0 {
		f.target.Spec = step.GoalSpec
	}
	return f, nil
}
