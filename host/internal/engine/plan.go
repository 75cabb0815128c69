package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// PlanStart says what a start would do, and changes nothing.
func (e *Engine) PlanStart(ctx context.Context, request deployment.Request) (deployment.Plan, error) {
	definition, places, err := e.define(ctx, request)
	if err != nil {
		return deployment.Plan{}, err
	}
	d, blobs, err := e.resolve(ctx, definition, places)
	if err != nil {
		return deployment.Plan{}, err
	}
	state, err := e.stateOf(ctx, d.Target)
	if err != nil {
		return deployment.Plan{}, err
	}
	plan := e.newPlan(deployment.RunDeploy, d.Target, state.Version, d.Version)
	plan.Request = &request
	releases := map[string][]byte{}
	for _, blob := range blobs {
		releases[blob.Key] = blob.Data
	}
	for i := range d.Components {
		c := &d.Components[i]
		if running, runs := state.Components[c.Name]; runs {
			c.BeforeRunning = &running
		}
		if err := e.planDeploy(ctx, &plan, d, c, releases[c.Release.Key]); err != nil {
			return deployment.Plan{}, err
		}
	}
	waves, err := deployment.GraphOf(d.Components).Waves()
	if err != nil {
		return deployment.Plan{}, err
	}
	plan.Order = waves
	gone := map[string]deployment.Running{}
	for name, running := range state.Components {
		if d.Component(name) == nil {
			gone[name] = running
			if err := e.planGoal(ctx, &plan, d.Target, name, running, nil, deployment.ComponentDefinition{Platform: running.Platform}); err != nil {
				return deployment.Plan{}, err
			}
		}
	}
	removed, err := e.removalOrder(ctx, gone)
	if err != nil {
		return deployment.Plan{}, err
	}
	plan.Order = append(plan.Order, removed...)
	e.estimate(ctx, &plan, d)
	return plan, nil
}

// PlanRollback says what a rollback would do, and changes nothing.
func (e *Engine) PlanRollback(ctx context.Context, id, targetVersion string) (deployment.Plan, error) {
	d, goal, err := e.rollbackAllowed(ctx, id, targetVersion)
	if err != nil {
		return deployment.Plan{}, err
	}
	state, err := e.stateOf(ctx, d.Target)
	if err != nil {
		return deployment.Plan{}, err
	}
	to := d.PreviousVersion
	steps := d.RollbackSteps()
	components := d.Components
	if goal != nil {
		to = goal.Version
		var added []deployment.Component
		steps, added = stepsToGoal(d, goal, state.Components)
		components = append(components, added...)
	}
	plan := e.newPlan(deployment.RunRollback, d.Target, d.Version, to)
	plan.DeploymentID, plan.TargetVersion = d.ID, targetVersion
	waves, err := deployment.GraphOf(components).Reverse().Waves()
	if err != nil {
		return deployment.Plan{}, err
	}
	plan.Order = waves
	goalIDs := []string{d.Previous}
	if goal != nil {
		goalIDs = append(goalIDs, goal.ID)
	}
	byName := map[string]deployment.Component{}
	for _, c := range components {
		byName[c.Name] = c
	}
	for i := range steps {
		s := &steps[i]
		c := byName[s.Component]
		if s.Action == deployment.ActionNone {
			plan.Components = append(plan.Components, deployment.PlanComponent{
				Component: c.Name, Platform: c.Platform, Action: deployment.ActionNone, Unchanged: true,
			})
			continue
		}
		running := state.Components[c.Name]
		running.Version = to
		definition := c.Definition
		definition.Platform = c.Platform
		if err := e.planGoal(ctx, &plan, d.Target, c.Name, running, s.Goal, definition, goalIDs...); err != nil {
			return deployment.Plan{}, err
		}
	}
	e.estimate(ctx, &plan, d)
	return plan, nil
}

