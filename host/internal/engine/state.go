package engine

import "github.com/apm-deploy/apm/host/internal/deployment"

// What is recorded of the target when a run ends: who is current, what runs, and
// that the lock is free.

// release gives the target's lock back.
func (o *owner) release(d *deployment.Deployment, c *change) {
	c.state = true
	if o.state.Holder == d.ID {
		o.state.Holder = ""
	}
}

// leave gives the lock back and records what was left where: the deployment is
// current, for it changed the platform.
func (o *owner) leave(d *deployment.Deployment, c *change) {
	o.release(d, c)
	if !d.ChangedAny() {
		return
	}
	o.state.Current, o.state.Version = d.ID, d.Version
	for i := range d.Components {
		component := &d.Components[i]
		if !d.Changed(component) {
			continue
		}
		s := d.Runs[0].Step(component.Name)
		if component.Dropped && !s.PassedAt.IsZero() {
			delete(o.state.Components, component.Name)
			continue
		}
		known, runs := o.state.Components[component.Name]
		if runs && (known.Deployment == d.ID || s.Operation().Waits()) {
			continue // it stays as it was completed, or a candidate left the old one as it was
		}
		running := deployment.Running{
			Platform: component.Platform, Deployment: d.ID, Version: d.Version,
			Addresses: component.Addresses, Handle: s.Operation().Handle,
		}
		if component.Release != nil {
			running.ReleaseDigest = component.Release.Digest
		}
		o.state.Components[component.Name] = running
	}
}

// settleState records within a change that the deployment is current, and what
// runs by it.
func (o *owner) settleState(d *deployment.Deployment, c *change) {
	o.release(d, c)
	o.state.Current, o.state.Version = d.ID, d.Version
	if d.Remove {
		o.state.Version = ""
	}
	running := map[string]deployment.Running{}
	for i := range d.Components {
		component := &d.Components[i]
		if component.Dropped {
			continue
		}
		r := deployment.Running{
			Platform: component.Platform, Deployment: d.ID, Version: d.Version,
			Snapshot: component.After, Addresses: component.Addresses,
		}
		if component.Release != nil {
			r.ReleaseDigest = component.Release.Digest
		}
		if component.Unchanged && component.BeforeRunning != nil {
			r.Handle, r.Baseline = component.BeforeRunning.Handle, component.BeforeRunning.Baseline
		} else {
			r.Baseline = component.After.ObservedDigest
			if op := d.Runs[0].Step(component.Name).Operation(); op != nil {
				r.Handle = op.Handle
			}
		}
		running[component.Name] = r
	}
	o.state.Components = running
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

// restoredStep records what runs of a component that went back. One that nothing
// was done to belongs to the restored deployment again too: its definition and
// its checks are meant from now on.
func (o *owner) restoredStep(d *deployment.Deployment, r *deployment.Run, s *deployment.Step) {
	component := d.Component(s.Component)
	switch known, runs := o.state.Components[s.Component]; {
	case s.Action == deployment.ActionNone && !runs:
	case s.Action == deployment.ActionNone && r.Goal != "":
		known.Deployment, known.Version = r.Goal, r.TargetVersion
		o.state.Components[s.Component] = known
	case s.Action == deployment.ActionNone:
		if before := component.BeforeRunning; before != nil {
			known.Deployment, known.Version = before.Deployment, before.Version
			o.state.Components[s.Component] = known
		}
	case s.Action == deployment.ActionRemove, s.Action == deployment.ActionRestore && s.GoalFrom == "":
		delete(o.state.Components, s.Component) // what is not ours runs again, but nothing of ours does
	case s.Action == deployment.ActionRestore:
		running := restored(component, r, s)
		running.ReleaseDigest, running.Baseline, running.Snapshot = s.GoalRelease, s.Goal.ObservedDigest, s.Goal
		o.state.Components[s.Component] = running
	}
}

// restored is a component that was brought back, as far as that is known without
// its checks.
func restored(component *deployment.Component, r *deployment.Run, s *deployment.Step) deployment.Running {
	running := deployment.Running{
		Platform: component.Platform, Deployment: s.GoalFrom, Version: r.To, Addresses: component.Addresses,
	}
	if r.Goal == "" && component.BeforeRunning != nil {
		running.Version = component.BeforeRunning.Version
	}
	if op := s.Operation(); op != nil {
		running.Handle = op.Handle
	}
	return running
}

// leaveStep records what a rollback that failed made of a component: one that
// went back runs as it did before; of one that was begun nobody knows what it is,
// but it may be there.
func (o *owner) leaveStep(d *deployment.Deployment, r *deployment.Run, s *deployment.Step) {
	running, runs := o.state.Components[s.Component]
	if !runs && s.Action == deployment.ActionRestore && s.GoalFrom != "" && s.Began() {
		running, runs = restored(d.Component(s.Component), r, s), true
	}
	switch {
	case !s.PassedAt.IsZero():
		o.restoredStep(d, r, s)
	case runs && s.Began():
		running.Baseline, running.Snapshot, running.ReleaseDigest, running.Drifted = "", nil, "", ""
		o.state.Components[s.Component] = running
	}
}
