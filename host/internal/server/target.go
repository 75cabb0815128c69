package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// registerTargets registers what runs where, and removal.
func (s *Server) registerTargets() {
	const one = "/api/v1/targets/{application}/{environment}"
	add(s, operation{
		method: http.MethodGet, path: "/api/v1/targets", id: "list-targets", tag: "targets",
		summary: "List targets", description: "Every application in every environment it was deployed to.",
	}, s.targets)
	add(s, operation{
		method: http.MethodGet, path: one, id: "get-target", tag: "targets",
		summary: "Get a target", description: "What runs there, what holds its lock, and what waits.",
		errors: []int{http.StatusNotFound},
	}, s.target)
	add(s, operation{
		method: http.MethodDelete, path: one, id: "remove-target", tag: "targets",
		summary:     "Remove what runs on a target",
		description: "A deployment without components: it can be followed, and rolled back.",
		status:      http.StatusAccepted, responses: s.acceptedResponses(),
		errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusUnsupportedMediaType},
	}, s.remove)
}

// TargetPath names a target. Exported for the same reason as DeploymentPath.
type TargetPath struct {
	Application string `path:"application" maxLength:"255" example:"my-app"`
	Environment string `path:"environment" maxLength:"255" example:"production"`
}

// target returns the target that is named.
func (p TargetPath) target() (deployment.Target, error) {
	application, err := unescape("application", p.Application)
	if err != nil {
		return deployment.Target{}, err
	}
	environment, err := unescape("environment", p.Environment)
	return deployment.Target{Application: application, Environment: environment}, err
}

// targetsOutput are all targets.
type targetsOutput struct{ Body v1.TargetList }

// targets lists all targets.
func (s *Server) targets(ctx context.Context, _ *struct{}) (*targetsOutput, error) {
	states, err := s.parts.Store.States(ctx)
	if err != nil {
		return nil, err
	}
	out := &targetsOutput{Body: v1.TargetList{Targets: make([]v1.Target, 0, len(states))}}
	for _, state := range states {
		body, err := s.targetBody(ctx, state)
		if err != nil {
			return nil, err
		}
		out.Body.Targets = append(out.Body.Targets, body)
	}
	return out, nil
}

// targetOutput is one target.
type targetOutput struct{ Body v1.Target }

// target returns one target.
func (s *Server) target(ctx context.Context, in *TargetPath) (*targetOutput, error) {
	target, err := in.target()
	if err != nil {
		return nil, err
	}
	state, err := s.parts.Store.State(ctx, target)
	if errors.Is(err, deployment.ErrNotFound) {
		return nil, newProblem(http.StatusNotFound, fmt.Sprintf("there is no target %s: nothing was ever deployed there", target), "GET /api/v1/targets lists them")
	}
	if err != nil {
		return nil, err
	}
	body, err := s.targetBody(ctx, state)
	return &targetOutput{Body: body}, err
}

// targetBody returns a target with its queue, and with the health of what is
// current there.
func (s *Server) targetBody(ctx context.Context, state deployment.TargetState) (v1.Target, error) {
	body := v1.Target{
		Application: state.Application, Environment: state.Environment, Version: state.Version,
		Current: state.Current, Holder: state.Holder, Queue: []string{},
		Health: string(deployment.Unknown), Components: []v1.TargetComponent{},
	}
	queue, err := s.parts.Store.Queue(ctx, state.Target)
	if err != nil {
		return v1.Target{}, err
	}
	body.Queue = append(body.Queue, queue...)
	for name, c := range state.Components {
		body.Components = append(body.Components, v1.TargetComponent{
			Name: name, Platform: c.Platform, Version: c.Version, Deployment: c.Deployment, Addresses: c.Addresses,
		})
		if c.Drifted != "" {
			body.Drifted = append(body.Drifted, name)
		}
	}
	slices.Sort(body.Drifted)
	slices.SortFunc(body.Components, func(a, b v1.TargetComponent) int { return compare(a.Name, b.Name) })
	if state.Current == "" {
		return body, nil
	}
	d, err := s.parts.Store.Deployment(ctx, state.Current)
	if errors.Is(err, deployment.ErrNotFound) {
		return body, nil
	}
	if err != nil {
		return v1.Target{}, err
	}
	var checks []deployment.Check
	for i := range d.Components {
		checks = append(checks, d.Components[i].Checks...)
	}
	body.Health = string(deployment.Worst(checks))
	return body, nil
}

// removeInput is a request to remove what runs.
type removeInput struct {
	TargetPath
	Key    string `header:"Idempotency-Key" maxLength:"255" pattern:"^[!-~]+$" doc:"Makes the request repeatable. Bound to the token."`
	DryRun bool   `query:"dry_run" doc:"Answer the plan (200) and change nothing."`
	Body   *v1.RemoveRequest
}

// remove removes what runs on a target, or says what it would do.
func (s *Server) remove(ctx context.Context, in *removeInput) (*acceptedOutput, error) {
	target, err := in.target()
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		plan, err := s.parts.Engine.PlanRemove(ctx, target)
		if err != nil {
			return nil, err
		}
		return &acceptedOutput{Status: http.StatusOK, Body: planOf(plan)}, nil
	}
	request := v1.RemoveRequest{}
	if in.Body != nil {
		request = *in.Body
	}
	who := callerOf(ctx)
	key, err := keyOf(who, in.Key, "remove "+target.String(), request)
	if err != nil {
		return nil, err
	}
	d, err := s.parts.Engine.Remove(ctx, target, oneLine(request.Reason), plannedFrom(request.Planned), who.Actor, key)
	if err != nil {
		return nil, err
	}
	return s.accepted(ctx, d)
}

// completedAt is when the deploy run of a deployment ended.
func completedAt(d *deployment.Deployment) time.Time {
	if len(d.Runs) > 0 {
		return d.Runs[0].EndedAt
	}
	return d.EndedAt
}
