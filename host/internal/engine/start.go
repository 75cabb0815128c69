package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
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
	definition, err := e.define(ctx, request)
	if err != nil {
		return nil, err
	}
	d, blobs, err := e.resolve(ctx, definition)
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

// keyReused is the error of a key that stands for another request.
func keyReused() error {
	return &deployment.Error{
		Code: deployment.Invalid, Message: "Idempotency-Key was used for another request",
		Problems: []deployment.Problem{{Field: "Idempotency-Key", Message: "was used for another request", Remedy: "use a new key for a new request"}},
	}
}

// define makes the request complete, from its application's file or from what
// was accepted last.
func (e *Engine) define(ctx context.Context, request deployment.Request) (deployment.Definition, error) {
	var last *deployment.Definition
	previous, err := e.Store.LastAccepted(ctx, request.Name)
	switch {
	case err == nil:
		last = &previous.Definition
	case !errors.Is(err, deployment.ErrNotFound):
		return deployment.Definition{}, storeError(err)
	}
	definition, _, err := e.Definitions.Define(ctx, request, last)
	return definition, err
}

// resolve freezes each component into a release.
func (e *Engine) resolve(ctx context.Context, definition deployment.Definition) (*deployment.Deployment, []deployment.Blob, error) {
	d := &deployment.Deployment{
		ID: e.NewID(), Version: definition.Version, Definition: definition,
		Target: deployment.Target{Application: definition.Application, Environment: definition.Environment},
		Status: deployment.Pending, Reason: "accepted",
	}
	if err := e.checkMoved(ctx, d.Target, definition); err != nil {
		return nil, nil, err
	}
	components, err := ordered(definition.Components)
	if err != nil {
		return nil, nil, &deployment.Error{Code: deployment.Invalid, Message: err.Error()}
	}
	var blobs []deployment.Blob
	var problems []deployment.Problem
	for _, c := range components {
		release, found, err := e.resolveOne(ctx, d.Target, definition.Version, c)
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
func (e *Engine) resolveOne(ctx context.Context, target deployment.Target, version string, c deployment.ComponentDefinition) (sdk.Release, []deployment.Problem, error) {
	p, err := e.Platforms.Get(c.Platform)
	if err != nil {
		return sdk.Release{}, nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, e.CallTimeout)
	defer cancel()
	release, diagnostics, err := p.Resolve(bounded, sdk.ResolveRequest{Target: targetOf(target, c.Name, version, c.Spec)})
	if err != nil {
		return sdk.Release{}, nil, platformError(err, c.Platform, "resolve component "+c.Name)
	}
	return release, append(stepsProblem(p, c), problemsOf(diagnostics, c.Name)...), nil
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

// problemsOf names the place of each diagnostic.
func problemsOf(diagnostics diag.Diagnostics, component string) []deployment.Problem {
	problems := make([]deployment.Problem, 0, len(diagnostics))
	for _, d := range diagnostics {
		problems = append(problems, deployment.Problem{
			Field:   strings.Join(append([]string{"component", component, "spec"}, d.Path...), "."),
			Message: d.Summary, Remedy: d.Detail, Warning: d.Severity == diag.Warning,
		})
	}
	return problems
}

func hasErrors(problems []deployment.Problem) bool {
	for _, p := range problems {
		if !p.Warning {
			return true
		}
	}
	return false
}

// restarted is when a plugin that has just ended may be back.
const restarted = time.Second

// platformError is the error of a call that was made for a person who waits.
func platformError(err error, platform, doing string) error {
	out := &deployment.Error{Code: deployment.Internal, Message: fmt.Sprintf("%s: %v", doing, err), Err: err}
	switch {
	case errors.Is(err, sdk.ErrPluginGone):
		out.Code, out.Message = deployment.Unavailable, doing+": platform "+platform+" did not answer"
		out.Remedy, out.RetryAfter = "apm plugin inspect "+platform, restarted
	case sdk.CodeOf(err) == sdk.Unavailable, sdk.CodeOf(err) == sdk.ResourceExhausted, sdk.CodeOf(err) == sdk.DeadlineExceeded:
		out.Code = deployment.Unavailable
	case sdk.CodeOf(err) == sdk.InvalidArgument, sdk.CodeOf(err) == sdk.NotFound:
		out.Code = deployment.Invalid
	case sdk.CodeOf(err) == sdk.FailedPrecondition, sdk.CodeOf(err) == sdk.Aborted:
		out.Code = deployment.Conflict
	case sdk.CodeOf(err) == sdk.PermissionDenied, sdk.CodeOf(err) == sdk.Unauthenticated:
		out.Code = deployment.Unavailable
		out.Remedy = "check the credentials of platform " + platform
	}
	return out
}

// storeError is the error of a store for a person who waits.
func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, deployment.ErrNotFound):
		return &deployment.Error{Code: deployment.NotFound, Message: "no such deployment", Remedy: "apm deploy list", Err: err}
	case errors.Is(err, deployment.ErrUnavailable):
		return &deployment.Error{Code: deployment.Unavailable, Message: "the history cannot be read or written now", Remedy: "what runs goes on; try again", Err: err}
	default:
		return err
	}
}

// checkMoved refuses to move a component to another platform under way: what
// runs on the old one would be nobody's.
func (e *Engine) checkMoved(ctx context.Context, target deployment.Target, definition deployment.Definition) error {
	state, err := e.Store.State(ctx, target)
	if errors.Is(err, deployment.ErrNotFound) {
		return nil
	}
	if err != nil {
		return storeError(err)
	}
	for _, c := range definition.Components {
		running, runs := state.Components[c.Name]
		if runs && running.Platform != c.Platform {
			return &deployment.Error{
				Code: deployment.Invalid, Message: "the deployment cannot be accepted",
				Problems: []deployment.Problem{{
					Field:   "component." + c.Name + ".platform",
					Message: fmt.Sprintf("runs on platform %s and cannot move to %s", running.Platform, c.Platform),
					Remedy:  fmt.Sprintf("give it another name, or remove it first: apm deploy remove %s --environment %s", target.Application, target.Environment),
				}},
			}
		}
	}
	return nil
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
		if !contains(names, d.Components[i].Platform) {
			names = append(names, d.Components[i].Platform)
		}
	}
	return names
}
