package wire

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
)

// Validate asks the plugin about a configuration, a spec, or both.
func (c *Client) Validate(ctx context.Context, config, spec []byte) (diag.Diagnostics, error) {
	response, err := invoke(ctx, c, "Validate", describeTimeout, c.rpc.Validate,
		&pluginv1.ValidateRequest{Config: valueToProto(config), Spec: valueToProto(spec)})
	if err != nil {
		return nil, err
	}
	return diagnosticsFromProto(response.GetDiagnostics()), nil
}

// Configure hands over the platform's configuration.
func (c *Client) Configure(ctx context.Context, r sdk.ConfigureRequest) (diag.Diagnostics, error) {
	response, err := invoke(ctx, c, "Configure", configureTimeout, c.rpc.Configure, &pluginv1.ConfigureRequest{
		Platform: r.Platform, Config: valueToProto(r.Config), HostVersion: r.HostVersion,
		InstallationId: r.InstallationID, DataDir: r.DataDir,
	})
	if err != nil {
		return nil, err
	}
	return diagnosticsFromProto(response.GetDiagnostics()), nil
}

// Resolve freezes what is to run. With error diagnostics there is no release.
func (c *Client) Resolve(ctx context.Context, r sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
	response, err := invoke(ctx, c, "Resolve", readTimeout, c.rpc.Resolve, &pluginv1.ResolveRequest{Target: targetToProto(r.Target)})
	if err != nil {
		return sdk.Release{}, nil, err
	}
	diagnostics := diagnosticsFromProto(response.GetDiagnostics())
	release := releaseFromProto(response.GetRelease())
	if release == nil {
		if !diagnostics.HasErrors() {
			return sdk.Release{}, diagnostics, pluginBug("Resolve answered neither a release nor an error")
		}
		return sdk.Release{}, diagnostics, nil
	}
	return *release, diagnostics, nil
}

// Snapshot keeps what runs.
func (c *Client) Snapshot(ctx context.Context, r sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	response, err := invoke(ctx, c, "Snapshot", readTimeout, c.rpc.Snapshot, &pluginv1.SnapshotRequest{
		Target: targetToProto(r.Target), Handle: handleToProto(r.Handle), Release: releaseToProto(r.Release),
	})
	if err != nil {
		return sdk.SnapshotResult{}, err
	}
	snapshot := snapshotFromProto(response.GetSnapshot())
	if snapshot == nil {
		return sdk.SnapshotResult{}, pluginBug("Snapshot answered no snapshot")
	}
	return sdk.SnapshotResult{Snapshot: *snapshot, ObservedDigest: response.GetObservedDigest()}, nil
}

// Plan says what an operation would do.
func (c *Client) Plan(ctx context.Context, r sdk.PlanRequest) (sdk.Plan, error) {
	response, err := invoke(ctx, c, "Plan", readTimeout, c.rpc.Plan, &pluginv1.PlanRequest{
		Kind: pluginv1.OperationKind(r.Kind), Target: targetToProto(r.Target),
		Release: releaseToProto(r.Release), Snapshot: snapshotToProto(r.Snapshot),
	})
	if err != nil {
		return sdk.Plan{}, err
	}
	return planFromProto(response), nil
}

// Deploy starts a deploy.
func (c *Client) Deploy(ctx context.Context, r sdk.DeployRequest) (sdk.Handle, error) {
	response, err := invoke(ctx, c, "Deploy", acceptTimeout, c.rpc.Deploy, &pluginv1.DeployRequest{
		Operation: operationToProto(r.Operation), Target: targetToProto(r.Target),
		Release: releaseToProto(&r.Release), ExpectedDigest: r.ExpectedDigest, Retain: r.Retain,
	})
	if err != nil {
		return sdk.Handle{}, err
	}
	return handleFromProto(response.GetHandle()), nil
}

// Rollback starts a rollback.
func (c *Client) Rollback(ctx context.Context, r sdk.RollbackRequest) (sdk.Handle, error) {
	response, err := invoke(ctx, c, "Rollback", acceptTimeout, c.rpc.Rollback, &pluginv1.RollbackRequest{
		Operation: operationToProto(r.Operation), Target: targetToProto(r.Target),
		Snapshot: snapshotToProto(&r.Snapshot), ExpectedDigest: r.ExpectedDigest, Reason: r.Reason, Retain: r.Retain,
	})
	if err != nil {
		return sdk.Handle{}, err
	}
	return handleFromProto(response.GetHandle()), nil
}

// Promote moves traffic to the candidate.
func (c *Client) Promote(ctx context.Context, r sdk.PromoteRequest) (sdk.Handle, error) {
	if r.Percent < 1 || r.Percent > 100 {
		return sdk.Handle{}, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "percent is %d: give 1 to 100", r.Percent)
	}
	response, err := invoke(ctx, c, "Promote", acceptTimeout, c.rpc.Promote, &pluginv1.PromoteRequest{
		Operation: operationToProto(r.Operation), Target: targetToProto(r.Target),
		Handle: handleToProto(r.Handle), Percent: uint32(r.Percent),
	})
	if err != nil {
		return sdk.Handle{}, err
	}
	return handleFromProto(response.GetHandle()), nil
}

// PromotesPercent marks the client as one that can carry steps below 100;
// whether the plugin honours them is in its capabilities.
func (c *Client) PromotesPercent() {}

// Cancel stops an operation.
func (c *Client) Cancel(ctx context.Context, r sdk.CancelRequest) error {
	_, err := invoke(ctx, c, "Cancel", acceptTimeout, c.rpc.Cancel, &pluginv1.CancelRequest{
		Operation: operationToProto(r.Operation), Target: targetToProto(r.Target), Handle: handleToProto(r.Handle),
	})
	return err
}

// Recover says what became of an operation.
func (c *Client) Recover(ctx context.Context, r sdk.RecoverRequest) (sdk.Recovery, error) {
	response, err := invoke(ctx, c, "Recover", acceptTimeout, c.rpc.Recover, &pluginv1.RecoverRequest{
		Operation: operationToProto(r.Operation), Target: targetToProto(r.Target), Handle: handleToProto(r.Handle),
		Release: releaseToProto(r.Release), Snapshot: snapshotToProto(r.Snapshot),
	})
	if err != nil {
		return sdk.Recovery{}, err
	}
	return recoveryFromProto(response), nil
}

// Probe looks once.
func (c *Client) Probe(ctx context.Context, r sdk.ProbeRequest) (sdk.ProbeResult, error) {
	response, err := invoke(ctx, c, "Probe", lookTimeout, c.rpc.Probe,
		&pluginv1.ProbeRequest{Target: targetToProto(r.Target), Handle: handleToProto(r.Handle)})
	if err != nil {
		return sdk.ProbeResult{}, err
	}
	return probeFromProto(response), nil
}

// Inventory lists what carries our stamps.
func (c *Client) Inventory(ctx context.Context, installationID string) ([]sdk.InventoryItem, error) {
	response, err := invoke(ctx, c, "Inventory", lookTimeout, c.rpc.Inventory,
		&pluginv1.InventoryRequest{InstallationId: installationID})
	if err != nil {
		return nil, err
	}
	return inventoryFromProto(response), nil
}

// Drain has the plugin refuse new work and wait for what is under way.
func (c *Client) Drain(ctx context.Context, grace time.Duration) ([]string, error) {
	response, err := invoke(ctx, c, "Drain", grace+drainSlack, c.rpc.Drain, &pluginv1.DrainRequest{Grace: durationpb.New(grace)})
	if err != nil {
		return nil, err
	}
	return response.GetInFlight(), nil
}