// PlanRemove says what a removal would do, and changes nothing.
func (e *Engine) PlanRemove(ctx context.Context, target deployment.Target) (deployment.Plan, error) {
	d, err := e.removal(ctx, target)
	if err != nil {
		return deployment.Plan{}, err
	}
	state, err := e.stateOf(ctx, target)
	if err != nil {
		return deployment.Plan{}, err
	}
	plan := e.newPlan(deployment.RunRemove, target, state.Version, "")
	for name, running := range state.Components {
		if err := e.planGoal(ctx, &plan, target, name, running, nil, deployment.ComponentDefinition{Platform: running.Platform}); err != nil {
			return deployment.Plan{}, err
		}
	}
	if plan.Order, err = e.removalOrder(ctx, state.Components); err != nil {
		return deployment.Plan{}, err
	}
	e.estimate(ctx, &plan, d)
	return plan, nil
}

// removalOrder is the order in which running components are removed: each after
// those that depend on it.
func (e *Engine) removalOrder(ctx context.Context, running map[string]deployment.Running) ([][]string, error) {
	graph := deployment.Graph{}
	for name := range running {
		graph[name] = nil
	}
	for name, r := range running {
		source, err := e.Store.Deployment(ctx, r.Deployment)
		if errors.Is(err, deployment.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, storeError(err)
		}
		if c := source.Component(name); c != nil {
			for _, dependency := range c.DependsOn {
				if _, runs := running[dependency]; runs {
					graph[name] = append(graph[name], dependency)
				}
			}
		}
	}
	return graph.Reverse().Waves()
}

// newPlan is an empty plan.
func (e *Engine) newPlan(kind deployment.RunKind, target deployment.Target, from, to string) deployment.Plan {
	return deployment.Plan{Kind: kind, Target: target, From: from, To: to, MadeAt: e.Now().UTC()}
}

// stateOf is the target's state, an empty one where nothing was ever accepted.
func (e *Engine) stateOf(ctx context.Context, target deployment.Target) (deployment.TargetState, error) {
	state, err := e.Store.State(ctx, target)
	if errors.Is(err, deployment.ErrNotFound) {
		return deployment.TargetState{Target: target}, nil
	}
	return state, storeError(err)
}

// planDeploy adds the deploy of one component.
func (e *Engine) planDeploy(ctx context.Context, plan *deployment.Plan, d *deployment.Deployment, c *deployment.Component, sealed []byte) error {
	var release sdk.Release
	if err := decodeContent(sealed, &release); err != nil {
		return err
	}
	part := deployment.PlanComponent{Component: c.Name, Platform: c.Platform, Action: deployment.ActionDeploy}
	target := targetOf(d.Target, c.Name, d.Version, c.Definition.Spec)
	definition, runs := c.Definition, ""
	definition.Platform = c.Platform
	if c.BeforeRunning != nil {
		runs = c.BeforeRunning.Deployment
	}
	answer, err := e.planOne(ctx, definition, sdk.PlanRequest{Kind: sdk.OperationDeploy, Target: target, Release: &release}, &part, runs)
	if err != nil {
		return err
	}
	c.Before = &deployment.SnapshotRef{ObservedDigest: answer.ObservedDigest}
	if unchanged(c) {
		part.Unchanged, part.Action, part.Steps = true, deployment.ActionNone, nil
	}
	plan.Planned.Components = append(plan.Planned.Components, deployment.PlannedComponent{
		Component: c.Name, ObservedDigest: answer.ObservedDigest, ReleaseDigest: c.Release.Digest,
	})
	e.addPart(plan, part, answer.ExpectedDowntime)
	return nil
}

// planGoal adds the way of one component to a snapshot; without one, to
// nothing. Deployments of the ids have it too, beside the one that runs.
func (e *Engine) planGoal(ctx context.Context, plan *deployment.Plan, target deployment.Target, name string, running deployment.Running, goal *deployment.SnapshotRef, definition deployment.ComponentDefinition, ids ...string) error {
	part := deployment.PlanComponent{Component: name, Platform: definition.Platform, Action: deployment.ActionRemove}
	snapshot := &sdk.Snapshot{Empty: true}
	digest := ""
	if goal != nil && goal.Key != "" {
		loaded, err := e.loadSnapshot(ctx, goal.Key)
		if err != nil {
			return storeError(err)
		}
		snapshot, digest = loaded, goal.Digest
		if !loaded.Empty {
			part.Action = deployment.ActionRestore
		}
	}
	answer, err := e.planOne(ctx, definition, sdk.PlanRequest{
		Kind: sdk.OperationRollback, Target: targetOf(target, name, running.Version, definition.Spec), Snapshot: snapshot,
	}, &part, append(ids, running.Deployment)...)
	if err != nil {
		return err
	}
	plan.Planned.Components = append(plan.Planned.Components, deployment.PlannedComponent{
		Component: name, ObservedDigest: answer.ObservedDigest, SnapshotDigest: digest,
	})
	e.addPart(plan, part, answer.ExpectedDowntime)
	return nil
}

