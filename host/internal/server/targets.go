package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// targets remembers what was read of targets, for the length of one request.
type targets struct {
	store  Store
	states map[deployment.Target]deployment.TargetState
	queues map[deployment.Target][]string
	// rollbacks are those asked for and not begun by deployment; nil: not read.
	rollbacks map[string]deployment.Command
}

// newTargets returns an empty memory.
func newTargets(store Store) *targets {
	return &targets{
		store:  store,
		states: map[deployment.Target]deployment.TargetState{},
		queues: map[deployment.Target][]string{},
	}
}

// state returns the state of a target; one that has none yet is empty.
func (t *targets) state(ctx context.Context, target deployment.Target) (deployment.TargetState, error) {
	if state, ok := t.states[target]; ok {
		return state, nil
	}
	state, err := t.store.State(ctx, target)
	if errors.Is(err, deployment.ErrNotFound) {
		state, err = deployment.TargetState{Target: target}, nil
	}
	if err == nil {
		t.states[target] = state
	}
	return state, err
}

// position returns where in the queue of its target a deployment stands, from 1;
// 0 when it does not.
func (t *targets) position(ctx context.Context, d *deployment.Deployment) (int, error) {
	queue, ok := t.queues[d.Target]
	if !ok {
		var err error
		if queue, err = t.store.Queue(ctx, d.Target); err != nil {
			return 0, err
		}
		t.queues[d.Target] = queue
	}
	return slices.Index(queue, d.ID) + 1, nil
}

// asked returns the deployment as it stands once the rollback is queued that
// somebody asked for: from the answer to that request on it is not at rest any
// more, also where the owner of the target has not come to it yet. Without such
// a request it is d itself.
func (t *targets) asked(ctx context.Context, d *deployment.Deployment) (*deployment.Deployment, error) {
	if r := d.Run(); r == nil || r.Open() {
		return d, nil
	}
	if t.rollbacks == nil {
		commands, err := t.store.Commands(ctx)
		if err != nil {
			return nil, err
		}
		t.rollbacks = map[string]deployment.Command{}
		for _, c := range commands {
			if _, twice := t.rollbacks[c.DeploymentID]; c.Kind == deployment.CommandRollback && !twice {
				t.rollbacks[c.DeploymentID] = c
			}
		}
	}
	c, asked := t.rollbacks[d.ID]
	if !asked {
		return d, nil
	}
	queued := *d
	queued.Runs = append(slices.Clone(d.Runs), deployment.Run{
		Number: len(d.Runs) + 1, Kind: deployment.RunRollback, Trigger: deployment.TriggerUser,
		Actor: c.Actor, Reason: c.Reason, TargetVersion: c.TargetVersion, RequestedAt: c.At,
	})
	queued.EndedAt = time.Time{}
	queued.Status, queued.Reason = queued.Derive()
	return &queued, nil
}
