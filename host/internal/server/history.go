package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// registerHistory registers what tells of a deployment's past.
func (s *Server) registerHistory() {
	const base = "/api/v1/deployments/{id}/"
	unknown := []int{http.StatusNotFound, http.StatusConflict}
	add(s, operation{
		method: http.MethodGet, path: base + "events", id: "list-events", tag: "history", errors: unknown,
		summary: "List the events of a deployment", description: "Oldest first, numbered without gap.",
	}, s.events)
	add(s, operation{
		method: http.MethodGet, path: base + "timeline", id: "get-timeline", tag: "history", errors: unknown,
		summary: "Get the timeline of a deployment", description: "The runs as spans, for drawing.",
	}, s.timeline)
	add(s, operation{
		method: http.MethodGet, path: base + "runs", id: "list-runs", tag: "history", errors: unknown,
		summary: "List the runs of a deployment", description: "The deploy and its rollbacks: who, why, from, to, stages, result.",
	}, s.runs)
	add(s, operation{
		method: http.MethodGet, path: base + "releases", id: "list-releases", tag: "history", errors: unknown,
		summary: "List what was deployed", description: "The frozen content of each component, by its redacted view.",
	}, s.releases)
	add(s, operation{
		method: http.MethodGet, path: base + "snapshots", id: "list-snapshots", tag: "history", errors: unknown,
		summary: "List the snapshots of a deployment", description: "What ran before, and what was verified good, by its redacted view.",
	}, s.snapshots)
	add(s, operation{
		method: http.MethodGet, path: base + "evidence", id: "list-evidence", tag: "history", errors: unknown,
		summary: "List the evidence of failures", description: "Kept before anything was undone.",
	}, s.evidence)
	add(s, operation{
		method: http.MethodGet, path: base + "logs", id: "list-logs", tag: "history", errors: unknown,
		summary: "List log lines", description: "Of what runs, or of what ran before a restart (previous).",
	}, s.logs)
}

// eventsInput selects events.
type eventsInput struct {
	DeploymentPath
	After uint64 `query:"after" doc:"Only those with a larger seq."`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"200" doc:"How many."`
}

// eventsOutput is a page of events.
type eventsOutput struct{ Body v1.EventList }

// events lists events.
func (s *Server) events(ctx context.Context, in *eventsInput) (*eventsOutput, error) {
	d, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	rows, err := s.parts.Store.Events(ctx, d.ID, in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	out := &eventsOutput{Body: v1.EventList{Events: make([]v1.Event, 0, len(rows))}}
	for _, row := range rows {
		out.Body.Events = append(out.Body.Events, eventOf(row, who.anonymous()))
	}
	if n := len(rows); n > 0 && rows[n-1].Seq < d.Seq {
		out.Body.Next = rows[n-1].Seq
	}
	return out, nil
}

// timelineOutput is a timeline.
type timelineOutput struct{ Body v1.Timeline }

// timeline returns the runs as spans.
func (s *Server) timeline(ctx context.Context, in *DeploymentPath) (*timelineOutput, error) {
	d, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &timelineOutput{Body: timelineOf(d)}, nil
}

// runsOutput are the runs.
type runsOutput struct{ Body v1.RunList }

// runs lists the runs.
func (s *Server) runs(ctx context.Context, in *DeploymentPath) (*runsOutput, error) {
	d, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &runsOutput{Body: v1.RunList{Runs: runsOf(d.Runs)}}, nil
}

// evidenceOutput is all evidence.
type evidenceOutput struct{ Body v1.EvidenceList }

// evidence lists the evidence.
func (s *Server) evidence(ctx context.Context, in *DeploymentPath) (*evidenceOutput, error) {
	d, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &evidenceOutput{Body: v1.EvidenceList{Evidence: []v1.Evidence{}}}
	for i := range d.Components {
		for _, ref := range d.Components[i].Evidence {
			content, err := s.parts.Store.Blob(ctx, ref.Key)
			if err != nil {
				return nil, fmt.Errorf("read evidence %q: %w", ref.Key, err)
			}
			var e deployment.Evidence
			if err := json.Unmarshal(content, &e); err != nil {
				return nil, fmt.Errorf("decode evidence %q: %w", ref.Key, err)
			}
			out.Body.Evidence = append(out.Body.Evidence, evidenceOf(ref, e))
		}
	}
	sortBy(out.Body.Evidence, func(e v1.Evidence) time.Time { return e.At })
	return out, nil
}

// logsInput selects log lines.
type logsInput struct {
	DeploymentPath
	Component string    `query:"component" doc:"Of this component. Default: of all."`
	Resource  string    `query:"resource" doc:"Id of a resource. Default: all."`
	Tail      int       `query:"tail" minimum:"1" maximum:"5000" default:"200" doc:"The last so many lines."`
	Since     time.Time `query:"since" doc:"Not older than this."`
	Previous  bool      `query:"previous" doc:"Of the instance before the last restart."`
}

// logsOutput are log lines.
type logsOutput struct{ Body v1.LogList }

// logTime is how long log lines are gathered.
const logTime = 30 * time.Second

// logs lists log lines.
func (s *Server) logs(ctx context.Context, in *logsInput) (*logsOutput, error) {
	d, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Component != "" && d.Component(in.Component) == nil {
		return nil, newProblem(http.StatusNotFound, fmt.Sprintf("the deployment has no component %q", in.Component), "GET /api/v1/deployments/"+d.ID+" lists them")
	}
	ctx, cancel := context.WithTimeout(ctx, logTime)
	defer cancel()
	query := deployment.LogQuery{
		Component: in.Component, Resource: in.Resource, Since: in.Since, Tail: in.Tail, Previous: in.Previous,
	}
	lines := &tail{limit: in.Tail}
	if err := s.parts.Engine.Logs(ctx, d.ID, query, lines.add); err != nil {
		return nil, err
	}
	out := &logsOutput{Body: v1.LogList{Lines: lines.sorted()}}
	if in.Resource != "" && len(out.Body.Lines) == 0 && !hasResource(d, in.Resource) {
		return nil, newProblem(http.StatusNotFound, fmt.Sprintf("the deployment has no resource %q", in.Resource), "GET /api/v1/deployments/"+d.ID+" lists them")
	}
	return out, nil
}

// hasResource says whether a component is known to be made of the resource.
func hasResource(d *deployment.Deployment, id string) bool {
	for i := range d.Components {
		for _, r := range d.Components[i].Resources {
			if r.ID == id {
				return true
			}
		}
	}
	return false
}
