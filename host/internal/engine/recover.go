package engine

import (
	"context"
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// recover asks what became of the operation. It says whether the platform has
// it; if not, the call may be made again with the same id.
func (f *flight) recover(ctx context.Context) (started bool, err error) {
	op, _ := f.op()
	var recovery sdk.Recovery
	err = f.o.ask(ctx, f.d, f.component, f.platform, "ask what became of the operation", func(ctx context.Context, p sdk.Platform) error {
		var err error
		recovery, err = p.Recover(ctx, sdk.RecoverRequest{
			Operation: operationOf(f.d, &op, f.o.epoch), Target: f.target,
			Handle: toHandle(op.Handle), Release: f.release, Snapshot: f.snapshot,
		})
		return err
	})
	if err != nil {
		if sdk.ReasonOf(err) == sdk.ReasonStaleEpoch {
			f.o.lose()
		}
		return false, err
	}
	switch recovery.Status {
	case sdk.RecoverNotStarted:
		return false, nil
	case sdk.RecoverRunning:
		if recovery.Handle.IsZero() {
			return true, nil
		}
		return true, f.accepted(recovery.Handle)
	case sdk.RecoverFinished:
		if recovery.Outcome == nil {
			return false, f.unknown("the plugin says that it finished, but not how")
		}
		if !recovery.Handle.IsZero() {
			if err := f.accepted(recovery.Handle); err != nil {
				return true, err
			}
		}
		return true, f.o.commit(f.d, func(c *change) { f.finish(c, *recovery.Outcome) })
	default:
		return false, f.unknown(recovery.Message)
	}
}

// unknown stops and says so: a person decides.
func (f *flight) unknown(message string) error {
	if message == "" {
		message = "the platform does not show whether it happened"
	}
	return &failure{Failure: deployment.Failure{
		Code: deployment.CodeUnknown, Component: f.component, Keep: true,
		Message:    fmt.Sprintf("what became of the operation on %s is unknown: %s", f.component, message),
		Suggestion: "look at the platform, then start the wanted version anew",
	}}
}
