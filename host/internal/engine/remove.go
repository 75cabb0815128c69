package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Remove accepts a deployment without components: all that runs on the target
// is removed. It can be rolled back like any other.
func (e *Engine) Remove(ctx context.Context, target deployment.Target, reason string, planned *deployment.Planned, actor deployment.Actor, key *deployment.IdempotencyKey) (*deployment.Deployment, error) {
	if d, err := e.repeated(ctx, key); d != nil || err != nil {
		return d, err
	}
	d, err := e.removal(ctx, target)
	if err != nil {
		return nil, err
	}
	if planned != nil {
		plan, err := e.PlanRemove(ctx, target)
		if err != nil {
			return nil, err
		}
		if err := comparePlanned(*planned, plan.Planned); err != nil {
			return nil, err
		}
	}
	d.Runs[0].Planned, d.Runs[0].Reason = planned, reason
	return e.accept(ctx, d, nil, "target.remove", actor, key)
}

// removal is the deployment that removes all that runs.
func (e *Engine) removal(ctx context.Context, target deployment.Target) (*deployment.Deployment, error) {
	state, err := e.Store.State(ctx, target)
	if err != nil && !errors.Is(err, deployment.ErrNotFound) {
		return nil, storeError(err)
	}
	if errors.Is(err, deployment.ErrNotFound) || len(state.Components) == 0 && state.Holder == "" {
		return nil, &deployment.Error{
			Code: deployment.NotFound, Message: fmt.Sprintf("nothing runs on %s", target), Remedy: "apm deploy list",
		}
	}
	policy := deployment.DefaultPolicy()
	if current, err := e.Store.Deployment(ctx, state.Current); err == nil {
		policy = current.Definition.Policy
	}
	policy.Bake = 0
	return &deployment.Deployment{
		ID: e.NewID(), Target: target, Version: state.Version, Remove: true,
		Definition: deployment.Definition{
			Application: target.Application, Environment: target.Environment, Version: state.Version, Policy: policy,
		},
		Status: deployment.Pending, Reason: "accepted",
		Runs: []deployment.Run{{Number: 1, Kind: deployment.RunRemove, Trigger: deployment.TriggerUser}},
	}, nil
}
