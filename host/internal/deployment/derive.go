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
	case r.Kind == RunRollback && r.LockedAt.IsZero():
		return d.Runs[len(d.Runs)-2].Result // a queued rollback changes nothing yet
	case r.Kind == RunRollback:
		return RollingBack
	case r.LockedAt.IsZero():
		return Pending
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
	case status == Pending:
		return "accepted"
	case status == Preparing:
		return "taking snapshots of what runs"
	case status == Deploying:
		return "bringing up " + versionOrNothing(d.Version, d.Remove)
	case status == Verifying:
		return fmt.Sprintf("every component passed; watched for %s", d.Definition.Policy.Bake)
	case r.Trigger == TriggerPolicy && r.Reason != "":
		return "going back to " + versionOrNothing(r.To, r.To == "") + ": " + r.Reason
	case r.Kind == RunRollback && r.LockedAt.IsZero():
		return "rollback asked for by " + r.Actor.String()
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
		return "waiting for platform " + w.For + " to be ready"
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
		r := &d.Runs[i]
		s := r.Step(c.Name)
		if s == nil || s.Action == ActionNone {
			continue
		}
		switch {
		case s.Failure != nil:
			status, reason = RollbackFailed, s.Failure.Message
		case !s.PassedAt.IsZero():
			status, reason = RolledBack, ""
		case !s.StartedAt.IsZero() && r.Open():
			status, reason = RollingBack, ""
		case !s.StartedAt.IsZero():
			status, reason = RollbackFailed, r.Why
		}
	}
	return status, reason
}

// deployedStatus is what the first run made of the component.
func (d *Deployment) deployedStatus(c *Component, r *Run) (Status, string) {
	s := r.Step(c.Name)
	switch {
	case s == nil && r.Open() && r.LockedAt.IsZero():
		return Pending, ""
	case s == nil && r.Open():
		return Preparing, ""
	case s == nil:
		return d.untouched(r), ""
	case c.Unchanged:
		return Unchanged, "the same release runs already"
	case s.Failure != nil:
		return Failed, s.Failure.Message
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
		return Pending, "waiting for its dependencies"
	}
}

// untouched is the status of a component that an ended run never started.
func (d *Deployment) untouched(r *Run) Status {
	if r.Result == Cancelled {
		return Cancelled
	}
	return Skipped
}
