package engine

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
)

// discreet is a platform that says nothing of what its component's spec holds
// where the schema calls it sensitive: whatever a plugin says to people goes
// through here. What it is told, and what it needs back (handles, states,
// digests, addresses, ids), stays as it is.
type discreet struct {
	sdk.Platform
	hide func(string) string
}

// confided remembers what plugins were told in confidence since the host started:
// a plugin that forgets nothing may say it of the next version.
type confided struct {
	mu      sync.Mutex
	secrets map[confidant][]string
}

// confidant is the component that secrets are of.
type confidant struct {
	target    deployment.Target
	component string
}

// maxConfided bounds what is remembered of a component, beside what it is told now.
const maxConfided = 200

// add remembers secrets, and returns all that are known of the component.
func (c *confided) add(target deployment.Target, component string, secrets []string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.secrets == nil {
		c.secrets = map[confidant][]string{}
	}
	of := confidant{target, component}
	known := slices.DeleteFunc(c.secrets[of], func(s string) bool { return slices.Contains(secrets, s) })
	known = known[max(len(known)-maxConfided, 0):]
	for _, secret := range secrets { // behind those of before, which are forgotten first
		if !slices.Contains(known, secret) {
			known = append(known, secret)
		}
	}
	c.secrets[of] = known
	return slices.Clone(known)
}

// confide remembers secrets of a component, and returns all that are known of it.
func (e *Engine) confide(platform string, target deployment.Target, component string, secrets []string) []string {
	if e.Confide != nil && len(secrets) > 0 {
		e.Confide(platform, secrets)
	}
	return e.confided.add(target, component, secrets)
}

// discreetly returns p for a component with those secrets.
func discreetly(p sdk.Platform, secrets []string) sdk.Platform {
	if p == nil {
		return nil
	}
	hide := deployment.Hider(secrets)
	if hide == nil {
		return p
	}
	return discreet{Platform: p, hide: hide}
}

// discreetly is the same for a component of a deployment, with what its spec was
// and is to be. Called under the owner's lock.
func (o *owner) discreetly(p sdk.Platform, d *deployment.Deployment, component string) sdk.Platform {
	c := d.Component(component)
	if c == nil {
		return p
	}
	secrets := deployment.SensitiveValues(c.Definition.Spec, c.Definition.Sensitive)
	for i := range d.Runs {
		if s := d.Runs[i].Step(component); s != nil {
			secrets = append(secrets, deployment.SensitiveValues(s.GoalSpec, c.Definition.Sensitive)...)
		}
	}
	if o.current != nil {
		if running := o.current.Component(component); running != nil {
			secrets = append(secrets, deployment.SensitiveValues(running.Definition.Spec, running.Definition.Sensitive)...)
		}
	}
	secrets = deployment.Secrets(secrets, knownOf(d, component)...)
	return discreetly(p, o.engine.confide(c.Platform, d.Target, component, secrets))
}

// discreetFor returns p for a component by a definition, which may be in the
// making, and by those that the deployments of the ids have of it.
func (e *Engine) discreetFor(ctx context.Context, p sdk.Platform, target deployment.Target, version string, now deployment.ComponentDefinition, ids ...string) sdk.Platform {
	secrets := deployment.SensitiveValues(now.Spec, now.Sensitive)
	known := []string{target.Application, target.Environment, version, now.Name, now.Platform}
	for _, id := range ids {
		if id == "" {
			continue
		}
		d, err := e.Store.Deployment(ctx, id)
		if err != nil { // what is gone from the history is no secret that we know
			continue
		}
		if c := d.Component(now.Name); c != nil {
			secrets = append(secrets, deployment.SensitiveValues(c.Definition.Spec, c.Definition.Sensitive)...)
		}
		known = append(known, knownOf(d, now.Name)...)
	}
	return discreetly(p, e.confide(now.Platform, target, now.Name, deployment.Secrets(secrets, known...)))
}

// knownOf are words that are no secret of a deployment, whatever a spec says.
func knownOf(d *deployment.Deployment, component string) []string {
	known := []string{d.Application, d.Environment, d.Version, d.PreviousVersion, component}
	if c := d.Component(component); c != nil {
		known = append(known, c.Platform, c.BeforeVersion)
	}
	return known
}

