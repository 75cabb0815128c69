package platform

import (
	"context"

	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/sdk"
)

// Rollback starts the way back to a snapshot; to an empty one it removes the
// component.
func (p *Platform) Rollback(ctx context.Context, request sdk.RollbackRequest) (sdk.Handle, error) {
	goal := control.Goal{Rollback: true}
	if !request.Snapshot.Empty {
		to, err := decodeSnapshot(request.Snapshot)
		if err != nil {
			return sdk.Handle{}, err
		}
		goal.Release, goal.Version, goal.Files = &to.Release, to.Version, to.Files
	}
	request.Operation.Kind = sdk.OperationRollback
	return p.start(ctx, request.Operation, request.Target, goal, request.ExpectedDigest, request.Retain)
}
