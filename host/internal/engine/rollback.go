package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// rollBack carries out the deployment's open rollback run: what still runs is
// stopped and awaited, then the changed components go back in reverse order,
// each through its gate. It ends rolled_back or rollback_failed.
func (o *owner) rollBack(d *deployment.Deployment) {
	if done, err := o.lockRollback(d); done || err != nil {
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
// refused, and the status is what it was.
func (o *owner) lockRollback(d *deployment.Deployment) (done bool, err error) {
	var locked, current bool
	o.read(func() {
		locked, current = !d.Run().LockedAt.IsZero(), o.state.Current == d.ID
	})
	if locked {
		return false, nil
	}
	refused := ""
	if current {
		if refused = o.checkPlannedRollback(d); o.ctx.Err() != nil {
			return true, o.ctx.Err()
		}
	}
	err = o.commit(d, func(c *change) {
		stopWaiting(d, c)
		r := d.Run()
		if !current {
			refused = "deployment " + o.state.Current + " is current by now"
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
	return refused != "", err
}

// checkPlannedRollback says what was changed on the platform since the approved
// plan of a rollback was made, "" when nothing was, or when there is no plan.
func (o *owner) checkPlannedRollback(d *deployment.Deployment) string {
	var planned deployment.Planned
	var ctx context.Context
	var stop context.CancelFunc
	o.read(func() {
		r := d.Run()
		if r.Planned != nil {
			planned = *r.Planned
		}
		ctx, stop = o.before(o.ctx, r, o.engine.Now(), d.Definition.Policy.Timeouts.Preparing, "looking at what runs")
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

// settle ends the operations that the deploy left open: cancelled where the
// platform can, else awaited. Those of the excepted components stay as they are.
func (o *owner) settle(ctx context.Context, d *deployment.Deployment, except ...string) error {
	var open []string
	o.read(func() {
		for i := range d.Runs[0].Steps {
			if op := d.Runs[0].Steps[i].Operation(); op != nil && op.Outcome == nil && !contains(except, d.Runs[0].Steps[i].Component) {
				open = append(open, d.Runs[0].Steps[i].Component)
			}
		}
	})
	errs := make([]error, len(open))
	var all sync.WaitGroup
	for i, name := range open {
		all.Add(1)
		go func() {
			defer all.Done()
			errs[i] = named(o.settleOne(ctx, d, name), name)
		}()
	}
	all.Wait()
	return errors.Join(errs...)
}

// settleOne ends one open operation of the deploy.
func (o *owner) settleOne(ctx context.Context, d *deployment.Deployment, name string) error {
	f, err := o.openFlight(d, name)
	if err != nil {
		return err
	}
	started, err := f.recover(ctx)
	if err != nil {
		return err
	}
	if f.ended() {
		return nil
	}
	if !started {
		return f.refuse(errors.New("not started, and not wanted any more"))
	}
	if err := f.cancel(ctx); err != nil {
		return err
	}
	return f.watch(ctx)
}

// openFlight is the flight of the deploy run's operation on a component.
func (o *owner) openFlight(d *deployment.Deployment, name string) (*flight, error) {
	var component deployment.Component
	o.read(func() { component = *d.Component(name) })
	f := &flight{
		o: o, d: d, run: 0, component: name, platform: component.Platform,
		target: o.targetFor(d, &component),
	}
	if component.Dropped {
		f.snapshot, f.digest = &sdk.Snapshot{Empty: true}, "empty"
		return f, nil
	}
	release, err := o.frozen(&component)
	if err != nil {
		return nil, err
	}
	f.release, f.digest = release, releaseDigest(release)
	return f, nil
}

// cancel asks the platform to stop the operation. Where it cannot, the
// operation is awaited.
func (f *flight) cancel(ctx context.Context) error {
	if err := f.o.commit(f.d, func(c *change) { f.step().Operation().CancelAt = c.now }); err != nil {
		return err
	}
	err := f.o.ask(ctx, f.d, f.component, f.platform, "cancel the operation", func(ctx context.Context, p sdk.Platform) error {
		canceller, cancels := p.(sdk.Canceller)
		if !cancels || !sdk.CapabilitiesOf(p).Cancel {
			return nil
		}
		op, _ := f.op()
		return canceller.Cancel(ctx, sdk.CancelRequest{
			Operation: operationOf(f.d, &op, f.o.epoch), Target: f.target, Handle: toHandle(op.Handle),
		})
	})
	if sdk.ReasonOf(err) == sdk.ReasonStaleEpoch {
		f.o.lose()
	}
	return err
}

// fixSteps decides, once, what the run restores.
func (o *owner) fixSteps(d *deployment.Deployment) error {
	var fixed bool
	var goal string
	o.read(func() { fixed, goal = len(d.Run().Steps) > 0, d.Run().Goal })
	if fixed {
		return nil
	}
	var steps []deployment.Step
	var added []deployment.Component
	if goal != "" {
		var err error
		if steps, added, err = o.goalSteps(d, goal); err != nil {
			return err
		}
	} else {
		o.read(func() { steps = d.RollbackSteps() })
	}
	if err := o.fillGoals(d, steps, added); err != nil {
		return err
	}
	return o.commit(d, func(*change) {
		d.Components = append(d.Components, added...)
		d.Run().Steps = steps
	})
}

// fillGoals gives each step the checks and the spec stored with the deployment
// whose state is restored. Where APM knows none, Probe alone judges.
func (o *owner) fillGoals(d *deployment.Deployment, steps []deployment.Step, added []deployment.Component) error {
	for i := range steps {
		s := &steps[i]
		if s.Action != deployment.ActionRestore || s.GoalFrom == "" {
			continue
		}
		definition, err := o.definitionOf(s.GoalFrom, s.Component)
		if err != nil {
			return err
		}
		s.GoalChecks, s.GoalSpec = definition.Checks, definition.Spec
	}
	return nil
}

// goalSteps are the steps to the `after` of a completed deployment: components
// that it had are restored, those that it had not are removed.
func (o *owner) goalSteps(d *deployment.Deployment, goal string) (steps []deployment.Step, added []deployment.Component, err error) {
	var source *deployment.Deployment
	err = o.fetch(func(ctx context.Context) error {
		var err error
		source, err = o.engine.Store.Deployment(ctx, goal)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read deployment %q, the goal of the rollback: %w", goal, err)
	}
	running := map[string]deployment.Running{}
	o.read(func() {
		for name, r := range o.state.Components {
			running[name] = r
		}
	})
	o.read(func() { steps, added = stepsToGoal(d, source, running) })
	return steps, added, nil
}

// stepsToGoal decides what a rollback to the `after` of source does to each
// component, given what runs.
func stepsToGoal(d, source *deployment.Deployment, running map[string]deployment.Running) (steps []deployment.Step, added []deployment.Component) {
	known := map[string]bool{}
	add := func(name string, platform string, definition deployment.ComponentDefinition) {
		known[name] = true
		s := deployment.Step{Component: name, Action: deployment.ActionNone}
		now, runs := running[name]
		then := source.Component(name)
		switch {
		case then != nil && !then.Dropped && then.After != nil && runs && now.Snapshot != nil && now.Snapshot.Key == then.After.Key:
		case then != nil && !then.Dropped && then.After != nil:
			s.Action, s.Goal, s.GoalFrom = deployment.ActionRestore, then.After, source.ID
		case runs:
			s.Action = deployment.ActionRemove
			s.Goal = &deployment.SnapshotRef{Empty: true}
		}
		steps = append(steps, s)
		if d.Component(name) == nil {
			added = append(added, deployment.Component{
				Name: name, Platform: platform, DependsOn: definition.DependsOn,
				Definition: definition, Status: deployment.Pending,
			})
		}
	}
	for i := range d.Components {
		c := &d.Components[i]
		add(c.Name, c.Platform, c.Definition)
	}
	for i := range source.Components {
		c := &source.Components[i]
		if !known[c.Name] && !c.Dropped {
			add(c.Name, c.Platform, c.Definition)
		}
	}
	return steps, added
}

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
		if contains(l.blocked, other) {
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
		k := o.checkupOf(d, name, step.GoalChecks)
		k.target = f.target
		if err := o.gate(ctx, k, nil); err != nil {
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

// flyBack carries out a rollback operation to its end.
func (o *owner) flyBack(ctx context.Context, f *flight, monitor deployment.Monitor) error {
	var stop context.CancelFunc
	o.read(func() {
		began := o.engine.Now()
		if op := f.step().Operation(); op != nil && op.Outcome == nil {
			began = op.IntentAt
		}
		ctx, stop = o.before(ctx, &f.d.Runs[f.run], began, monitor.Timeout, "the rollback of component "+f.component)
	})
	defer stop()
	if op, there := f.op(); !there || op.Outcome == nil || op.Outcome.Result == deployment.ResultRefused {
		if err := f.accept(ctx); err != nil {
			return err
		}
		if err := f.watch(ctx); err != nil {
			return f.late(ctx, err)
		}
	}
	return f.result()
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

// restoreState records within a change what runs after the rollback: the
// deployment whose state was restored is current.
func (o *owner) restoreState(d *deployment.Deployment, r *deployment.Run, c *change) {
	o.release(d, c)
	if o.state.Components == nil {
		o.state.Components = map[string]deployment.Running{}
	}
	for i := range r.Steps {
		o.restoredStep(d, r, &r.Steps[i])
	}
	o.state.Current, o.state.Version = d.Previous, d.PreviousVersion
	if r.Goal != "" {
		o.state.Current, o.state.Version = r.Goal, r.TargetVersion
	}
	if len(o.state.Components) == 0 {
		o.state.Version = ""
	}
}

// restoredStep records what runs of a component that went back.
func (o *owner) restoredStep(d *deployment.Deployment, r *deployment.Run, s *deployment.Step) {
	component := d.Component(s.Component)
	switch {
	case s.Action == deployment.ActionRemove, s.Action == deployment.ActionRestore && s.GoalFrom == "":
		delete(o.state.Components, s.Component) // what is not ours runs again, but nothing of ours does
	case s.Action == deployment.ActionRestore:
		running := deployment.Running{
			Platform: component.Platform, Deployment: s.GoalFrom, Version: r.To,
			Baseline: s.Goal.ObservedDigest, Snapshot: s.Goal, Addresses: component.Addresses,
		}
		if r.Goal == "" && component.BeforeRunning != nil {
			running.ReleaseDigest = component.BeforeRunning.ReleaseDigest
			running.Version = component.BeforeRunning.Version
		}
		if op := s.Operation(); op != nil {
			running.Handle = op.Handle
		}
		o.state.Components[s.Component] = running
	}
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

// leaveStep records what a rollback that failed made of a component: one that
// went back runs as it did before; of one that was begun nobody knows what it is.
func (o *owner) leaveStep(d *deployment.Deployment, r *deployment.Run, s *deployment.Step) {
	running, runs := o.state.Components[s.Component]
	switch {
	case !s.PassedAt.IsZero():
		o.restoredStep(d, r, s)
	case runs && s.Began():
		running.Baseline, running.Snapshot, running.ReleaseDigest, running.Drifted = "", nil, "", ""
		o.state.Components[s.Component] = running
	}
}
