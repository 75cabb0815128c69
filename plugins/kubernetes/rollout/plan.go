package rollout

import (
	"context"

	"github.com/apm-deploy/apm/sdk"
)

// Plan says what an operation would do, and changes nothing.
func (p *Platform) Plan(ctx context.Context, request sdk.PlanRequest) (sdk.Plan, error) {
	return sdk.Plan{}, nil
}
