package platform

import (
	"context"

	"github.com/apm-deploy/apm/sdk"
)

// Rollback accepts the way back to a snapshot: a forward operation with the rules of
// Deploy, but never staged. To an empty one it removes what is ours.
func (p *Platform) Rollback(ctx context.Context, r sdk.RollbackRequest) (sdk.Handle, error) {
	w := wish{expected: r.ExpectedDigest}
	if !r.Snapshot.Empty {
		to, err := decode(r.Snapshot.Version, r.Snapshot.State)
		if err != nil {
			return sdk.Handle{}, err
		}
		w.goal, w.version = to.goal(), to.Version
	}
	r.Operation.Kind, r.Operation.Staged = sdk.OperationRollback, false
	return p.accept(ctx, r.Operation, r.Target, w)
}
