package engine

import (
	"context"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// prepare takes a `before` snapshot of each component in dependency order, and
// says which of them need no change.
func (o *owner) prepare(course context.Context, d *deployment.Deployment) error {
	var prepared bool
	var limit deployment.Timeouts
	var ctx context.Context
	var cancel context.CancelFunc
	var graph deployment.Graph
	o.read(func() {
		r := d.Run()
		graph = deployment.GraphOf(d.Components)
		prepared, limit = !r.PreparedAt.IsZero(), d.Definition.Policy.Timeouts
		ctx, cancel = o.before(course, r, r.LockedAt, limit.Preparing, "preparing")
	})
	defer cancel()
	if prepared {
		return nil
	}
	waves, err := graph.Waves()
	if err != nil {
		return err
	}
	for _, wave := range waves {
		for _, name := range wave {
			if err := o.snapshotBefore(ctx, d, name); err != nil {
				return named(err, name)
			}
		}
	}
	if err := o.checkPlanned(d); err != nil {
		return err
	}
	return o.commit(d, func(c *change) {
		stopWaiting(d, c)
		for i := range d.Components {
			component := &d.Components[i]
			component.Unchanged = unchanged(component)
			if component.Unchanged {
				component.Addresses = component.BeforeRunning.Addresses
				component.Revision = component.Before.Revision
			}
		}
		d.Run().PreparedAt = c.now
	})
}

// unchanged: the release digest, not empty, equals the stored one, and the
// observed digest equals the baseline.
func unchanged(c *deployment.Component) bool {
	running := c.BeforeRunning
	return !c.Dropped && running != nil && c.Release != nil && c.Release.Digest != "" &&
		c.Platform == running.Platform && c.Release.Digest == running.ReleaseDigest &&
		running.Baseline != "" && c.Before != nil && !c.Before.Empty &&
		c.Before.ObservedDigest == running.Baseline
}

// snapshotBefore records what the component is now.
func (o *owner) snapshotBefore(ctx context.Context, d *deployment.Deployment, name string) error {
	var taken bool
	var component deployment.Component
	o.read(func() {
		component = *d.Component(name)
		taken = component.Before != nil
	})
	if taken {
		return nil
	}
	release, err := o.frozen(&component)
	if err != nil {
		return err
	}
	var result sdk.SnapshotResult
	err = o.ask(ctx, d, name, component.Platform, "take a snapshot", func(ctx context.Context, p sdk.Platform) error {
		var err error
		result, err = p.Snapshot(ctx, sdk.SnapshotRequest{Target: o.targetFor(d, &component), Release: release})
		return err
	})
	if err != nil {
		return err
	}
	return o.keepSnapshot(d, name, "before", result, func(c *deployment.Component, ref *deployment.SnapshotRef) {
		c.Before = ref
	})
}

// targetFor is the component at the deployment's version; a dropped one at the
// version that runs.
func (o *owner) targetFor(d *deployment.Deployment, c *deployment.Component) sdk.Target {
	version := d.Version
	if c.Dropped && c.BeforeVersion != "" {
		version = c.BeforeVersion
	}
	return targetOf(d.Target, c.Name, version, c.Definition.Spec)
}
