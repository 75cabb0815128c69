package engine

import (
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// comparePlanned refuses when what an approved plan was made from no longer
// holds.
func comparePlanned(approved, now deployment.Planned) error {
	present := map[string]deployment.PlannedComponent{}
	for _, p := range now.Components {
		present[p.Component] = p
	}
	for _, p := range approved.Components {
		moved := ""
		switch seen, there := present[p.Component]; {
		case !there:
			moved = "is no longer part of it"
		case seen.ObservedDigest != p.ObservedDigest:
			moved = "was changed on the platform"
		case seen.SnapshotDigest != p.SnapshotDigest:
			moved = "would be restored to another snapshot"
		case seen.ReleaseDigest != p.ReleaseDigest:
			moved = "would get another release"
		default:
			delete(present, p.Component)
			continue
		}
		return planMoved(p.Component, moved)
	}
	for name := range present {
		return planMoved(name, "became part of it")
	}
	return nil
}

// planMoved is the error of a plan that no longer holds.
func planMoved(component, moved string) error {
	return &deployment.Error{
		Code:    deployment.OutOfDate,
		Message: fmt.Sprintf("plan out of date: component %s %s since the plan was made", component, moved),
		Remedy:  "make a new plan with --dry-run and look at it",
	}
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
