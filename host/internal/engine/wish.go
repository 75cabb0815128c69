package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// pickUp bounds how long a person waits until the owner of the target has
// carried out what was asked.
const pickUpWait = 5 * time.Second

// Rollback asks for a rollback of the current deployment, or, of one that runs,
// to cancel it and restore. It returns the deployment with the run that follows.
// A key that was used for the same request before gives the deployment as it is.
func (e *Engine) Rollback(ctx context.Context, id string, wish deployment.RollbackWish, actor deployment.Actor) (*deployment.Deployment, error) {
	if d, err := e.repeated(ctx, wish.Key); d != nil || err != nil {
		return d, err
	}
	d, _, err := e.rollbackAllowed(ctx, id, wish.TargetVersion)
	if err != nil {
		return nil, err
	}
	if wish.Reason == "" && d.Definition.Policy.RequireReason {
		return nil, &deployment.Error{
			Code: deployment.Invalid, Message: "the rollback cannot be accepted",
			Problems: []deployment.Problem{{Field: "reason", Message: "is missing, and policy.require_reason is true", Remedy: "say why: --reason \"…\""}},
		}
	}
	if wish.Planned != nil {
		plan, err := e.PlanRollback(ctx, id, wish.TargetVersion)
		if err != nil {
			return nil, err
		}
		if err := comparePlanned(*wish.Planned, plan.Planned); err != nil {
			return nil, err
		}
	}
	return e.command(ctx, d, deployment.Command{
		Kind: deployment.CommandRollback, Reason: wish.Reason,
		TargetVersion: wish.TargetVersion, Planned: wish.Planned, Key: wish.Key,
	}, "deployment.rollback", actor)
}

// Cancel asks to stop a deployment. What it changed is restored. For the key see
// Rollback.
func (e *Engine) Cancel(ctx context.Context, id, reason string, actor deployment.Actor, key *deployment.IdempotencyKey) (*deployment.Deployment, error) {
	if d, err := e.repeated(ctx, key); d != nil || err != nil {
		return d, err
	}
	d, err := e.Store.Deployment(ctx, id)
	if err != nil {
		return nil, storeError(err)
	}
	if err := deployment.CheckCancel(d); err != nil {
		return nil, err
	}
	return e.command(ctx, d, deployment.Command{Kind: deployment.CommandCancel, Reason: reason, Key: key}, "deployment.cancel", actor)
}

// command stores the wish with its audit record, wakes the owner of the target,
// and waits a little until it was carried out.
func (e *Engine) command(ctx context.Context, d *deployment.Deployment, command deployment.Command, action string, actor deployment.Actor) (*deployment.Deployment, error) {
	command.ID, command.DeploymentID, command.Target = e.NewID(), d.ID, d.Target
	command.Actor, command.At = actor, e.Now().UTC()
	detail := d.Target.String()
	if command.TargetVersion != "" {
		detail += " to " + command.TargetVersion
	}
	bell, stop := e.Bus.Doorbell(d.ID)
	defer stop()
	err := e.Store.Command(ctx, command, deployment.AuditRecord{
		At: command.At, Actor: actor, Action: action, Object: d.ID, Detail: detail, Reason: command.Reason,
	})
	var again *deployment.RepeatedError
	switch {
	case errors.As(err, &again): // the same request came twice at once: this one waits too
	case errors.Is(err, deployment.ErrKeyReused):
		return nil, keyReused()
	case err != nil:
		return nil, storeError(err)
	}
	e.Bus.Ring(d.ID)
	e.nudge()
	limit := time.NewTimer(pickUpWait)
	defer limit.Stop()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		now, err := e.Store.Deployment(ctx, d.ID)
		if err != nil {
			return nil, storeError(err)
		}
		if len(now.Runs) > len(d.Runs) || now.Runs[len(d.Runs)-1].Cancel != nil {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return now, nil
		case <-limit.C:
			return now, nil // accepted, and carried out as soon as somebody owns the target
		case <-bell:
		case <-poll.C:
		}
	}
}

// rollbackAllowed says whether the deployment can be rolled back to that
// version, "" for what ran before it, and returns the goal of a version.
func (e *Engine) rollbackAllowed(ctx context.Context, id, version string) (d, goal *deployment.Deployment, err error) {
	d, err = e.Store.Deployment(ctx, id)
	if err != nil {
		return nil, nil, storeError(err)
	}
	state, err := e.Store.State(ctx, d.Target)
	if err != nil && !errors.Is(err, deployment.ErrNotFound) {
		return nil, nil, storeError(err)
	}
	if err := deployment.CheckRollback(d, state, version); err != nil {
		return nil, nil, err
	}
	if version == "" {
		return d, nil, nil
	}
	goal, err = e.Store.Completed(ctx, d.Target, version)
	if errors.Is(err, deployment.ErrNotFound) {
		return nil, nil, e.neverCompleted(ctx, d.Target, version)
	}
	return d, goal, storeError(err)
}

// neverCompleted is the error of a version that cannot be rolled back to.
func (e *Engine) neverCompleted(ctx context.Context, target deployment.Target, version string) error {
	problem := deployment.Problem{
		Field:   "target_version",
		Message: fmt.Sprintf("version %q was never completed on %s", version, target),
		Remedy:  "start a deployment of it instead",
	}
	if past, err := e.Store.CompletedVersions(ctx, target, 10); err == nil && len(past) > 0 {
		versions := make([]string, 0, len(past))
		for _, d := range past {
			versions = append(versions, d.Version)
		}
		problem.Remedy = "completed were " + strings.Join(versions, ", ")
	}
	return &deployment.Error{Code: deployment.Invalid, Message: "the rollback cannot be accepted", Problems: []deployment.Problem{problem}}
}

// RollbackCandidates returns the completed deployments whose state can be
// brought back, the default first.
func (e *Engine) RollbackCandidates(ctx context.Context, id string) ([]*deployment.Deployment, error) {
	d, err := e.Store.Deployment(ctx, id)
	if err != nil {
		return nil, storeError(err)
	}
	past, err := e.Store.CompletedVersions(ctx, d.Target, 50)
	if err != nil {
		return nil, storeError(err)
	}
	var first, others []*deployment.Deployment
	for _, candidate := range past {
		switch {
		case candidate.ID == d.ID || candidate.Remove:
		case candidate.ID == d.Previous:
			first = append(first, candidate)
		default:
			others = append(others, candidate)
		}
	}
	return append(first, others...), nil
}
