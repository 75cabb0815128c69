package wire

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
)

// timeToProto keeps "not known" apart from the year 1.
func timeToProto(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func timeFromProto(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func durationToProto(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

func targetToProto(t sdk.Target) *pluginv1.Target {
	return &pluginv1.Target{
		Application: t.Application, Environment: t.Environment, Component: t.Component,
		Version: t.Version, Spec: valueToProto(t.Spec),
	}
}

func targetFromProto(t *pluginv1.Target) sdk.Target {
	return sdk.Target{
		Application: t.GetApplication(), Environment: t.GetEnvironment(), Component: t.GetComponent(),
		Version: t.GetVersion(), Spec: t.GetSpec().GetJson(),
	}
}

func operationToProto(o sdk.Operation) *pluginv1.Operation {
	return &pluginv1.Operation{
		Id: o.ID, DeploymentId: o.DeploymentID, Kind: pluginv1.OperationKind(o.Kind),
		RequestDigest: o.RequestDigest, Epoch: o.Epoch, Staged: o.Staged,
	}
}

func operationFromProto(o *pluginv1.Operation) sdk.Operation {
	return sdk.Operation{
		ID: o.GetId(), DeploymentID: o.GetDeploymentId(), Kind: sdk.OperationKind(o.GetKind()),
		RequestDigest: o.GetRequestDigest(), Epoch: o.GetEpoch(), Staged: o.GetStaged(),
	}
}

func releaseToProto(r *sdk.Release) *pluginv1.Release {
	if r == nil {
		return nil
	}
	return &pluginv1.Release{Version: r.Version, State: r.State, Digest: r.Digest, Revision: r.Revision, View: r.View}
}

func releaseFromProto(r *pluginv1.Release) *sdk.Release {
	if r == nil {
		return nil
	}
	return &sdk.Release{
		Version: r.GetVersion(), State: r.GetState(), Digest: r.GetDigest(),
		Revision: r.GetRevision(), View: r.GetView(),
	}
}

func snapshotToProto(s *sdk.Snapshot) *pluginv1.Snapshot {
	if s == nil {
		return nil
	}
	return &pluginv1.Snapshot{
		Version: s.Version, State: s.State, Digest: s.Digest, Revision: s.Revision, View: s.View, Empty: s.Empty,
	}
}

func snapshotFromProto(s *pluginv1.Snapshot) *sdk.Snapshot {
	if s == nil {
		return nil
	}
	return &sdk.Snapshot{
		Version: s.GetVersion(), State: s.GetState(), Digest: s.GetDigest(),
		Revision: s.GetRevision(), View: s.GetView(), Empty: s.GetEmpty(),
	}
}

func handleToProto(h sdk.Handle) *pluginv1.Handle {
	if h.IsZero() {
		return nil
	}
	return &pluginv1.Handle{Version: h.Version, State: h.State}
}

func handleFromProto(h *pluginv1.Handle) sdk.Handle {
	return sdk.Handle{Version: h.GetVersion(), State: h.GetState()}
}

func planToProto(p sdk.Plan) *pluginv1.PlanResponse {
	return &pluginv1.PlanResponse{
		Steps: mapEach(p.Steps, func(s sdk.Step) *pluginv1.Step {
			return &pluginv1.Step{
				Resource: s.Resource, Action: s.Action, Diff: s.Diff, Command: s.Command, Summary: s.Summary,
			}
		}),
		ObservedDigest: p.ObservedDigest, NotRestored: p.NotRestored,
		ExpectedDowntime: durationToProto(p.ExpectedDowntime),
		Diagnostics:      diagnosticsToProto(p.Diagnostics),
	}
}

func planFromProto(p *pluginv1.PlanResponse) sdk.Plan {
	return sdk.Plan{
		Steps: mapEach(p.GetSteps(), func(s *pluginv1.Step) sdk.Step {
			return sdk.Step{
				Resource: s.GetResource(), Action: s.GetAction(), Diff: s.GetDiff(),
				Command: s.GetCommand(), Summary: s.GetSummary(),
			}
		}),
		ObservedDigest: p.GetObservedDigest(), NotRestored: p.GetNotRestored(),
		ExpectedDowntime: p.GetExpectedDowntime().AsDuration(),
		Diagnostics:      diagnosticsFromProto(p.GetDiagnostics()),
	}
}

func recoveryToProto(r sdk.Recovery) *pluginv1.RecoverResponse {
	return &pluginv1.RecoverResponse{
		Status: pluginv1.RecoverResponse_Status(r.Status), Handle: handleToProto(r.Handle),
		Outcome: outcomeToProto(r.Outcome), Message: r.Message,
	}
}

// recoveryFromProto takes a status it does not know for unknown, so that a
// person decides.
func recoveryFromProto(r *pluginv1.RecoverResponse) sdk.Recovery {
	recovered := sdk.RecoverStatus(r.GetStatus())
	if recovered < sdk.RecoverNotStarted || recovered > sdk.RecoverUnknown {
		recovered = sdk.RecoverUnknown
	}
	return sdk.Recovery{
		Status: recovered, Handle: handleFromProto(r.GetHandle()),
		Outcome: outcomeFromProto(r.GetOutcome()), Message: r.GetMessage(),
	}
}

func inventoryToProto(items []sdk.InventoryItem) *pluginv1.InventoryResponse {
	return &pluginv1.InventoryResponse{Items: mapEach(items, func(i sdk.InventoryItem) *pluginv1.InventoryItem {
		return &pluginv1.InventoryItem{
			InstallationId: i.InstallationID, Application: i.Application, Environment: i.Environment,
			Component: i.Component, Version: i.Version, Epoch: i.Epoch, OperationId: i.OperationID,
			Since: timeToProto(i.Since), Description: i.Description,
		}
	})}
}

func inventoryFromProto(r *pluginv1.InventoryResponse) []sdk.InventoryItem {
	return mapEach(r.GetItems(), func(i *pluginv1.InventoryItem) sdk.InventoryItem {
		return sdk.InventoryItem{
			InstallationID: i.GetInstallationId(), Application: i.GetApplication(), Environment: i.GetEnvironment(),
			Component: i.GetComponent(), Version: i.GetVersion(), Epoch: i.GetEpoch(), OperationID: i.GetOperationId(),
			Since: timeFromProto(i.GetSince()), Description: i.GetDescription(),
		}
	})
}
