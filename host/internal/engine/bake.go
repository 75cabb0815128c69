package engine

import (
	"context"
	"errors"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// bakeRecord is how much observed time may pass before it is recorded, and so
// how much of it a crash can lose.
const bakeRecord = time.Second

// bake watches every component of the deployment until all of them have kept
// passing for the bake window. A check that fails ends it; what was not looked
// at does not count.
func (o *owner) bake(course context.Context, d *deployment.Deployment) error {
	var ctx context.Context
	var stop context.CancelFunc
	var window time.Duration
	var checkups []*checkup
	var names []string
	interval := time.Duration(0)
	o.read(func() {
		r := d.Run()
		window = d.Definition.Policy.Bake
		limit := d.Definition.Policy.Timeouts.Verifying
		if limit > 0 {
			limit += window
		}
		ctx, stop = o.before(course, r, r.DeployedAt, limit, "verifying")
		for i := range d.Components {
			if !d.Components[i].Dropped {
				names = append(names, d.Components[i].Name)
			}
		}
	})
	defer stop()
	for _, name := range names {
		var definition deployment.ComponentDefinition
		o.read(func() { definition = d.Component(name).Definition })
		k := o.checkupOf(d, name, definition.Checks)
		k.passed, k.goesOn = true, true
		interval = max(interval, definition.Monitor.Interval)
		for _, check := range definition.Checks {
			interval = max(interval, check.Interval)
		}
		checkups = append(checkups, k)
	}
	if len(checkups) == 0 {
		return nil
	}
	b := &baking{o: o, d: d, checkups: checkups, window: window, interval: interval}
	return b.run(ctx)
}

// baking is one watch over the bake window.
type baking struct {
	o        *owner
	d        *deployment.Deployment
	checkups []*checkup
	window   time.Duration
	interval time.Duration // the longest of all checks

	last    time.Time     // last moment at which everything passed
	unsaved time.Duration // observed, not recorded yet
	unwell  bool          // something that did not pass was seen
}

// run looks at each piece of news until the window is full.
func (b *baking) run(ctx context.Context) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	for _, k := range b.checkups {
		k.start(watching)
		defer k.end()
	}
	tick := time.NewTicker(b.pace())
	defer tick.Stop()
	for {
		done, err := b.look(ctx)
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return b.ended(ctx)
		case <-tick.C:
		}
	}
}

// unwell says whether one of the checks was answered badly.
func unwell(checks []deployment.Check) bool {
	for _, c := range checks {
		if c.Status == deployment.Degraded || c.Failures > 0 && c.Status != deployment.Unknown {
			return true
		}
	}
	return false
}

// pace is how often the verdicts are looked at.
func (b *baking) pace() time.Duration {
	return min(max(b.interval/4, 5*time.Millisecond), 250*time.Millisecond)
}

// look asks for every verdict and counts the time when all of them are good.
func (b *baking) look(ctx context.Context) (done bool, err error) {
	now := b.o.engine.Now()
	all := true
	for _, k := range b.checkups {
		verdict := k.judge("")
		switch verdict.Kind {
		case deployment.VerdictPromote:
			b.o.waitNoMore(b.d, k.component, deployment.WaitEnvironment)
		case deployment.VerdictFail, deployment.VerdictRollBack:
			if err := b.o.recordVerdict(k, verdict); err != nil {
				return false, err
			}
			return false, named(b.o.checkFailure(ctx, k, verdict), k.component)
		case deployment.VerdictHold:
			b.o.hold(ctx, k, verdict)
			all = false
		default:
			b.o.waitNoMore(b.d, k.component, deployment.WaitEnvironment)
			b.unwell = b.unwell || unwell(verdict.Checks)
			all = false
		}
		// A check that was not asked for long is good by hearsay only.
		all = all && now.Sub(k.lastLook()) <= 3*(b.interval+b.pace())
	}
	if !all {
		b.last = time.Time{}
		return false, nil
	}
	if !b.last.IsZero() {
		b.unsaved += deployment.BakeObserved(now.Sub(b.last), b.interval+b.pace())
	}
	b.last = now
	return b.count()
}