// Capabilities are those of the platform behind it.
func (p discreet) Capabilities() sdk.Capabilities { return sdk.CapabilitiesOf(p.Platform) }

func (p discreet) Configure(ctx context.Context, r sdk.ConfigureRequest) (diag.Diagnostics, error) {
	found, err := p.Platform.Configure(ctx, r)
	return p.diagnostics(found), p.error(err)
}

func (p discreet) Resolve(ctx context.Context, r sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
	release, found, err := p.Platform.Resolve(ctx, r)
	release.View = p.texts(release.View)
	return release, p.diagnostics(found), p.error(err)
}

func (p discreet) Snapshot(ctx context.Context, r sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	result, err := p.Platform.Snapshot(ctx, r)
	result.Snapshot.View = p.texts(result.Snapshot.View)
	return result, p.error(err)
}

func (p discreet) Deploy(ctx context.Context, r sdk.DeployRequest) (sdk.Handle, error) {
	handle, err := p.Platform.Deploy(ctx, r)
	return handle, p.error(err)
}

func (p discreet) Rollback(ctx context.Context, r sdk.RollbackRequest) (sdk.Handle, error) {
	handle, err := p.Platform.Rollback(ctx, r)
	return handle, p.error(err)
}

func (p discreet) Watch(ctx context.Context, r sdk.WatchRequest, sink sdk.Sink) error {
	return p.error(p.Platform.Watch(ctx, r, p.sink(sink)))
}

func (p discreet) Probe(ctx context.Context, r sdk.ProbeRequest) (sdk.ProbeResult, error) {
	result, err := p.Platform.Probe(ctx, r)
	result.Checks = slices.Clone(result.Checks)
	for i := range result.Checks {
		result.Checks[i].Message = p.hide(result.Checks[i].Message)
	}
	return result, p.error(err)
}

func (p discreet) Recover(ctx context.Context, r sdk.RecoverRequest) (sdk.Recovery, error) {
	recovery, err := p.Platform.Recover(ctx, r)
	recovery.Message, recovery.Outcome = p.hide(recovery.Message), p.outcome(recovery.Outcome)
	return recovery, p.error(err)
}

func (p discreet) Plan(ctx context.Context, r sdk.PlanRequest) (sdk.Plan, error) {
	planner, plans := p.Platform.(sdk.Planner)
	if !plans {
		return sdk.Plan{}, lacking("Plan")
	}
	plan, err := planner.Plan(ctx, r)
	plan.Steps, plan.NotRestored = slices.Clone(plan.Steps), slices.Clone(plan.NotRestored)
	for i := range plan.Steps {
		s := &plan.Steps[i]
		s.Diff, s.Command, s.Summary = p.hide(s.Diff), p.hide(s.Command), p.hide(s.Summary)
	}
	for i := range plan.NotRestored {
		plan.NotRestored[i] = p.hide(plan.NotRestored[i])
	}
	plan.Diagnostics = p.diagnostics(plan.Diagnostics)
	return plan, p.error(err)
}

func (p discreet) Promote(ctx context.Context, r sdk.PromoteRequest) (sdk.Handle, error) {
	promoter, promotes := p.Platform.(sdk.Promoter)
	if !promotes {
		return sdk.Handle{}, lacking("Promote")
	}
	handle, err := promoter.Promote(ctx, r)
	return handle, p.error(err)
}

func (p discreet) Cancel(ctx context.Context, r sdk.CancelRequest) error {
	canceller, cancels := p.Platform.(sdk.Canceller)
	if !cancels {
		return lacking("Cancel")
	}
	return p.error(canceller.Cancel(ctx, r))
}

func (p discreet) WatchTarget(ctx context.Context, r sdk.WatchTargetRequest, sink sdk.Sink) error {
	watcher, watches := p.Platform.(sdk.TargetWatcher)
	if !watches {
		return lacking("WatchTarget")
	}
	return p.error(watcher.WatchTarget(ctx, r, p.sink(sink)))
}

func (p discreet) Logs(ctx context.Context, r sdk.LogsRequest, send func(...sdk.LogLine) error) error {
	reader, reads := p.Platform.(sdk.LogReader)
	if !reads {
		return lacking("Logs")
	}
	return p.error(reader.Logs(ctx, r, func(lines ...sdk.LogLine) error { return send(p.lines(lines)...) }))
}

