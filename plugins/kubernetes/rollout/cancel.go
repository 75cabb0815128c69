package rollout

import (
	"context"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record"
	"github.com/apm-deploy/apm/sdk"
)

// Cancel ends an operation. What it has changed stays as it is: the way back is a rollback.
// The driver ends it, so that nothing is changed any more once it is told to have ended.
func (p *Platform) Cancel(ctx context.Context, request sdk.CancelRequest) error {
	return p.journal(request.Target).Cancel(ctx, request, func(*record.Operation) error { return nil })
}
