package rollout

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record"
	"github.com/apm-deploy/apm/sdk"
)

// Rollback writes down the way back to a snapshot, and drives it; to an empty one it
// removes what operations of ours have created.
func (p *Platform) Rollback(ctx context.Context, request sdk.RollbackRequest) (sdk.Handle, error) {
	request.Operation.Kind = sdk.OperationRollback
	entry := record.Entry{Version: request.Target.Version, Revision: request.Snapshot.Revision, Retain: request.Retain}
	n := &notes{}
	if !request.Snapshot.Empty {
		to, err := decodeSnapshot(request.Snapshot)
		if err != nil {
			return sdk.Handle{}, err
		}
		n = to.notes()
		entry.Goal, entry.Subject = request.Snapshot.State, n.main()
	}
	raw, err := n.raw()
	if err != nil {
		return sdk.Handle{}, err
	}
	entry.Notes = raw
	return p.journal(request.Target).Accept(ctx, request.Operation, entry, func(ctx context.Context, written *record.Record) (string, error) {
		seen, err := p.expect(ctx, written, nil, request.ExpectedDigest)
		if err != nil {
			return "", err
		}
		for k, o := range seen.objects {
			if want := n.has(k); want && !seen.referred[k] {
				if err := kept(o); err != nil {
					return "", err
				}
			}
		}
		return seen.digest(), nil
	})
}

func (n *notes) has(k cluster.Key) bool {
	for _, key := range n.Keys {
		if key == k.String() {
			return true
		}
	}
	return false
}

// notes of a way back.
func (s *state) notes() *notes {
	n := &notes{Workloads: s.Workloads, Services: s.Services}
	for _, one := range s.Objects {
		n.Keys = append(n.Keys, cluster.KeyOf(one.Object).String())
	}
	return n
}

// restore brings every object back to what it was, deletes those that were added, and
// follows what comes of it.
func (a *act) restore(ctx context.Context, to *state) error {
	if !a.op.Reached(stepBegun) {
		seen, err := a.look(ctx, parseKeys(a.notes.Keys))
		if err != nil {
			return err
		}
		a.notes.Was = seen.contents()
	}
	if err := a.begin(ctx, to.Absent...); err != nil {
		return err
	}
	if !a.op.Reached(stepApplied) {
		if err := a.restoreAll(ctx, to); err != nil {
			return err
		}
	}
	return a.settle(ctx, true)
}

func (a *act) restoreAll(ctx context.Context, to *state) error {
	keys := make([]cluster.Key, 0, len(to.Objects))
	for _, one := range to.Objects {
		keys = append(keys, cluster.KeyOf(one.Object))
	}
	seen, err := a.look(ctx, keys)
	if err != nil {
		return err
	}
	restored := &scene{objects: map[cluster.Key]*unstructured.Unstructured{}, scaled: seen.scaled}
	for i, one := range to.Objects {
		if err := a.wanted(ctx); err != nil {
			return err
		}
		k := keys[i]
		a.work.Show(sdk.State{
			Phase: sdk.PhaseProgressing, Message: fmt.Sprintf("restoring %s, %d of %d", k.Short(), i+1, len(keys)),
		})
		now, did, err := a.restoreOne(ctx, one, seen.scaled)
		if err != nil {
			return err
		}
		restored.objects[k] = now
		a.known[k] = now.GetGeneration()
		a.work.Printf("%s %s", k.Short(), did)
	}
	// What was added and has pods may take the place of what was restored.
	var added []cluster.Key
	for _, k := range parseKeys(a.notes.Left) {
		if followed(k) {
			added = append(added, k)
		}
	}
	if err := a.prune(ctx, added); err != nil {
		return err
	}
	return a.applied(ctx, restored)
}

// remove deletes what operations of ours have created.
func (a *act) remove(ctx context.Context) error {
	if err := a.begin(ctx); err != nil {
		return err
	}
	keys := parseKeys(a.notes.Left)
	a.work.Show(sdk.State{Phase: sdk.PhaseProgressing, Message: fmt.Sprintf("removing %d objects", len(keys))})
	if err := a.prune(ctx, keys); err != nil {
		return err
	}
	if err := a.gone(ctx, keys); err != nil {
		return err
	}
	err := a.work.Do(ctx, func(r *record.Record, o *record.Operation) error {
		r.Serving = nil
		o.Notes = nil
		o.End(sdk.Outcome{Result: sdk.ResultSucceeded, Message: "removed"})
		return nil
	})
	return err
}