// count records what was observed and says whether the window is full.
func (b *baking) count() (full bool, err error) {
	var observed time.Duration
	b.o.read(func() { observed = b.d.Run().Baked + b.unsaved })
	full = observed >= b.window
	if !full && b.unsaved < min(bakeRecord, b.window/4) {
		return false, nil
	}
	add := b.unsaved
	b.unsaved = 0
	err = b.o.commit(b.d, func(*change) { b.d.Run().Baked += add })
	b.o.publishProgress(b.d)
	return full, err
}

// ended says why the window did not fill: at the deadline, with what was open.
// Where nothing bad was seen, but for too short a time, nothing is undone.
func (b *baking) ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	var late *deadlineError
	if !errors.As(cause, &late) {
		return cause
	}
	for _, k := range b.checkups {
		if verdict := k.judge(""); verdict.Kind != deployment.VerdictPromote {
			return b.o.gateEnded(ctx, k, late)
		}
	}
	if !b.unwell {
		return unanswered(ctx, b.checkups[0].component, "watch the checks for "+b.window.String(), nil)
	}
	return late
}

// complete takes the `after` snapshots and ends the run well.
func (o *owner) complete(course context.Context, d *deployment.Deployment) error {
	var names []string
	o.read(func() {
		for i := range d.Components {
			c := &d.Components[i]
			if !c.Dropped && c.After == nil {
				names = append(names, c.Name)
			}
		}
	})
	var ctx context.Context
	var stop context.CancelFunc
	o.read(func() {
		ctx, stop = o.before(course, d.Run(), o.engine.Now(), d.Definition.Policy.Timeouts.Verifying, "taking the last snapshots")
	})
	defer stop()
	for _, name := range names {
		if err := o.snapshotAfter(ctx, d, name); err != nil {
			return named(err, name)
		}
	}
	if course.Err() != nil {
		return context.Cause(course)
	}
	cancelled := false
	err := o.commit(d, func(c *change) {
		r := d.Run()
		if cancelled = r.Cancel != nil; cancelled { // recorded while the last snapshot was taken
			return
		}
		stopWaiting(d, c)
		r.To = d.Version
		r.EndedAt, r.Result = c.now, deployment.Completed
		r.Why = "every component passed its checks and the bake window of " + d.Definition.Policy.Bake.String()
		if d.Remove {
			r.To, r.Why = "", "removed"
		}
		c.event(deployment.EventVerdict, deployment.VerdictPayload{Verdict: deployment.VerdictPromote, Reason: r.Why})
		o.settleState(d, c)
	})
	if err == nil && cancelled {
		return errCancelled
	}
	return err
}

// snapshotAfter keeps the verified state of a component. An unchanged one keeps
// the snapshot of the deployment that brought it.
func (o *owner) snapshotAfter(ctx context.Context, d *deployment.Deployment, name string) error {
	var component deployment.Component
	var handle deployment.Handle
	o.read(func() {
		component = *d.Component(name)
		if op := d.Run().Step(name).Operation(); op != nil {
			handle = op.Handle
		}
	})
	if component.Unchanged && component.BeforeRunning != nil && component.BeforeRunning.Snapshot != nil {
		return o.commit(d, func(*change) { d.Component(name).After = component.BeforeRunning.Snapshot })
	}
	release, err := o.frozen(&component)
	if err != nil {
		return err
	}
	var result sdk.SnapshotResult
	err = o.ask(ctx, d, name, component.Platform, "take a snapshot", func(ctx context.Context, p sdk.Platform) error {
		var err error
		result, err = p.Snapshot(ctx, sdk.SnapshotRequest{
			Target: o.targetFor(d, &component), Handle: toHandle(handle), Release: release,
		})
		return err
	})
	if err != nil {
		return err
	}
	return o.keepSnapshot(d, name, "after", result, func(c *deployment.Component, ref *deployment.SnapshotRef) {
		c.After = ref
	})
}
