package platform

import (
	"context"

	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/release"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

// Deploy hands the release to the component's shim, which starts it beside what
// serves.
func (p *Platform) Deploy(ctx context.Context, request sdk.DeployRequest) (sdk.Handle, error) {
	r, err := release.Decode(request.Release.Version, request.Release.State)
	if err != nil {
		return sdk.Handle{}, badRelease(err)
	}
	goal := control.Goal{Release: &r, Version: request.Target.Version, Files: r.Files}
	return p.start(ctx, request.Operation, request.Target, goal, request.ExpectedDigest, request.Retain)
}

func (p *Platform) start(ctx context.Context, op sdk.Operation, target sdk.Target, goal control.Goal, expected string, retain []string) (sdk.Handle, error) {
	if op.ID == "" {
		return sdk.Handle{}, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "the operation has no id")
	}
	request, dir, err := p.request(control.Start, op, target)
	if err != nil {
		return sdk.Handle{}, err
	}
	request.Goal, request.Expected, request.Retain = &goal, expected, retain
	if err := call(ctx, dir, needed, request, nil); err != nil {
		return sdk.Handle{}, answer(ctx, "start "+op.Kind.String(), err)
	}
	return newHandle(op.ID)
}

// request makes the message of a call that acts.
func (p *Platform) request(method string, op sdk.Operation, target sdk.Target) (control.Request, string, error) {
	id, dir, err := p.identity(target)
	if err != nil {
		return control.Request{}, "", err
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	size, err := p.config.logSize()
	if err != nil {
		return control.Request{}, "", internal("read configuration", err) // Configure refused it
	}
	return control.Request{
		Method: method, Identity: id, Version: target.Version,
		Settings: &state.Settings{Keep: p.config.Keep, LogSize: size},
		Operation: &control.Operation{
			ID: op.ID, DeploymentID: op.DeploymentID, Kind: op.Kind, Digest: op.RequestDigest, Epoch: op.Epoch, Staged: op.Staged,
		},
	}, dir, nil
}
