package wire

import (
	"context"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
)

// admitted is a mutating call that may go on to the platform.
type admitted struct {
	operation sdk.Operation
	target    sdk.Target
	earlier   []call // about the same operation, and still under way
	end       func() // must be called
}

// admit is the gate of every mutating call: configured, not draining, complete,
// within the limits and not from a host that lost the target.
func (s *Server) admit(r interface {
	GetOperation() *pluginv1.Operation
	GetTarget() *pluginv1.Target
},
) (admitted, error) {
	a := admitted{operation: operationFromProto(r.GetOperation()), target: targetFromProto(r.GetTarget())}
	var err error
	if a.end, a.earlier, err = s.life.begin(a.operation.ID); err != nil {
		return a, err
	}
	if err = checkOperation(a.operation, a.target, r); err == nil {
		err = s.fence.pass(a.target, a.operation)
	}
	if err != nil {
		a.end()
	}
	return a, err
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
		call, err := s.admit(r)
		if err != nil {
			return nil, err
		}
		defer call.end()
		if r.GetRelease() == nil {
			return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "operation %q has no release", call.operation.ID)
		}
		handle, err := s.platform.Deploy(ctx, sdk.DeployRequest{
			Operation: call.operation, Target: call.target, Release: *releaseFromProto(r.GetRelease()),
			ExpectedDigest: r.GetExpectedDigest(), Retain: r.GetRetain(),
		})
		if err != nil {
			return nil, err
		}
		s.life.accepted(call.operation.ID)
		return &pluginv1.DeployResponse{Handle: handleToProto(handle)}, checkHandle("Deploy", handle)
	})
}

// Rollback starts a rollback.
func (s *Server) Rollback(ctx context.Context, r *pluginv1.RollbackRequest) (*pluginv1.RollbackResponse, error) {
	return guard(ctx, s, "Rollback", func() (*pluginv1.RollbackResponse, error) {
		call, err := s.admit(r)
		if err != nil {
			return nil, err
		}
		defer call.end()
		if r.GetSnapshot() == nil {
			return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "operation %q has no snapshot", call.operation.ID)
		}
		handle, err := s.platform.Rollback(ctx, sdk.RollbackRequest{
			Operation: call.operation, Target: call.target, Snapshot: *snapshotFromProto(r.GetSnapshot()),
			ExpectedDigest: r.GetExpectedDigest(), Reason: r.GetReason(), Retain: r.GetRetain(),
		})
		if err != nil {
			return nil, err
		}
		s.life.accepted(call.operation.ID)
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
		call, err := s.admit(r)
		if err != nil {
			return nil, err
		}
		defer call.end()
		percent := r.GetPercent()
		if percent < 1 || percent > 100 {
			return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "percent is %d: give 1 to 100", percent)
		}
		if percent < 100 && !s.description.Capabilities.Percent {
			return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec,
				"percent is %d: this plugin moves all traffic at once, give 100", percent)
		}
		handle, err := promoter.Promote(ctx, sdk.PromoteRequest{
			Operation: call.operation, Target: call.target, Handle: handleFromProto(r.GetHandle()), Percent: int(percent),
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
		call, err := s.admit(r)
		if err != nil {
			return nil, err
		}
		defer call.end()
		err = canceller.Cancel(ctx, sdk.CancelRequest{
			Operation: call.operation, Target: call.target, Handle: handleFromProto(r.GetHandle()),
		})
		return &pluginv1.CancelResponse{}, err
	})
}

// Recover says what became of an operation. So that no earlier call can still land
// after the answer, the fence was raised before, and the calls that passed it and
// are under way are waited for.
func (s *Server) Recover(ctx context.Context, r *pluginv1.RecoverRequest) (*pluginv1.RecoverResponse, error) {
	return guard(ctx, s, "Recover", func() (*pluginv1.RecoverResponse, error) {
		call, err := s.admit(r)
		if err != nil {
			return nil, err
		}
		defer call.end()
		if err := await(ctx, call.earlier); err != nil {
			return nil, err
		}
		recovery, err := s.platform.Recover(ctx, sdk.RecoverRequest{
			Operation: call.operation, Target: call.target, Handle: handleFromProto(r.GetHandle()),
			Release: releaseFromProto(r.GetRelease()), Snapshot: snapshotFromProto(r.GetSnapshot()),
		})
		if err != nil {
			return nil, err
		}
		switch recovery.Status {
		case sdk.RecoverRunning:
			s.life.accepted(call.operation.ID)
		case sdk.RecoverFinished:
			if recovery.Outcome == nil {
				return nil, pluginBug("Recover of operation %q says finished without an outcome", call.operation.ID)
			}
			s.life.ended(call.operation.ID)
		case sdk.RecoverNotStarted, sdk.RecoverUnknown:
			s.life.ended(call.operation.ID)
		default:
			return nil, pluginBug("Recover of operation %q has no status", call.operation.ID)
		}
		return recoveryToProto(recovery), checkHandle("Recover", recovery.Handle)
	})
}
