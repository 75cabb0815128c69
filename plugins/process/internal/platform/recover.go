package platform

import (
	"context"
	"errors"
	"io/fs"

	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/record"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

// Recover asks the component's shim what became of an operation. The shim is
// the only one who could have started it, and goes on with what is under way.
func (p *Platform) Recover(ctx context.Context, request sdk.RecoverRequest) (sdk.Recovery, error) {
	message, dir, err := p.request(control.Recover, request.Operation, request.Target)
	if err != nil {
		return sdk.Recovery{}, err
	}
	if _, err := state.Load(dir); err != nil && !errors.Is(err, state.ErrNone) && !errors.Is(err, fs.ErrPermission) {
		return sdk.Recovery{Status: sdk.RecoverUnknown, Message: err.Error()}, nil
	}
	var found control.Recovery
	if err := call(ctx, dir, needed, message, &found); err != nil {
		return sdk.Recovery{}, answer(ctx, "recover", err)
	}
	recovery := sdk.Recovery{Status: found.Status, Outcome: record.ToOutcome(found.Outcome), Message: found.Message}
	if found.Status != sdk.RecoverNotStarted {
		recovery.Handle, err = newHandle(request.Operation.ID)
	}
	return recovery, err
}
