package wire

import (
	"context"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
)

// admit is the gate of every mutating call: configured, not draining, complete,
// within the limits and not from a host that lost the target.
func (s *Server) admit(r interface {
	GetOperation() *pluginv1.Operation
	GetTarget() *pluginv1.Target
},
) (sdk.Operation, sdk.Target, func(), error) {
	operation, target := operationFromProto(r.GetOperation()), targetFromProto(r.GetTarget())
	end, err := s.life.begin(operation.ID)
	if err != nil {
		return operation, target, nil, err
	}
	if err = checkOperation(operation, target, r); err == nil {
		err = s.fence.pass(target, operation)
	}
	if err != nil {
		end()
		return operation, target, nil, err
	}
	return operation, target, end, nil
}

func checkOperation(operation sdk.Operation, target sdk.Target, r any) error {
	switch {
	case operation.ID == "":
		return sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "operation.id is empty")
	case target.Application == "" || target.Environment == "" || target.Component == "":
		return sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec,
			"target of operation %q is incomplete: application, environment and component must be given", operation.ID)
	}
	return checkRequestLimits(r)
}

// checkRequestLimits looks at the opaque states in a request of either side.
func checkRequestLimits(r any) error {
	if with, ok := r.(interface{ GetRelease() *pluginv1.Release }); ok {
		if size := len(with.GetRelease().GetState()); size > sdk.MaxRelease {
			return tooLarge("release", size, sdk.MaxRelease)
		}
	}
	if with, ok := r.(interface{ GetSnapshot() *pluginv1.Snapshot }); ok {
		if size := len(with.GetSnapshot().GetState()); size > sdk.MaxSnapshot {
			return tooLarge("snapshot", size, sdk.MaxSnapshot)
		}
	}
	if with, ok := r.(interface{ GetHandle() *pluginv1.Handle }); ok {
		if size := len(with.GetHandle().GetState()); size > sdk.MaxHandle {
			return tooLarge("handle", size, sdk.MaxHandle)
		}
	}
	return nil
}

// checkHandle refuses a handle of the platform that the host could not store.
func checkHandle(method string, handle sdk.Handle) error {
	if size := len(handle.State); size > sdk.MaxHandle {
		return pluginBug("the handle of %s has %d bytes, the limit is %d", method, size, sdk.MaxHandle)
	}
	return nil
}

// Deploy starts a deploy.
func (s *Server) Deploy(ctx context.Context, r *pluginv1.DeployRequest) (*pluginv1.DeployResponse, error) {
	return guard(ctx, s, "Deploy", func() (*pluginv1.DeployResponse, error) {
		operation, target, end, err := s.admit(r)
		if err != nil {
			return nil, err
		}
		defer end()
		if r.GetRelease() == nil {
			return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "operation %q has no release", operation.ID)
		}
		handle, err := s.platform.Deploy(ctx, sdk.DeployRequest{
			Operation: operation, Target: target, Release: *releaseFromProto(r.GetRelease()), ExpectedDigest: r.GetExpectedDigest(),
		})
		if err != nil {
			return nil, err
		}
		s.life.accepted(operation.ID)
		return &pluginv1.DeployResponse{Handle: handleToProto(handle)}, checkHandle("Deploy", handle)
	})
}

// Rollback starts a rollback.
func (s *Server) Rollback(ctx context.Context, r *pluginv1.RollbackRequest) (*pluginv1.RollbackResponse, error) {
	return guard(ctx, s, "Rollback", func() (*pluginv1.RollbackResponse, error) {
		operation, target, end, err := s.admit(r)
		if err != nil {
			return nil, err
		}
		defer end()
		if r.GetSnapshot() == nil {
			return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "operation %q has no snapshot", operation.ID)
		}
		handle, err := s.platform.Rollback(ctx, sdk.RollbackRequest{
			Operation: operation, Target: target, Snapshot: *snapshotFromProto(r.GetSnapshot()),
			ExpectedDigest: r.GetExpectedDigest(), Reason: r.GetReason(),
		})
		if err != nil {
			return nil, err
		}
		s.life.accepted(operation.ID)
		return &pluginv1.RollbackResponse{Handle: handleToProto(handle)}, checkHandle("Rollback", handle)
	})
}

// Promote moves traffic to the candidate.
func (s *Server) Promote(ctx context.Context, r *pluginv1.PromoteRequest) (*pluginv1.PromoteResponse, error) {
	return guard(ctx, s, "Promote", func() (*pluginv1.PromoteResponse, error) {
		promoter, ok := s.platform.(sdk.Promoter)
		if !ok {
			return nil, unsupported("Promote")
		}
		operation, target, end, err := s.admit(r)
		if err != nil {
			return nil, err
		}
		defer end()
		percent := r.GetPercent()
		if percent < 1 || percent > 100 {
			return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "percent is %d: give 1 to 100", percent)
		}
		if percent < 100 && !s.description.Capabilities.Percent {
			return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec,
				"percent is %d: this plugin moves all traffic at once, give 100", percent)
		}
		handle, err := promoter.Promote(ctx, sdk.PromoteRequest{
			Operation: operation, Target: target, Handle: handleFromProto(r.GetHandle()), Percent: int(percent),
		})
		if err != nil {
			return nil, err
		}
		return &pluginv1.PromoteResponse{Handle: handleToProto(handle)}, checkHandle("Promote", handle)
	})
}

// Cancel stops an operation.
func (s *Server) Cancel(ctx context.Context, r *pluginv1.CancelRequest) (*pluginv1.CancelResponse, error) {
	return guard(ctx, s, "Cancel", func() (*pluginv1.CancelResponse, error) {
		canceller, ok := s.platform.(sdk.Canceller)
		if !ok {
			return nil, unsupported("Cancel")
		}
		operation, target, end, err := s.admit(r)
		if err != nil {
			return nil, err
		}
		defer end()
		err = canceller.Cancel(ctx, sdk.CancelRequest{
			Operation: operation, Target: target, Handle: handleFromProto(r.GetHandle()),
		})
		return &pluginv1.CancelResponse{}, err
	})
}

// Recover says what became of an operation; the fence was raised before, so that
// no earlier call can still land after the answer.
func (s *Server) Recover(ctx context.Context, r *pluginv1.RecoverRequest) (*pluginv1.RecoverResponse, error) {
	return guard(ctx, s, "Recover", func() (*pluginv1.RecoverResponse, error) {
		operation, target, end, err := s.admit(r)
		if err != nil {
			return nil, err
		}
		defer end()
		recovery, err := s.platform.Recover(ctx, sdk.RecoverRequest{
			Operation: operation, Target: target, Handle: handleFromProto(r.GetHandle()),
			Release: releaseFromProto(r.GetRelease()), Snapshot: snapshotFromProto(r.GetSnapshot()),
		})
		if err != nil {
			return nil, err
		}
		switch recovery.Status {
		case sdk.RecoverRunning:
			s.life.accepted(operation.ID)
		case sdk.RecoverFinished:
			if recovery.Outcome == nil {
				return nil, pluginBug("Recover of operation %q says finished without an outcome", operation.ID)
			}
			s.life.ended(operation.ID)
		case sdk.RecoverNotStarted, sdk.RecoverUnknown:
			s.life.ended(operation.ID)
		default:
			return nil, pluginBug("Recover of operation %q has no status", operation.ID)
		}
		return recoveryToProto(recovery), checkHandle("Recover", recovery.Handle)
	})
}