// addPart appends the part of a component to a plan.
func (e *Engine) addPart(plan *deployment.Plan, part deployment.PlanComponent, downtime time.Duration) {
	plan.Components = append(plan.Components, part)
	plan.Downtime += downtime
	for _, what := range part.NotRestored {
		if !slices.Contains(plan.NotRestored, what) {
			plan.NotRestored = append(plan.NotRestored, what)
		}
	}
}

// planOne asks the platform. One that cannot plan says so in a step, and is
// asked for the observed digest by Probe.
func (e *Engine) planOne(ctx context.Context, definition deployment.ComponentDefinition, request sdk.PlanRequest, part *deployment.PlanComponent, ids ...string) (sdk.Plan, error) {
	platform := definition.Platform
	p, err := e.Platforms.Get(platform)
	if err != nil {
		return sdk.Plan{}, err
	}
	target := deployment.Target{Application: request.Target.Application, Environment: request.Target.Environment}
	definition.Name = request.Target.Component
	p = e.discreetFor(ctx, p, target, request.Target.Version, definition, ids...)
	bounded, cancel := context.WithTimeout(ctx, e.CallTimeout)
	defer cancel()
	doing := "plan component " + request.Target.Component
	planner, plans := p.(sdk.Planner)
	if !plans || !sdk.CapabilitiesOf(p).Plan {
		seen, err := p.Probe(bounded, sdk.ProbeRequest{Target: request.Target})
		if err != nil {
			return sdk.Plan{}, platformError(err, platform, doing)
		}
		part.Steps = []deployment.PlanStep{{
			Resource: request.Target.Component, Action: request.Kind.String(),
			Summary: "the platform cannot say beforehand what it would do",
		}}
		return sdk.Plan{ObservedDigest: seen.ObservedDigest}, nil
	}
	answer, err := planner.Plan(bounded, request)
	if err != nil {
		return sdk.Plan{}, platformError(err, platform, doing)
	}
	for _, s := range answer.Steps {
		part.Steps = append(part.Steps, deployment.PlanStep{
			Resource: s.Resource, Action: s.Action, Summary: s.Summary, Diff: s.Diff, Command: s.Command,
		})
	}
	part.NotRestored = answer.NotRestored
	problems := problemsOf(answer.Diagnostics, request.Target.Component)
	for _, problem := range problems {
		if problem.Warning {
			part.Warnings = append(part.Warnings, problem.String())
		}
	}
	if hasErrors(problems) {
		return sdk.Plan{}, &deployment.Error{Code: deployment.Invalid, Message: "the plan cannot be made", Problems: problems}
	}
	return answer, nil
}

// estimate says how long the run is expected to take: the median of past runs,
// or its known waits.
func (e *Engine) estimate(ctx context.Context, plan *deployment.Plan, d *deployment.Deployment) {
	past, err := e.Store.PastRuns(ctx, plan.Target, plan.Kind, pastRuns)
	if err != nil {
		past = nil
	}
	now := e.Now()
	trial := *d
	trial.Runs = []deployment.Run{{Number: 1, Kind: plan.Kind, LockedAt: now}}
	for _, step := range d.RollbackSteps() {
		if plan.Kind == deployment.RunRollback {
			trial.Runs[0].Steps = append(trial.Runs[0].Steps, step)
		}
	}
	if eta := deployment.EstimateETA(&trial, past, now); eta != nil {
		plan.Expected = eta.Earliest.Sub(now)
	}
}
