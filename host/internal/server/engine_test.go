package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// engine accepts deployments into the real store and moves nothing.
type engine struct {
	host   *host
	starts atomic.Int64
	lines  chan deployment.LogLine // written while somebody follows; closed: nothing runs any more
}

// Start stores a deployment of one component.
func (e *engine) Start(ctx context.Context, r deployment.Request, planned *deployment.Planned, actor deployment.Actor, key *deployment.IdempotencyKey) (*deployment.Deployment, error) {
	switch {
	case r.Name == "broken":
		return nil, errors.New("a secret cause")
	case r.Name == "unready":
		return nil, &deployment.Error{Code: deployment.Unavailable, Message: "platform process is not ready", Remedy: "apm plugin list", RetryAfter: 1200 * time.Millisecond}
	case r.Name == "mend-me":
		return nil, &deployment.Error{Code: deployment.Unavailable, Message: "platform process is broken"}
	case r.Name == "unknown-app":
		return nil, &deployment.Error{
			Code: deployment.Invalid, Message: "the application is not known",
			Problems: []deployment.Problem{{Field: "configuration.command", Message: "is missing", Remedy: "give it"}},
		}
	case planned != nil:
		return nil, &deployment.Error{Code: deployment.OutOfDate, Message: "component web changed since the plan"}
	}
	target := deployment.Target{Application: r.Name, Environment: r.Environment}
	if target.Environment == "" {
		target.Environment = "development"
	}
	at := noon.Add(time.Duration(e.starts.Add(1)) * time.Hour)
	component := deployment.ComponentDefinition{
		Name: "web", Platform: "process", Spec: json.RawMessage(`{"command":["true"]}`),
		Promotion: deployment.DefaultPromotion(), Monitor: deployment.DefaultMonitor(),
	}
	d := &deployment.Deployment{
		ID: uuid.NewString(), Target: target, Version: r.Version, Actor: actor, AcceptedAt: at, UpdatedAt: at, Seq: 1,
		Definition: deployment.Definition{
			Application: target.Application, Environment: target.Environment, Version: r.Version,
			Policy: deployment.DefaultPolicy(), Components: []deployment.ComponentDefinition{component},
		},
		Components: []deployment.Component{{
			Name: "web", Platform: "process", Definition: component, Status: deployment.Pending,
			Release: &deployment.ReleaseRef{Key: "release/" + r.Version, Digest: "sha256:" + r.Version, View: map[string]string{"command": "server\n--version\n" + r.Version + "\n"}},
		}},
		Runs: []deployment.Run{{
			Number: 1, Kind: deployment.RunDeploy, Trigger: deployment.TriggerUser, Actor: actor, To: r.Version,
			RequestedAt: at, Steps: []deployment.Step{{Component: "web", Action: deployment.ActionDeploy}},
		}},
		Status: deployment.Pending, Reason: "accepted",
	}
	accepted := event(deployment.EventAccepted, deployment.AcceptedPayload{Name: r.Name, Version: r.Version})
	accepted.DeploymentID, accepted.Seq, accepted.Time = d.ID, 1, at
	err := e.host.store.Accept(ctx, deployment.Acceptance{
		Deployment: d, Events: []deployment.Event{accepted}, Key: key, Concurrent: deployment.ConcurrentQueue,
		Audit: deployment.AuditRecord{At: at, Actor: actor, Action: "deployment.start", Object: d.ID, Reason: r.Reason},
	})
	var repeated *deployment.RepeatedError
	if errors.As(err, &repeated) {
		return e.host.store.Deployment(ctx, repeated.DeploymentID)
	}
	if err != nil {
		return nil, err
	}
	e.host.bus.Ring(d.ID)
	return d, nil
}

func (e *engine) PlanStart(_ context.Context, r deployment.Request) (deployment.Plan, error) {
	return deployment.Plan{
		Kind: deployment.RunDeploy, Target: deployment.Target{Application: r.Name, Environment: r.Environment},
		To: r.Version, MadeAt: noon, Expected: 90 * time.Second, Request: &r,
		Components: []deployment.PlanComponent{{Component: "web", Platform: "process", Action: deployment.ActionDeploy}},
	}, nil
}

func (e *engine) Rollback(ctx context.Context, id string, wish deployment.RollbackWish, actor deployment.Actor) (*deployment.Deployment, error) {
	if d, err := e.repeated(ctx, wish.Key); d != nil || err != nil {
		return d, err
	}
	d, err := e.host.store.Deployment(ctx, id)
	if err != nil {
		return nil, err
	}
	state, err := e.host.store.State(ctx, d.Target)
	if err != nil {
		return nil, err
	}
	if err := deployment.CheckRollback(d, state, wish.TargetVersion); err != nil {
		return nil, err
	}
	return d, e.host.store.Command(ctx, deployment.Command{
		ID: uuid.NewString(), DeploymentID: id, Target: d.Target, Kind: deployment.CommandRollback,
		Actor: actor, Reason: wish.Reason, At: noon, TargetVersion: wish.TargetVersion, Planned: wish.Planned, Key: wish.Key,
	}, deployment.AuditRecord{At: noon, Actor: actor, Action: "deployment.rollback", Object: id, Reason: wish.Reason})
}

