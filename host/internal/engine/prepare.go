package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

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

// keepSnapshot records a snapshot, sealed, with its event.
func (o *owner) keepSnapshot(d *deployment.Deployment, name, which string, result sdk.SnapshotResult, set func(*deployment.Component, *deployment.SnapshotRef)) error {
	data, err := encodeContent(result.Snapshot)
	if err != nil {
		return err
	}
	key := fmt.Sprintf("snapshot/%s/%s/%s", d.ID, name, which)
	which, _, _ = strings.Cut(which, "-") // one taken anew has a number in its key only
	return o.commit(d, func(c *change) {
		c.blobs = append(c.blobs, deployment.Blob{Key: key, DeploymentID: d.ID, Data: data})
		set(d.Component(name), &deployment.SnapshotRef{
			Key: key, Digest: snapshotDigest(result.Snapshot), ObservedDigest: result.ObservedDigest,
			Revision: result.Snapshot.Revision, View: result.Snapshot.View,
			Empty: result.Snapshot.Empty, TakenAt: c.now,
		})
		c.event(deployment.EventSnapshotTaken, deployment.SnapshotPayload{
			Component: name, Which: which, Digest: snapshotDigest(result.Snapshot),
			ObservedDigest: result.ObservedDigest, Revision: result.Snapshot.Revision, Empty: result.Snapshot.Empty,
		})
	})
}

// snapshotDigest is the plugin's own digest, or one over the state.
func snapshotDigest(s sdk.Snapshot) string {
	if s.Digest != "" {
		return s.Digest
	}
	return contentDigest(s.State)
}

// frozen loads the component's sealed release; nil for a dropped one.
func (o *owner) frozen(c *deployment.Component) (*sdk.Release, error) {
	if c.Release == nil {
		return nil, nil
	}
	var release *sdk.Release
	err := o.fetch(func(ctx context.Context) error {
		var err error
		release, err = o.engine.loadRelease(ctx, c.Release.Key)
		return err
	})
	return release, err
}

// loadRelease opens a sealed release.
func (e *Engine) loadRelease(ctx context.Context, key string) (*sdk.Release, error) {
	data, err := e.Store.Blob(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read release %q: %w", key, err)
	}
	var release sdk.Release
	if err := json.Unmarshal(data, &release); err != nil {
		return nil, fmt.Errorf("read release %q: %w", key, err)
	}
	return &release, nil
}

// loadSnapshot opens a sealed snapshot.
func (e *Engine) loadSnapshot(ctx context.Context, key string) (*sdk.Snapshot, error) {
	data, err := e.Store.Blob(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read snapshot %q: %w", key, err)
	}
	var snapshot sdk.Snapshot
	if err := json.Unmarshal(data, &snapshot); err != nil {
		return nil, fmt.Errorf("read snapshot %q: %w", key, err)
	}
	return &snapshot, nil
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

// checkPlanned compares the snapshots just taken with what an approved plan was
// made from.
func (o *owner) checkPlanned(d *deployment.Deployment) error {
	var err error
	o.read(func() {
		planned := d.Run().Planned
		if planned == nil {
			return
		}
		seen := map[string]bool{}
		for _, p := range planned.Components {
			seen[p.Component] = true
			c := d.Component(p.Component)
			switch {
			case c == nil:
				err = outOfDate(p.Component, "is no longer part of the deployment")
			case c.Before == nil || c.Before.ObservedDigest != p.ObservedDigest:
				err = outOfDate(p.Component, "was changed on the platform after the plan was made")
			case c.Release != nil && p.ReleaseDigest != "" && c.Release.Digest != p.ReleaseDigest:
				err = outOfDate(p.Component, "would get another release than the plan says")
			default:
				continue
			}
			return
		}
		for i := range d.Components {
			if name := d.Components[i].Name; !seen[name] {
				err = outOfDate(name, "is not part of the plan")
			}
		}
	})
	return err
}

// outOfDate is the failure of a plan that no longer holds.
func outOfDate(component, what string) *failure {
	return &failure{Failure: deployment.Failure{
		Code: deployment.CodePlanOutOfDate, Component: component,
		Message:    "plan out of date: component " + component + " " + what,
		Suggestion: "make a new plan with --dry-run and look at it",
	}}
}
