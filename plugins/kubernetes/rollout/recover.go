package rollout

import (
	"context"
	"fmt"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
)

// Recover says what became of an operation, from what is written on the cluster, and goes
// on with one that is under way.
func (p *Platform) Recover(ctx context.Context, request sdk.RecoverRequest) (sdk.Recovery, error) {
	return p.journal(request.Target).Recover(ctx, request, func(ctx context.Context) (string, error) {
		return p.trace(ctx, request)
	})
}

// trace looks for stamps of a component of which nothing is written.
func (p *Platform) trace(ctx context.Context, request sdk.RecoverRequest) (string, error) {
	var keys []cluster.Key
	if request.Release != nil {
		r, err := decodeRelease(*request.Release)
		if err != nil {
			return "", err
		}
		if err := p.place(ctx, r.Objects); err != nil {
			return "", err
		}
		keys = parseKeys(outline(r.Objects, p.named(r)...).Keys)
	}
	if request.Snapshot != nil && !request.Snapshot.Empty {
		s, err := decodeSnapshot(*request.Snapshot)
		if err != nil {
			return "", err
		}
		keys = union(keys, parseKeys(s.notes().Keys))
	}
	for _, k := range keys {
		o, err := p.cluster.Find(ctx, k)
		if err != nil {
			return "", err
		}
		if o == nil {
			continue
		}
		if stamp, ok := cluster.StampOf(o); ok && stamp.Identity == p.identity(request.Target) {
			return fmt.Sprintf("%s carries the stamp of operation %q, and the record of the component is gone", k.Short(), stamp.Operation), nil
		}
	}
	return "", nil
}
