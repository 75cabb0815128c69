package server

import (
	"strings"
	"unicode"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// runsOf translates the runs of a deployment.
func runsOf(runs []deployment.Run) []v1.Run {
	bodies := make([]v1.Run, 0, len(runs))
	for i := range runs {
		r := &runs[i]
		body := v1.Run{
			Number: r.Number, Kind: string(r.Kind), Trigger: string(r.Trigger), Actor: r.Actor.String(),
			Reason: given(r.Reason), From: r.From, To: r.To, TargetVersion: r.TargetVersion, Goal: r.Goal,
			RequestedAt: r.RequestedAt, StartedAt: timeOf(r.LockedAt), EndedAt: timeOf(r.EndedAt),
			Result: string(r.Result), Why: r.Why, Failure: failureOf(r.Failure),
			Stages: stagesOf(runs[i : i+1]), Steps: make([]v1.RunStep, 0, len(r.Steps)),
		}
		if r.Cancel != nil {
			body.CancelledBy = r.Cancel.Actor.String()
		}
		for j := range r.Steps {
			body.Steps = append(body.Steps, stepOf(&r.Steps[j]))
		}
		bodies = append(bodies, body)
	}
	return bodies
}

// given names a reason that nobody gave.
func given(reason string) string {
	if reason == "" {
		return "not given"
	}
	return reason
}

// oneLine makes one line of what a person gave: it stands in reason lines.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// stepOf translates what a run did to one component.
func stepOf(s *deployment.Step) v1.RunStep {
	body := v1.RunStep{
		Component: s.Component, Action: string(s.Action),
		StartedAt: timeOf(s.StartedAt), SettledAt: timeOf(s.SettledAt), PassedAt: timeOf(s.PassedAt),
		Failure: failureOf(s.Failure), Operations: make([]v1.Operation, 0, len(s.Operations)),
	}
	for i := range s.Operations {
		op := &s.Operations[i]
		operation := v1.Operation{
			ID: op.ID, Kind: string(op.Kind), Staged: op.Staged,
			StartedAt: op.IntentAt, EndedAt: timeOf(op.EndedAt), Message: op.Message,
		}
		if op.Outcome != nil {
			operation.Result = string(op.Outcome.Result)
			if op.Outcome.Message != "" {
				operation.Message = op.Outcome.Message
			}
		}
		body.Operations = append(body.Operations, operation)
	}
	return body
}

// evidenceOf translates evidence.
func evidenceOf(ref deployment.EvidenceRef, e deployment.Evidence) v1.Evidence {
	body := v1.Evidence{
		ID: ref.Key, Run: ref.Run, Component: e.Component, Code: e.Code, Resource: e.Resource,
		Message: e.Message, Suggestion: e.Suggestion, Events: e.Events, At: e.At,
		Logs: linesOf(e.Component, e.Logs), Checks: make([]v1.Observation, 0, len(e.Checks)),
		Resources: resourcesOf(e.Resources),
	}
	if body.Events == nil {
		body.Events = []string{}
	}
	for _, c := range e.Checks {
		body.Checks = append(body.Checks, v1.Observation{
			Check: c.Check, Status: string(c.Status), Message: c.Message,
			LatencyMS: milliseconds(c.Latency), At: c.At,
		})
	}
	return body
}

// linesOf translates log lines.
func linesOf(component string, lines []deployment.LogLine) []v1.LogLine {
	bodies := make([]v1.LogLine, 0, len(lines))
	for _, l := range lines {
		bodies = append(bodies, v1.LogLine{
			Component: component, Resource: l.Resource, Line: l.Line,
			Previous: l.Previous, Time: l.Time, Stream: l.Stream,
		})
	}
	return bodies
}

// planOf translates a plan.
func planOf(p deployment.Plan) v1.Plan {
	body := v1.Plan{
		Kind: string(p.Kind), DeploymentID: p.DeploymentID,
		Name: p.Target.Application, Environment: p.Target.Environment,
		From: p.From, To: p.To, TargetVersion: p.TargetVersion, MadeAt: p.MadeAt,
		Order: p.Order, Components: make([]v1.PlanComponent, 0, len(p.Components)),
		ExpectedSeconds: p.Expected.Seconds(), ExpectedDowntime: p.Downtime.Seconds(),
		NotRestored: p.NotRestored, Planned: plannedOf(p.Planned),
	}
	if body.Order == nil {
		body.Order = [][]string{}
	}
	if body.NotRestored == nil {
		body.NotRestored = []string{}
	}
	for _, c := range p.Components {
		component := v1.PlanComponent{
			Component: c.Component, Platform: c.Platform, Action: string(c.Action), Unchanged: c.Unchanged,
			Steps: make([]v1.PlanStep, 0, len(c.Steps)), NotRestored: c.NotRestored, Warnings: c.Warnings,
		}
		for _, s := range c.Steps {
			component.Steps = append(component.Steps, v1.PlanStep(s))
		}
		body.Components = append(body.Components, component)
	}
	if r := p.Request; r != nil {
		body.Request = &v1.StartRequest{
			Name: r.Name, Version: r.Version, Platform: r.Platform, Environment: r.Environment,
			Configuration: r.Configuration, HealthChecks: r.HealthChecks, Policy: r.Policy, Reason: r.Reason,
		}
	}
	return body
}

// plannedOf translates what a plan was made from.
func plannedOf(p deployment.Planned) v1.Planned {
	body := v1.Planned{Components: make([]v1.PlannedComponent, 0, len(p.Components))}
	for _, c := range p.Components {
		body.Components = append(body.Components, v1.PlannedComponent(c))
	}
	return body
}

// plannedFrom translates it back; nil stays nil.
func plannedFrom(p *v1.Planned) *deployment.Planned {
	if p == nil {
		return nil
	}
	planned := &deployment.Planned{}
	for _, c := range p.Components {
		planned.Components = append(planned.Components, deployment.PlannedComponent(c))
	}
	return planned
}

// tokenOf translates a token.
func tokenOf(t deployment.Token) v1.Token {
	return v1.Token{
		ID: t.ID, Name: t.Name, Role: string(t.Role), CreatedAt: t.CreatedAt, CreatedBy: t.CreatedBy,
		ExpiresAt: timeOf(t.ExpiresAt), RevokedAt: timeOf(t.RevokedAt), LastUsed: timeOf(t.LastUsed),
	}
}

// auditOf translates an audit record.
func auditOf(r deployment.AuditRecord) v1.AuditRecord {
	return v1.AuditRecord{
		ID: r.ID, At: r.At, Actor: r.Actor.String(), Role: string(r.Actor.Role),
		Action: r.Action, Object: r.Object, Detail: r.Detail, Reason: r.Reason,
	}
}
