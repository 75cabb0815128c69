package server

import (
	"fmt"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// timelineOf returns the history of a deployment as spans. Parents are named:
// stages and components belong to their run, operations to their component.
func timelineOf(d *deployment.Deployment) v1.Timeline {
	t := v1.Timeline{StartedAt: d.AcceptedAt, EndedAt: endOf(d), Spans: []v1.Span{}}
	for i := range d.Runs {
		r := &d.Runs[i]
		run := fmt.Sprintf("run %d", r.Number)
		t.Spans = append(t.Spans, v1.Span{
			Run: r.Number, Kind: "run", Name: run, StartedAt: r.RequestedAt,
			EndedAt: timeOf(r.EndedAt), Result: string(r.Result),
		})
		for _, s := range r.Stages {
			t.Spans = append(t.Spans, v1.Span{
				Run: r.Number, Kind: "stage", Name: string(s.Name), Parent: run,
				StartedAt: s.StartedAt, EndedAt: timeOf(s.EndedAt),
			})
		}
		for j := range r.Steps {
			t.Spans = append(t.Spans, stepSpans(r, &r.Steps[j], run)...)
		}
		if !r.DeployedAt.IsZero() && r.Kind != deployment.RunRollback {
			t.Spans = append(t.Spans, v1.Span{
				Run: r.Number, Kind: "bake", Name: "bake", Parent: run,
				StartedAt: r.DeployedAt, EndedAt: timeOf(r.EndedAt),
			})
		}
	}
	return t
}

// stepSpans returns the spans of one component in one run: the component until
// its gate, its operations, and the time in which a candidate stood beside.
func stepSpans(r *deployment.Run, s *deployment.Step, run string) []v1.Span {
	if s.StartedAt.IsZero() {
		return nil
	}
	end, result := s.PassedAt, "passed"
	switch {
	case s.Failure != nil:
		result = s.Failure.Code
		end = r.EndedAt
		if op := s.Operation(); op != nil && !op.EndedAt.IsZero() {
			end = op.EndedAt
		}
	case end.IsZero():
		result, end = "", r.EndedAt
	}
	spans := []v1.Span{{
		Run: r.Number, Kind: "component", Name: s.Component, Parent: run,
		StartedAt: s.StartedAt, EndedAt: timeOf(end), Result: result,
	}}
	for i := range s.Operations {
		op := &s.Operations[i]
		span := v1.Span{
			Run: r.Number, Kind: "operation", Name: string(op.Kind) + " " + s.Component, Parent: s.Component,
			StartedAt: op.IntentAt, EndedAt: timeOf(op.EndedAt),
		}
		if op.Outcome != nil {
			span.Result = string(op.Outcome.Result)
		}
		spans = append(spans, span)
		if !op.CandidateOK.IsZero() {
			spans = append(spans, v1.Span{
				Run: r.Number, Kind: "candidate", Name: "traffic to " + s.Component, Parent: s.Component,
				StartedAt: op.CandidateOK, EndedAt: timeOf(op.EndedAt),
			})
		}
	}
	return spans
}
