package rollout

import (
	"context"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record"
	"github.com/apm-deploy/apm/sdk"
)

// Watch sends what happens to an operation until its Outcome.
func (p *Platform) Watch(ctx context.Context, request sdk.WatchRequest, sink sdk.Sink) error {
	return p.journal(request.Target).Watch(ctx, request, sink)
}

// written is the picture of an operation from what is written of it alone.
func written(o *record.Operation) *sdk.State {
	s := &sdk.State{Phase: sdk.PhasePending, Message: "accepted"}
	switch {
	case o.Outcome != nil:
		s.Phase, s.Message, s.Fraction = sdk.PhaseStabilizing, o.Outcome.Message, 1
	case o.Reached(stepApplied):
		s.Phase, s.Message = sdk.PhaseProgressing, "all is asked for, and followed"
	case o.Reached(stepBegun):
		s.Phase, s.Message = sdk.PhaseProgressing, "under way"
	}
	return s
}
