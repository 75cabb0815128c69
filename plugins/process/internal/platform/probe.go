package platform

import (
	"context"
	"errors"

	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/record"
	"github.com/apm-deploy/apm/plugins/process/internal/release"
	"github.com/apm-deploy/apm/sdk"
)

// Probe looks once at every instance and every listening address.
func (p *Platform) Probe(ctx context.Context, request sdk.ProbeRequest) (sdk.ProbeResult, error) {
	operation, err := operationOf(request.Handle)
	if err != nil {
		return sdk.ProbeResult{}, err
	}
	message, dir, err := p.request(control.Probe, sdk.Operation{ID: operation}, request.Target)
	if err != nil {
		return sdk.ProbeResult{}, err
	}
	if operation == "" {
		message.Operation = nil
	}
	var result record.Probe
	switch err := call(ctx, dir, ifAlive, message, &result); {
	case err == nil:
		return record.ToProbe(result), nil
	case errors.Is(err, errNothing):
		return sdk.ProbeResult{ObservedDigest: release.EmptyDigest, Checks: []sdk.Check{{
			Name: "gone", Type: "process", Status: sdk.CheckUnhealthy, Message: "gone: nothing of this component runs",
		}}}, nil
	case ctx.Err() != nil:
		return sdk.ProbeResult{}, ctx.Err()
	default:
		return sdk.ProbeResult{Checks: []sdk.Check{{
			Name: request.Target.Component, Type: "process", Status: sdk.CheckUnknown, Message: "could not look: " + err.Error(),
		}}}, nil
	}
}
