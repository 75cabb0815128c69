package platform

import (
	"context"

	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/sdk"
)

// PromotesPercent says that steps below 100 are honoured.
func (p *Platform) PromotesPercent() {}

// Promote sets the candidate's share of the traffic.
func (p *Platform) Promote(ctx context.Context, request sdk.PromoteRequest) (sdk.Handle, error) {
	if request.Percent < 1 || request.Percent > 100 {
		return sdk.Handle{}, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "percent must be between 1 and 100, not %d", request.Percent)
	}
	message, dir, err := p.request(control.Promote, request.Operation, request.Target)
	if err != nil {
		return sdk.Handle{}, err
	}
	message.Percent = request.Percent
	if err := call(ctx, dir, needed, message, nil); err != nil {
		return sdk.Handle{}, answer(ctx, "promote", err)
	}
	return newHandle(request.Operation.ID)
}

// Cancel discards the candidate of an operation. What is past Promote(100), or
// removes the component, goes on to its end.
func (p *Platform) Cancel(ctx context.Context, request sdk.CancelRequest) error {
	message, dir, err := p.request(control.Cancel, request.Operation, request.Target)
	if err != nil {
		return err
	}
	return answer(ctx, "cancel", call(ctx, dir, needed, message, nil))
}
