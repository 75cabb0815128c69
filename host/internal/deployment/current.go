package deployment

import "fmt"

// CheckRollback says whether a rollback of d may be asked for now, given what
// the target records. A nil error means yes. Of a deployment whose own deploy
// runs it means: cancel, and restore.
func CheckRollback(d *Deployment, state TargetState, targetVersion string) error {
	r := d.Run()
	switch {
	case r != nil && r.Open() && r.Kind == RunRollback:
		return &Error{
			Code: Conflict, Holder: d.ID,
			Message: fmt.Sprintf("deployment %s is rolling back already", d.ID),
			Remedy:  "watch it: apm deploy watch " + d.ID,
		}
	case r != nil && r.Open() && targetVersion != "":
		return &Error{
			Code: Conflict, Holder: d.ID,
			Message: fmt.Sprintf("target_version: deployment %s still runs, so that it can only be cancelled", d.ID),
			Remedy:  "apm deploy cancel " + d.ID + ", then roll back the deployment that is current",
		}
	case r != nil && r.Open():
		return nil
	case state.Current == d.ID:
		return nil
	case state.Current == "":
		return &Error{
			Code:    Conflict,
			Message: fmt.Sprintf("deployment %s is not current: nothing of ours runs on %s", d.ID, d.Target),
			Remedy:  "start a deployment of the version you want",
		}
	default:
		return &Error{
			Code: Conflict, Holder: state.Current,
			Message: fmt.Sprintf("deployment %s is not current: %s runs on %s by deployment %s",
				d.ID, versionOrNothing(state.Version, false), d.Target, state.Current),
			Remedy: "apm deploy rollback " + state.Current,
		}
	}
}

// CheckCancel says whether d can be cancelled now.
func CheckCancel(d *Deployment) error {
	r := d.Run()
	switch {
	case r == nil || !r.Open():
		return &Error{
			Code:    Conflict,
			Message: fmt.Sprintf("deployment %s has ended: %s", d.ID, d.Status),
			Remedy:  "apm deploy explain " + d.ID,
		}
	case r.Kind == RunRollback && !r.LockedAt.IsZero():
		return &Error{
			Code: Conflict, Holder: d.ID,
			Message: fmt.Sprintf("deployment %s is rolling back; a rollback is not cancelled", d.ID),
			Remedy:  "watch it: apm deploy watch " + d.ID,
		}
	default:
		return nil
	}
}

// Changed says whether the run of a deploy changed the component on its
// platform, so that a rollback has to restore it.
func (d *Deployment) Changed(c *Component) bool {
	if len(d.Runs) == 0 || c.Unchanged {
		return false
	}
	s := d.Runs[0].Step(c.Name)
	return s != nil && s.changed()
}

// changed looks at every operation: the last one may have been refused, or
// undone, after one before it had failed half way. One without outcome may
// change something yet.
func (s *Step) changed() bool {
	for i := range s.Operations {
		outcome := s.Operations[i].Outcome
		last := i == len(s.Operations)-1
		switch {
		case outcome == nil:
			return true
		case outcome.Result == ResultRefused, last && s.Undone:
		default:
			return true
		}
	}
	return false
}

// ChangedAny says whether the deployment changed the platform at all.
func (d *Deployment) ChangedAny() bool {
	for i := range d.Components {
		if d.Changed(&d.Components[i]) {
			return true
		}
	}
	return false
}

// Began says whether any operation of the deployment was begun, undone or not.
// One that the platform refused without a change was not.
func (d *Deployment) Began() bool {
	if len(d.Runs) == 0 {
		return false
	}
	for i := range d.Runs[0].Steps {
		if d.Runs[0].Steps[i].Began() {
			return true
		}
	}
	return false
}

// Began says whether an operation of the step was begun, undone or not.
func (s *Step) Began() bool {
	for _, op := range s.Operations {
		if op.Outcome == nil || op.Outcome.Result != ResultRefused {
			return true
		}
	}
	return false
}

// RollbackSteps returns what a rollback to each component's `before` does, in
// the order of the components.
func (d *Deployment) RollbackSteps() []Step {
	steps := make([]Step, 0, len(d.Components))
	for i := range d.Components {
		c := &d.Components[i]
		s := Step{Component: c.Name, Action: ActionNone}
		if d.Changed(c) && c.Before != nil {
			s.Action, s.Goal, s.GoalFrom = ActionRestore, c.Before, c.BeforeFrom
			if c.BeforeRunning != nil {
				s.GoalRelease = c.BeforeRunning.ReleaseDigest
			}
			if c.Before.Empty {
				s.Action = ActionRemove
			}
		}
		steps = append(steps, s)
	}
	return steps
}
