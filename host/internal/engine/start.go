package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk/diag"
)

// Start accepts a deployment: all that can be validated is, each component is
// resolved to a release, and deployment, releases, first event and audit record
// are stored in one transaction. A key that was used for the same request
// before gives the first deployment.
func (e *Engine) Start(ctx context.Context, request deployment.Request, planned *deployment.Planned, actor deployment.Actor, key *deployment.IdempotencyKey) (*deployment.Deployment, error) {
	if d, err := e.repeated(ctx, key); d != nil || err != nil {
		return d, err
	}
	definition, places, err := e.define(ctx, request)
	if err != nil {
		return nil, err
	}
	d, blobs, err := e.resolve(ctx, definition, places)
	if err != nil {
		return nil, err
	}
	if planned != nil {
		plan, err := e.PlanStart(ctx, request)
		if err != nil {
			return nil, err
		}
		if err := comparePlanned(*planned, plan.Planned); err != nil {
			return nil, err
		}
	}
	d.Runs[0].Planned = planned
	d.Runs[0].Reason = request.Reason
	return e.accept(ctx, d, blobs, "deployment.start", actor, key)
}

// repeated returns the deployment that the key was used for before, if any.
func (e *Engine) repeated(ctx context.Context, key *deployment.IdempotencyKey) (*deployment.Deployment, error) {
	if key == nil {
		return nil, nil
	}
	id, err := e.Store.Repeated(ctx, *key)
	switch {
	case errors.Is(err, deployment.ErrKeyReused):
		return nil, keyReused()
	case err != nil:
		return nil, storeError(err)
	case id == "":
		return nil, nil
	}
	d, err := e.Store.Deployment(ctx, id)
	return d, storeError(err)
}

// locate says where that stands which a plugin speaks of.
type locate func(component string, found diag.Diagnostics) []deployment.Problem

// define makes the request complete, from its application's file or from what
// was accepted last.
func (e *Engine) define(ctx context.Context, request deployment.Request) (deployment.Definition, locate, error) {
	var last *deployment.Definition
	previous, err := e.Store.LastAccepted(ctx, request.Name)
	switch {
	case err == nil:
		last = &previous.Definition
	case !errors.Is(err, deployment.ErrNotFound):
		return deployment.Definition{}, nil, storeError(err)
	}
	definition, _, err := e.Definitions.Define(ctx, request, last)
	return definition, func(component string, found diag.Diagnostics) []deployment.Problem {
		if len(found) == 0 {
			return nil
		}
		if located := e.Definitions.Locate(ctx, request, last, component, found); len(located) == len(found) {
			return located
		}
		return problemsOf(found, component)
	}, err
}

// accept stores a new deployment with its first event and its audit record.
func (e *Engine) accept(ctx context.Context, d *deployment.Deployment, blobs []deployment.Blob, action string, actor deployment.Actor, key *deployment.IdempotencyKey) (*deployment.Deployment, error) {
	now := e.Now().UTC()
	d.Actor, d.AcceptedAt, d.UpdatedAt = actor, now, now
	d.Runs[0].Actor, d.Runs[0].RequestedAt = actor, now
	d.Runs[0].Stages = []deployment.Stage{{Name: deployment.Pending, StartedAt: now}}
	c := &change{now: now}
	payload := deployment.AcceptedPayload{
		Name: d.Application, Version: d.Version, Environment: d.Environment,
		Platforms: platformsOf(d), Actor: actor.String(), Remove: d.Remove,
	}
	for i := range d.Components {
		payload.Components = append(payload.Components, d.Components[i].Name)
	}
	c.event(deployment.EventAccepted, payload)
	d.Seq = 1
	c.events[0].DeploymentID, c.events[0].Seq = d.ID, 1
	err := e.Store.Accept(ctx, deployment.Acceptance{
		Deployment: d, Events: c.events, Blobs: blobs, Key: key,
		Concurrent: d.Definition.Policy.Concurrent,
		Audit: deployment.AuditRecord{
			At: now, Actor: actor, Action: action, Object: d.ID,
			Detail: d.Target.String() + " " + d.Version, Reason: d.Runs[0].Reason,
		},
	})
	var busy *deployment.BusyError
	var again *deployment.RepeatedError
	switch {
	case errors.As(err, &again):
		first, err := e.Store.Deployment(ctx, again.DeploymentID)
		return first, storeError(err)
	case errors.As(err, &busy):
		return nil, &deployment.Error{
			Code: deployment.Conflict, Holder: busy.Holder,
			Message: fmt.Sprintf("deployment %s of %s has not ended, and policy.concurrent is refuse", busy.Holder, d.Target),
			Remedy:  "wait for it (apm deploy watch " + busy.Holder + ") or cancel it",
		}
	case errors.Is(err, deployment.ErrKeyReused):
		return nil, keyReused()
	case err != nil:
		return nil, storeError(err)
	}
	e.Bus.Ring(d.ID)
	e.nudge()
	return d, nil
}

// platformsOf returns the platforms of the components, each once, in order.
func platformsOf(d *deployment.Deployment) []string {
	var names []string
	for i := range d.Components {
		if !slices.Contains(names, d.Components[i].Platform) {
			names = append(names, d.Components[i].Platform)
		}
	}
	return names
}
