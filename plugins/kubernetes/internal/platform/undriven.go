package platform

import (
	"context"

	"github.com/apm-deploy/apm/sdk"
)

// undriven stands where there is no driver: it refuses all that is asked.
type undriven struct{}

var errUndriven = sdk.Errorf(sdk.Unimplemented, sdk.ReasonUnspecified, "not in this version")

func (undriven) Snapshot(context.Context, sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	return sdk.SnapshotResult{}, errUndriven
}

func (undriven) Plan(context.Context, sdk.PlanRequest) (sdk.Plan, error) {
	return sdk.Plan{}, errUndriven
}

func (undriven) Deploy(context.Context, sdk.DeployRequest) (sdk.Handle, error) {
	return sdk.Handle{}, errUndriven
}

func (undriven) Rollback(context.Context, sdk.RollbackRequest) (sdk.Handle, error) {
	return sdk.Handle{}, errUndriven
}

func (undriven) Cancel(context.Context, sdk.CancelRequest) error { return errUndriven }

func (undriven) Watch(context.Context, sdk.WatchRequest, sdk.Sink) error { return errUndriven }

func (undriven) WatchTarget(context.Context, sdk.WatchTargetRequest, sdk.Sink) error {
	return errUndriven
}

func (undriven) Probe(context.Context, sdk.ProbeRequest) (sdk.ProbeResult, error) {
	return sdk.ProbeResult{}, errUndriven
}

func (undriven) Recover(context.Context, sdk.RecoverRequest) (sdk.Recovery, error) {
	return sdk.Recovery{}, errUndriven
}

func (undriven) Logs(context.Context, sdk.LogsRequest, func(lines ...sdk.LogLine) error) error {
	return errUndriven
}

func (undriven) Inventory(context.Context, string) ([]sdk.InventoryItem, error) {
	return nil, errUndriven
}

func (undriven) Close(context.Context) error { return nil }
