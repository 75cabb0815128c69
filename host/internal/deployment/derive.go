package deployment

import "fmt"

// Derive returns the status of the deployment and its reason line: a pure
// function of the recorded facts.
func (d *Deployment) Derive() (Status, string) {
	r := d.Run()
	if r == nil {
		return Pending, "accepted"
	}
	if !r.Open() {
		return r.Result, r.Why
	}
	status := d.openStatus(r)
	if d.Waiting != nil {
		return status, d.Waiting.reason()
	}
	return status, d.openReason(r, status)
}

// openStatus is the status while the run goes on.
func (d *Deployment) openStatus(r *Run) Status {
	switch {
	case r.LockedAt.IsZero(): // a rollback of what had ended too: it is not at rest any more
		return Pending
	case r.Kind == RunRollback:
		return RollingBack
	case r.PreparedAt.IsZero():
		return Preparing
	case r.DeployedAt.IsZero():
		return Deploying
	default:
		return Verifying
	}
}

// openReason says what the run is about.
func (d *Deployment) openReason(r *Run, status Status) string {
	switch {
	case r.Cancel != nil && r.Kind != RunRollback:
		return "cancelled by " + r.Cancel.Actor.String()
	case status == Pending && r.Kind == RunRollback:
		return "rollback asked for by " + r.Actor.String()
	case status == Pending:
		return "accepted"
	case status == Preparing:
		return "taking snapshots of what runs"
	case status == Deploying:
		return "bringing up " + versionOrNothing(d.Version, d.Remove)
	case status == Verifying:
		return fmt.Sprintf("every component passed; watched for %s", d.Definition.Policy.Bake)
	case r.Reason != "":
		return "going back to " + versionOrNothing(r.To, r.To == "") + ": " + r.Reason
	default:
		return "going back to " + versionOrNothing(r.To, r.To == "")
	}
}

// versionOrNothing names a version, or that nothing is to run.
func versionOrNothing(version string, nothing bool) string {
	if nothing || version == "" {
		return "nothing"
	}
	return version
}

// reason says what is waited for.
func (w *Waiting) reason() string {
	switch w.Kind {
	case WaitLock:
		return "waiting for deployment " + w.For + " to end"
	case WaitPlugin:
		return "waiting: " + w.For
	default:
		return "holding, the environment is at fault: " + w.For
	}
}

// DeriveComponent returns the status of one component and its reason.
func (d *Deployment) DeriveComponent(c *Component) (Status, string) {
	if len(d.Runs) == 0 {
		return Pending, ""
	}
	status, reason := d.deployedStatus(c, &d.Runs[0])
	for i := 1; i < len(d.Runs); i++ {
		status, reason = d.restoredStatus(c, &d.Runs[i], status, reason)
	}
	return status, reason
}

// restoredStatus is what a rollback run made of the component; what it was
// before, where the run does nothing to it.
func (d *Deployment) restoredStatus(c *Component, r *Run, status Status, reason string) (Status, string) {
	if r.LockedAt.IsZero() {
		return status, reason
	}
	s := r.Step(c.Name)
	if len(r.Steps) == 0 && r.Goal == "" && d.Changed(c) {
		s = &Step{Action: ActionRestore} // as it will be fixed, once all has come to rest
		if status == Failed && r.Open() {
			return status, reason // why all goes back is seen first
		}
	}
	switch {
	case s == nil || s.Action == ActionNone:
		return status, reason
	case s.Failure != nil:
		return RollbackFailed, s.Failure.Message
	case !s.PassedAt.IsZero():
		return RolledBack, ""
	case r.Open() && s.StartedAt.IsZero():
		return RollingBack, "waiting for its turn"
	case r.Open():
		return RollingBack, ""
	default: // it was to go back, and did not
		return RollbackFailed, r.Why
	}
}

// deployedStatus is what the first run made of the component.
func (d *Deployment) deployedStatus(c *Component, r *Run) (Status, string) {
	s := r.Step(c.Name)
	switch {
	case c.Unchanged:
		return Unchanged, "the same release runs already"
	case s == nil && r.Open() && r.LockedAt.IsZero():
		return Pending, ""
	case s == nil && r.Open():
		return Preparing, ""
	case s == nil:
		return d.untouched(r), ""
	case s.Failure != nil:
		return Failed, s.Failure.Message
	case !r.Open() && r.Failure != nil && r.Failure.Component == c.Name: // after it had passed
		return Failed, r.Failure.Message
	case !s.PassedAt.IsZero() && c.Dropped:
		return Removed, ""
	case !s.PassedAt.IsZero() && r.Open():
		return Verifying, ""
	case !s.PassedAt.IsZero():
		return Completed, ""
	case !r.Open() && s.StartedAt.IsZero():
		return d.untouched(r), ""
	case !r.Open():
		return Cancelled, r.Why
	case !s.SettledAt.IsZero():
		return Verifying, ""
	case !s.StartedAt.IsZero():
		return Deploying, ""
	case r.LockedAt.IsZero():
		return Pending, ""
	case r.PreparedAt.IsZero():
		return Preparing, ""
	default:
		return Preparing, "waiting for its dependencies"
	}
}

// untouched is the status of a component that an ended run never started.
func (d *Deployment) untouched(r *Run) Status {
	if r.Result == Cancelled {
		return Cancelled
	}
	return Skipped
}
