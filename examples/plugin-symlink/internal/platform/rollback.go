package platform

import (
	"context"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/journal"
)

// Rollback accepts the way back to a snapshot: a forward operation with the rules of
// Deploy, but never staged. To an empty one it removes what is ours.
func (p *Platform) Rollback(ctx context.Context, r sdk.RollbackRequest) (sdk.Handle, error) {
	entry := journal.Entry[component.Goal]{Retain: r.Retain}
	if !r.Snapshot.Empty {
		to, err := decode(r.Snapshot.Version, r.Snapshot.State)
		if err != nil {
			return sdk.Handle{}, err
		}
		entry.Goal, entry.Version, entry.Revision = to.goal(), to.Version, short(to.Digest)
	}
	r.Operation.Kind = sdk.OperationRollback
	return p.accept(ctx, r.Operation, r.Target, r.ExpectedDigest, entry)
}