func (e *engine) PlanRollback(_ context.Context, id, targetVersion string) (deployment.Plan, error) {
	return deployment.Plan{Kind: deployment.RunRollback, DeploymentID: id, Target: shop, TargetVersion: targetVersion, MadeAt: noon}, nil
}

func (e *engine) RollbackCandidates(ctx context.Context, id string) ([]*deployment.Deployment, error) {
	d, err := e.host.store.Deployment(ctx, id)
	if err != nil {
		return nil, err
	}
	return e.host.store.CompletedVersions(ctx, d.Target, 10)
}

func (e *engine) Cancel(ctx context.Context, id, reason string, actor deployment.Actor, key *deployment.IdempotencyKey) (*deployment.Deployment, error) {
	if d, err := e.repeated(ctx, key); d != nil || err != nil {
		return d, err
	}
	d, err := e.host.store.Deployment(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := deployment.CheckCancel(d); err != nil {
		return nil, err
	}
	return d, e.host.store.Command(ctx, deployment.Command{
		ID: uuid.NewString(), DeploymentID: id, Target: d.Target, Kind: deployment.CommandCancel,
		Actor: actor, Reason: reason, At: noon, Key: key,
	}, deployment.AuditRecord{At: noon, Actor: actor, Action: "deployment.cancel", Object: id, Reason: reason})
}

// repeated returns what came of the request that used the key before.
func (e *engine) repeated(ctx context.Context, key *deployment.IdempotencyKey) (*deployment.Deployment, error) {
	if key == nil {
		return nil, nil
	}
	id, err := e.host.store.Repeated(ctx, *key)
	if err != nil || id == "" {
		return nil, err
	}
	return e.host.store.Deployment(ctx, id)
}

func (e *engine) Remove(ctx context.Context, target deployment.Target, reason string, _ *deployment.Planned, actor deployment.Actor, key *deployment.IdempotencyKey) (*deployment.Deployment, error) {
	return e.Start(ctx, deployment.Request{Name: target.Application, Environment: target.Environment, Reason: reason}, nil, actor, key)
}

func (e *engine) PlanRemove(_ context.Context, target deployment.Target) (deployment.Plan, error) {
	return deployment.Plan{Kind: deployment.RunRemove, Target: target, MadeAt: noon}, nil
}

// Logs has 300 lines of one component, and those that a test writes.
func (e *engine) Logs(ctx context.Context, _ string, query deployment.LogQuery, send func(string, ...deployment.LogLine) error) error {
	for i := range 300 {
		line := deployment.LogLine{Resource: "instance-1", Line: fmt.Sprintf("line %d", i), Time: noon.Add(time.Duration(i) * time.Second), Stream: "stdout"}
		if err := send("web", line); err != nil {
			return err
		}
	}
	for query.Follow {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case line, more := <-e.lines:
			if !more {
				return nil
			}
			if err := send("web", line); err != nil {
				return err
			}
		}
	}
	return nil
}

// plugins has one platform.
type plugins struct {
	restarts atomic.Int64
	broken   atomic.Bool
	rings    chan struct{}
	upgrade  func(context.Context, string) (v1.PluginUpgrade, error)
}

func (p *plugins) one() v1.Plugin {
	one := v1.Plugin{
		Platform: "process", Plugin: "process", State: "ready", Since: noon, Path: "bin/plugins/apm-plugin-process",
		Restarts: int(p.restarts.Load()), Capabilities: []string{"staged"}, Output: []string{"a line of its log"},
		Misdeeds: map[string]uint64{"plugin_bug": 2, "after_outcome": 0},
	}
	if p.broken.Load() {
		one.State, one.Reason = "broken", "exit status 1"
	}
	return one
}

// breaks makes the platform broken and rings.
func (p *plugins) breaks() {
	p.broken.Store(true)
	p.rings <- struct{}{}
}

func (p *plugins) Changes() (<-chan struct{}, func()) { return p.rings, func() {} }

func (p *plugins) Resolve(name string) (string, error) {
	if name != "process" {
		return "", &deployment.Error{Code: deployment.NotFound, Message: fmt.Sprintf("there is no plugin %q", name), Remedy: "known plugins: process"}
	}
	return name, nil
}

func (p *plugins) Upgrade(ctx context.Context, name string) (v1.PluginUpgrade, error) {
	return p.upgrade(ctx, name)
}

func (p *plugins) Plugins(context.Context) ([]v1.Plugin, error) { return []v1.Plugin{p.one()}, nil }

func (p *plugins) Plugin(_ context.Context, platform string) (v1.Plugin, error) {
	if platform != "process" {
		return v1.Plugin{}, &deployment.Error{Code: deployment.NotFound, Message: fmt.Sprintf("there is no platform %q", platform), Remedy: "apm plugin list"}
	}
	return p.one(), nil
}

func (p *plugins) Restart(context.Context, string) error {
	p.restarts.Add(1)
	return nil
}

// applications has one application.
type applications struct{}

func (applications) Applications(context.Context) ([]v1.Application, error) {
	return []v1.Application{{Name: "my-app", File: "applications/my-app.hcl", Environments: []string{"production"}, Components: []string{"web"}}}, nil
}
