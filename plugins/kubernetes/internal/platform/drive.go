package platform

import (
	"context"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/image"
	"github.com/apm-deploy/apm/sdk"
)

// Snapshot implements sdk.Platform by the driver, as all that follows.
func (p *Platform) Snapshot(ctx context.Context, request sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	driver, _, err := p.configured()
	if err != nil {
		return sdk.SnapshotResult{}, err
	}
	return driver.Snapshot(ctx, request)
}

// Plan implements sdk.Planner.
func (p *Platform) Plan(ctx context.Context, request sdk.PlanRequest) (sdk.Plan, error) {
	driver, _, err := p.configured()
	if err != nil {
		return sdk.Plan{}, err
	}
	return driver.Plan(ctx, request)
}

// Deploy implements sdk.Platform.
func (p *Platform) Deploy(ctx context.Context, request sdk.DeployRequest) (sdk.Handle, error) {
	driver, _, err := p.configured()
	if err != nil {
		return sdk.Handle{}, err
	}
	return driver.Deploy(ctx, request)
}

// Rollback implements sdk.Platform.
func (p *Platform) Rollback(ctx context.Context, request sdk.RollbackRequest) (sdk.Handle, error) {
	driver, _, err := p.configured()
	if err != nil {
		return sdk.Handle{}, err
	}
	return driver.Rollback(ctx, request)
}

// Cancel implements sdk.Canceller.
func (p *Platform) Cancel(ctx context.Context, request sdk.CancelRequest) error {
	driver, _, err := p.configured()
	if err != nil {
		return err
	}
	return driver.Cancel(ctx, request)
}

// Watch implements sdk.Platform.
func (p *Platform) Watch(ctx context.Context, request sdk.WatchRequest, sink sdk.Sink) error {
	driver, _, err := p.configured()
	if err != nil {
		return err
	}
	return driver.Watch(ctx, request, sink)
}

// WatchTarget implements sdk.TargetWatcher.
func (p *Platform) WatchTarget(ctx context.Context, request sdk.WatchTargetRequest, sink sdk.Sink) error {
	driver, _, err := p.configured()
	if err != nil {
		return err
	}
	return driver.WatchTarget(ctx, request, sink)
}

// Probe implements sdk.Platform.
func (p *Platform) Probe(ctx context.Context, request sdk.ProbeRequest) (sdk.ProbeResult, error) {
	driver, _, err := p.configured()
	if err != nil {
		return sdk.ProbeResult{}, err
	}
	return driver.Probe(ctx, request)
}

// Recover implements sdk.Platform.
func (p *Platform) Recover(ctx context.Context, request sdk.RecoverRequest) (sdk.Recovery, error) {
	driver, _, err := p.configured()
	if err != nil {
		return sdk.Recovery{}, err
	}
	return driver.Recover(ctx, request)
}

// Logs implements sdk.LogReader.
func (p *Platform) Logs(ctx context.Context, request sdk.LogsRequest, send func(lines ...sdk.LogLine) error) error {
	driver, _, err := p.configured()
	if err != nil {
		return err
	}
	return driver.Logs(ctx, request, send)
}

// Inventory implements sdk.Inventorier.
func (p *Platform) Inventory(ctx context.Context, installationID string) ([]sdk.InventoryItem, error) {
	driver, _, err := p.configured()
	if err != nil {
		return nil, err
	}
	return driver.Inventory(ctx, installationID)
}

// Close implements sdk.Closer.
func (p *Platform) Close(ctx context.Context) error {
	driver, resolver, err := p.configured()
	if err != nil { // there is nothing to end
		return nil //nolint:nilerr // that it was never configured is no mistake
	}
	err = driver.Close(ctx)
	resolver.Cluster.Close()
	image.Close()
	return err
}
