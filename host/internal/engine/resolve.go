package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// resolve freezes each component into a release.
func (e *Engine) resolve(ctx context.Context, definition deployment.Definition, places locate) (*deployment.Deployment, []deployment.Blob, error) {
	d := &deployment.Deployment{
		ID: e.NewID(), Version: definition.Version, Definition: definition,
		Target: deployment.Target{Application: definition.Application, Environment: definition.Environment},
		Status: deployment.Pending, Reason: "accepted",
	}
	running, err := e.checkMoved(ctx, d.Target, definition)
	if err != nil {
		return nil, nil, err
	}
	components, err := ordered(definition.Components)
	if err != nil {
		return nil, nil, &deployment.Error{Code: deployment.Invalid, Message: err.Error()}
	}
	var blobs []deployment.Blob
	var problems []deployment.Problem
	for _, c := range components {
		release, found, err := e.resolveOne(ctx, d.Target, definition.Version, c, running[c.Name].Deployment, places)
		if err != nil {
			return nil, nil, err
		}
		if problems = append(problems, found...); hasErrors(found) {
			continue
		}
		data, err := encodeContent(release)
		if err != nil {
			return nil, nil, err
		}
		key := fmt.Sprintf("release/%s/%s", d.ID, c.Name)
		blobs = append(blobs, deployment.Blob{Key: key, DeploymentID: d.ID, Data: data})
		d.Components = append(d.Components, deployment.Component{
			Name: c.Name, Platform: c.Platform, DependsOn: c.DependsOn, Definition: c,
			Status:  deployment.Pending,
			Release: &deployment.ReleaseRef{Key: key, Digest: release.Digest, Revision: release.Revision, View: release.View},
		})
	}
	if hasErrors(problems) {
		return nil, nil, &deployment.Error{
			Code: deployment.Invalid, Message: "the deployment cannot be accepted", Problems: problems,
		}
	}
	d.Runs = []deployment.Run{{Number: 1, Kind: deployment.RunDeploy, Trigger: deployment.TriggerUser, To: d.Version}}
	return d, blobs, nil
}

// ordered returns the components in the order in which they are deployed.
func ordered(components []deployment.ComponentDefinition) ([]deployment.ComponentDefinition, error) {
	graph := deployment.Graph{}
	byName := map[string]deployment.ComponentDefinition{}
	for _, c := range components {
		graph[c.Name] = c.DependsOn
		byName[c.Name] = c
	}
	waves, err := graph.Waves()
	if err != nil {
		return nil, err
	}
	sorted := make([]deployment.ComponentDefinition, 0, len(components))
	for _, wave := range waves {
		for _, name := range wave {
			sorted = append(sorted, byName[name])
		}
	}
	return sorted, nil
}

// resolveOne freezes one component. What is wrong with its spec are problems.
// runs is the deployment that it runs by now.
func (e *Engine) resolveOne(ctx context.Context, target deployment.Target, version string, c deployment.ComponentDefinition, runs string, places locate) (sdk.Release, []deployment.Problem, error) {
	p, err := e.Platforms.Get(c.Platform)
	if err != nil {
		return sdk.Release{}, nil, err
	}
	p = e.discreetFor(ctx, p, target, version, c, runs)
	bounded, cancel := context.WithTimeout(ctx, e.CallTimeout)
	defer cancel()
	release, diagnostics, err := p.Resolve(bounded, sdk.ResolveRequest{Target: targetOf(target, c.Name, version, c.Spec)})
	if err != nil {
		return sdk.Release{}, nil, platformError(err, c.Platform, "resolve component "+c.Name)
	}
	return release, append(stepsProblem(p, c), places(c.Name, diagnostics)...), nil
}

// stepsProblem refuses steps of traffic that the platform cannot take, so that
// nobody believes in a careful promotion that there is not.
func stepsProblem(p sdk.Platform, c deployment.ComponentDefinition) []deployment.Problem {
	can := sdk.CapabilitiesOf(p)
	if len(c.Promotion.Steps) < 2 || can.Staged && can.Percent {
		return nil
	}
	return []deployment.Problem{{
		Field:   "component." + c.Name + ".promote.steps",
		Message: "platform " + c.Platform + " cannot move a part of the traffic",
		Remedy:  "leave out steps",
	}}
}

// checkMoved refuses to move a component to another platform under way: what
// runs on the old one would be nobody's. It returns what runs.
func (e *Engine) checkMoved(ctx context.Context, target deployment.Target, definition deployment.Definition) (map[string]deployment.Running, error) {
	state, err := e.Store.State(ctx, target)
	if errors.Is(err, deployment.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, storeError(err)
	}
	for _, c := range definition.Components {
		running, runs := state.Components[c.Name]
		if runs && running.Platform != c.Platform {
			return nil, &deployment.Error{
				Code: deployment.Invalid, Message: "the deployment cannot be accepted",
				Problems: []deployment.Problem{{
					Field:   "component." + c.Name + ".platform",
					Message: fmt.Sprintf("runs on platform %s and cannot move to %s", running.Platform, c.Platform),
					Remedy:  fmt.Sprintf("give it another name, or remove it first: apm deploy remove %s --environment %s", target.Application, target.Environment),
				}},
			}
		}
	}
	return state.Components, nil
}
