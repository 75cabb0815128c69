package engine

import (
	"context"
	"slices"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// deployAll deploys every component as soon as those that it depends on have
// passed, and then removes, in reverse order, those that the definition dropped.
func (o *owner) deployAll(course context.Context, d *deployment.Deployment) error {
	var deployed bool
	var ctx context.Context
	var stop context.CancelFunc
	var graph deployment.Graph
	var dropped []string
	o.read(func() {
		r := d.Run()
		deployed = !r.DeployedAt.IsZero()
		ctx, stop = o.before(course, r, r.PreparedAt, d.Definition.Policy.Timeouts.Deploying, "deploying")
		graph = deployment.GraphOf(d.Components)
		for i := range d.Components {
			if d.Components[i].Dropped {
				dropped = append(dropped, d.Components[i].Name)
			}
		}
	})
	defer stop()
	if deployed {
		return nil
	}
	stays := deployment.Graph{}
	leaves := deployment.Graph{}
	for name, dependencies := range graph {
		if slices.Contains(dropped, name) {
			leaves[name] = dependencies
		} else {
			stays[name] = dependencies
		}
	}
	if err := inOrder(ctx, stays, func(ctx context.Context, name string) error {
		return o.deployComponent(ctx, d, name)
	}); err != nil {
		return err
	}
	if err := inOrder(ctx, leaves.Reverse(), func(ctx context.Context, name string) error {
		return o.removeComponent(ctx, d, name)
	}); err != nil {
		return err
	}
	return o.commit(d, func(c *change) {
		stopWaiting(d, c)
		d.Run().DeployedAt = c.now
	})
}

// deployComponent brings one component to its release and through its gate.
func (o *owner) deployComponent(ctx context.Context, d *deployment.Deployment, name string) error {
	var component deployment.Component
	var step deployment.Step
	var planned bool
	var run int
	o.read(func() {
		component = *d.Component(name)
		step = *d.Run().Step(name)
		run = len(d.Runs) - 1
		planned = d.Run().Planned != nil
	})
	if !step.PassedAt.IsZero() {
		return nil
	}
	if component.Unchanged {
		return o.commit(d, func(c *change) { d.Run().Step(name).PassedAt = c.now })
	}
	if step.SettledAt.IsZero() {
		release, err := o.frozen(&component)
		if err != nil {
			return err
		}
		f := &flight{
			o: o, d: d, run: run, component: name, platform: component.Platform,
			target: o.targetFor(d, &component), release: release,
			digest: releaseDigest(release), planned: planned, expected: component.Before.ObservedDigest,
		}
		if err := o.fly(ctx, f, component.Definition); err != nil {
			return named(err, name)
		}
	}
	return o.passComponent(ctx, d, name, component.Definition.Checks)
}

// passComponent is the gate after the platform has settled.
func (o *owner) passComponent(ctx context.Context, d *deployment.Deployment, name string, checks []deployment.CheckDefinition) error {
	k := o.checkupOf(d, name, checks)
	var stop context.CancelFunc
	o.read(func() {
		r := d.Run()
		began := r.Step(name).SettledAt
		if op := r.Step(name).Operation(); op != nil {
			began = op.IntentAt
			k.passed = !op.CandidateOK.IsZero() // as a candidate it was good: no slow start excuses it now
		}
		ctx, stop = o.before(ctx, r, began, d.Component(name).Definition.Monitor.Timeout,
			"the operation on component "+name+" with its checks")
	})
	defer stop()
	if err := o.gate(ctx, k, nil); err != nil {
		return named(err, name)
	}
	return o.commit(d, func(c *change) { d.Run().Step(name).PassedAt = c.now })
}

// checkupOf is a checkup of the component where it answers now.
func (o *owner) checkupOf(d *deployment.Deployment, name string, checks []deployment.CheckDefinition) *checkup {
	var k *checkup
	o.read(func() {
		c := d.Component(name)
		k = &checkup{
			o: o, d: d, component: name, platform: c.Platform,
			target: o.targetFor(d, c), checks: checks,
			addresses: c.Addresses, interval: c.Definition.Monitor.Interval,
		}
	})
	return k
}

// removeComponent brings a dropped component to nothing.
func (o *owner) removeComponent(ctx context.Context, d *deployment.Deployment, name string) error {
	var component deployment.Component
	var step deployment.Step
	var planned bool
	var run int
	o.read(func() {
		component, step, run = *d.Component(name), *d.Run().Step(name), len(d.Runs)-1
		planned = d.Run().Planned != nil
	})
	if !step.PassedAt.IsZero() {
		return nil
	}
	empty := &sdk.Snapshot{Empty: true}
	f := &flight{
		o: o, d: d, run: run, component: name, platform: component.Platform,
		target: o.targetFor(d, &component), snapshot: empty, digest: "empty",
		planned: planned, expected: component.Before.ObservedDigest,
		reason: "component " + name + " is no longer part of " + d.Application,
	}
	if err := o.flyBack(ctx, f, component.Definition.Monitor); err != nil {
		return named(err, name)
	}
	return o.commit(d, func(c *change) {
		d.Run().Step(name).PassedAt = c.now
		d.Component(name).Resources, d.Component(name).Checks = nil, nil
	})
}
