package server

import (
	"slices"
	"time"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// around is what a status body tells of a deployment beyond its own facts.
type around struct {
	Current  bool
	Position int // in the queue, from 1; 0 when it does not queue
	Past     []deployment.PastRun
	Now      time.Time
}

// statusOf returns the status body of a deployment.
func statusOf(d *deployment.Deployment, a around) v1.Deployment {
	body := v1.Deployment{
		ID: d.ID, Name: d.Application, Version: d.Version, Environment: d.Environment,
		Platforms: platformsOf(d), Status: string(d.Status), Reason: d.Reason,
		Current: a.Current, Remove: d.Remove, Run: len(d.Runs),
		Progress:     progressOf(deployment.ProgressOf(d)),
		ETA:          etaOf(deployment.EstimateETA(d, a.Past, a.Now)),
		HealthChecks: []v1.HealthCheck{}, Components: make([]v1.Component, 0, len(d.Components)),
		Stages: stagesOf(d.Runs), PreviousVersion: d.PreviousVersion,
		Actor: d.Actor.String(), AcceptedAt: d.AcceptedAt, UpdatedAt: d.UpdatedAt,
		EndedAt: endOf(d), Seq: d.Seq,
	}
	if w := d.Waiting; w != nil {
		body.Waiting = &v1.Waiting{Kind: string(w.Kind), For: w.For, Since: w.Since, Position: a.Position}
	}
	for i := range d.Components {
		c := componentOf(d, &d.Components[i])
		body.HealthChecks = append(body.HealthChecks, c.Checks...)
		body.Components = append(body.Components, c)
	}
	if r := d.Run(); r != nil {
		body.Failure = failureOf(r.Failure)
		if body.Failure == nil && r.Kind == deployment.RunRollback {
			body.Failure = failureOf(d.Runs[0].Failure)
		}
	}
	return body
}

// endOf returns when the deployment ended, nil while a run is open, also one that
// waits for its turn.
func endOf(d *deployment.Deployment) *time.Time {
	if r := d.Run(); r != nil && r.Open() {
		return nil
	}
	return timeOf(d.EndedAt)
}

// platformsOf returns the platforms a deployment has components on, sorted.
func platformsOf(d *deployment.Deployment) []string {
	platforms := []string{}
	for i := range d.Components {
		if name := d.Components[i].Platform; !slices.Contains(platforms, name) {
			platforms = append(platforms, name)
		}
	}
	slices.Sort(platforms)
	return platforms
}

// progressOf translates progress.
func progressOf(p deployment.Progress) v1.Progress {
	return v1.Progress{
		Percentage: p.Percentage, CurrentStep: p.CurrentStep,
		TotalSteps: p.TotalSteps, CurrentStage: p.CurrentStage,
	}
}

// etaOf translates an estimate.
func etaOf(e *deployment.ETA) *v1.ETA {
	if e == nil {
		return nil
	}
	return &v1.ETA{Basis: string(e.Basis), Earliest: e.Earliest, Latest: e.Latest, Overdue: e.Overdue}
}

// componentOf translates a component.
func componentOf(d *deployment.Deployment, c *deployment.Component) v1.Component {
	body := v1.Component{
		Name: c.Name, Platform: c.Platform, DependsOn: c.DependsOn,
		Status: string(c.Status), Reason: c.Reason, Revision: c.Revision,
		Addresses: c.Addresses, Dropped: c.Dropped,
		Resources: resourcesOf(c.Resources), Checks: make([]v1.HealthCheck, 0, len(c.Checks)),
	}
	for i := range c.Checks {
		body.Checks = append(body.Checks, checkOf(&c.Checks[i], c.Name))
	}
	if r := d.Run(); r != nil && r.Open() {
		if s := r.Step(c.Name); s != nil {
			if op := s.Operation(); op != nil && op.Candidate != nil && op.Outcome == nil {
				percent := op.Percent
				body.Traffic = &percent
			}
		}
	}
	return body
}

// checkOf translates a check.
func checkOf(c *deployment.Check, component string) v1.HealthCheck {
	status := c.Status
	if status == "" {
		status = deployment.Unknown
	}
	return v1.HealthCheck{
		Name: c.Name, Type: c.Type, Status: string(status), Message: c.Message, Component: component,
		LatencyMS: milliseconds(c.Latency), Passes: c.Passes, Failures: c.Failures,
		Since: c.Since, CheckedAt: c.At,
	}
}

// resourcesOf translates resources.
func resourcesOf(resources []deployment.Resource) []v1.Resource {
	bodies := make([]v1.Resource, 0, len(resources))
	for _, r := range resources {
		bodies = append(bodies, v1.Resource{
			ID: r.ID, ParentID: r.ParentID, Kind: r.Kind, Name: r.Name, Revision: r.Revision,
			Health: string(r.Health), Desired: r.Desired, Ready: r.Ready, Restarts: r.Restarts,
			Reason: r.Reason, Message: r.Message,
		})
	}
	return bodies
}

// failureOf translates a failure.
func failureOf(f *deployment.Failure) *v1.Failure {
	if f == nil {
		return nil
	}
	return &v1.Failure{
		Code: f.Code, Component: f.Component, Resource: f.Resource, Message: f.Message,
		Suggestion: f.Suggestion, EvidenceID: f.Evidence,
	}
}

// stagesOf returns the stages of all runs, in order.
func stagesOf(runs []deployment.Run) []v1.Stage {
	stages := []v1.Stage{}
	for i := range runs {
		for _, s := range runs[i].Stages {
			stages = append(stages, v1.Stage{
				Run: runs[i].Number, Name: string(s.Name), StartedAt: s.StartedAt, EndedAt: timeOf(s.EndedAt),
			})
		}
	}
	return stages
}

// timeOf returns nil for no time.
func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// milliseconds of a duration.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
