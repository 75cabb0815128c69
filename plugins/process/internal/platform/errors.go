package platform

import (
	"context"
	"errors"

	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

// answer makes an error of the contract of what went wrong between us and a
// shim. Errors of the shim itself are that already.
func answer(ctx context.Context, what string, err error) error {
	var e *sdk.Error
	switch {
	case err == nil, errors.As(err, &e):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, state.ErrNewer):
		return &sdk.Error{Code: sdk.FailedPrecondition, Reason: sdk.ReasonConflict, Message: what + ": this component was last run by a newer plugin; use that one", Err: err}
	default:
		return unavailable(ctx, what, err)
	}
}

func unavailable(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &sdk.Error{Code: sdk.Unavailable, Reason: sdk.ReasonPlatformUnavailable, Message: what, Retryable: true, Err: err}
}

func internal(what string, err error) error {
	return &sdk.Error{Code: sdk.Internal, Reason: sdk.ReasonPluginBug, Message: what, Err: err}
}

func badRelease(err error) error {
	return &sdk.Error{Code: sdk.InvalidArgument, Reason: sdk.ReasonInvalidSpec, Message: "the release cannot be read", Err: err}
}