// lacking is the error of a part that the platform does not have.
func lacking(call string) error {
	return sdk.Errorf(sdk.Unimplemented, sdk.ReasonUnspecified, "the platform has no %s", call)
}

// sink takes secrets out of events.
func (p discreet) sink(sink sdk.Sink) sdk.Sink {
	return func(events ...sdk.Event) error {
		told := slices.Clone(events)
		for i := range told {
			told[i] = p.event(told[i])
		}
		return sink(told...)
	}
}

func (p discreet) event(e sdk.Event) sdk.Event {
	switch {
	case e.State != nil:
		state := *e.State
		state.Message, state.Resources = p.hide(state.Message), slices.Clone(state.Resources)
		for i := range state.Resources {
			state.Resources[i] = p.resource(state.Resources[i])
		}
		e.State = &state
	case e.Resource != nil:
		resource := p.resource(*e.Resource)
		e.Resource = &resource
	case e.Log != nil:
		line := *e.Log
		line.Line = p.hide(line.Line)
		e.Log = &line
	case e.Drift != nil:
		drift := *e.Drift
		drift.By, drift.Message = p.hide(drift.By), p.hide(drift.Message)
		e.Drift = &drift
	case e.Outcome != nil:
		e.Outcome = p.outcome(e.Outcome)
	}
	return e
}

func (p discreet) resource(r sdk.Resource) sdk.Resource {
	r.Reason, r.Message = p.hide(r.Reason), p.hide(r.Message)
	return r
}

func (p discreet) lines(lines []sdk.LogLine) []sdk.LogLine {
	told := slices.Clone(lines)
	for i := range told {
		told[i].Line = p.hide(told[i].Line)
	}
	return told
}

func (p discreet) outcome(o *sdk.Outcome) *sdk.Outcome {
	if o == nil {
		return nil
	}
	told := *o
	told.Message, told.SupersededBy, told.Outputs = p.hide(o.Message), p.hide(o.SupersededBy), p.texts(o.Outputs)
	if o.Failure != nil {
		failure := *o.Failure
		failure.Message, failure.Suggestion = p.hide(failure.Message), p.hide(failure.Suggestion)
		failure.Logs, failure.Events = p.lines(failure.Logs), slices.Clone(failure.Events)
		for i := range failure.Events {
			failure.Events[i] = p.hide(failure.Events[i])
		}
		told.Failure = &failure
	}
	return &told
}

func (p discreet) texts(texts map[string]string) map[string]string {
	if texts == nil {
		return nil
	}
	told := make(map[string]string, len(texts))
	for key, text := range texts {
		told[key] = p.hide(text)
	}
	return told
}

func (p discreet) diagnostics(found diag.Diagnostics) diag.Diagnostics {
	told := slices.Clone(found)
	for i := range told {
		told[i].Summary, told[i].Detail = p.hide(told[i].Summary), p.hide(told[i].Detail)
	}
	return told
}

// error takes secrets out of what an error says; what it is stays.
func (p discreet) error(err error) error {
	if err == nil || p.hide(err.Error()) == err.Error() {
		return err
	}
	told := &discreetError{text: p.hide(err.Error()), err: err}
	var answered *sdk.Error
	if errors.As(err, &answered) {
		said := *answered
		said.Message, said.Resource, said.By = p.hide(said.Message), p.hide(said.Resource), p.hide(said.By)
		said.Metadata, said.Err = p.texts(said.Metadata), nil
		told.said = &said
	}
	return told
}

// discreetError is an error without its secrets.
type discreetError struct {
	text string
	said *sdk.Error // what the plugin answered, if it did
	err  error
}

// Error returns the text without secrets.
func (e *discreetError) Error() string { return e.text }

// Is says whether it is target.
func (e *discreetError) Is(target error) bool { return errors.Is(e.err, target) }

// As finds what the plugin answered, without its secrets, and nothing else: what
// is further behind it has them.
func (e *discreetError) As(target any) bool {
	answered, wanted := target.(**sdk.Error)
	if wanted && e.said != nil {
		*answered = e.said
	}
	return wanted && e.said != nil
}

var _ interface {
	sdk.Planner
	sdk.Promoter
	sdk.Canceller
	sdk.TargetWatcher
	sdk.LogReader
} = discreet{}
