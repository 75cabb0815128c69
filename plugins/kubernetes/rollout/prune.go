package rollout

import (
	"context"
	"slices"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
)

const (
	goneLooks = 100 * time.Millisecond
	goneSoon  = 2 * time.Minute
)

// prune deletes those objects that an operation of ours has created, those that came last
// first, and takes our stamps off the others.
func (a *act) prune(ctx context.Context, keys []cluster.Key) error {
	seen, err := a.look(ctx, keys)
	if err != nil {
		return err
	}
	for _, k := range slices.Backward(keys) {
		o := seen.objects[k]
		if o == nil {
			continue
		}
		if err := a.wanted(ctx); err != nil {
			return err
		}
		stamp, stamped := cluster.StampOf(o)
		switch {
		case !stamped || stamp.Identity != a.stamp.Identity:
			continue
		case stamp.Epoch > a.stamp.Epoch:
			return sdk.StaleEpoch(sdk.Operation{ID: a.op.ID, Epoch: a.stamp.Epoch}, stamp.Epoch)
		case stamp.Created == "":
			if err := a.cluster.Unmark(ctx, k, a.stamp); err != nil {
				return err
			}
			a.work.Printf("%s stays: it was there before", k.Short())
			continue
		}
		if err := a.cluster.Delete(ctx, k, cluster.DeleteOptions{Expect: cluster.Expect{UID: o.GetUID()}}); err != nil {
			return err
		}
		a.work.Printf("%s deleted", k.Short())
	}
	return nil
}

// gone waits until objects are no longer there; some have work to do before they go.
func (a *act) gone(ctx context.Context, keys []cluster.Key) error {
	for deadline := time.Now().Add(goneSoon); ; {
		var left []cluster.Key
		for _, k := range keys {
			o, err := a.cluster.Find(ctx, k)
			if err != nil {
				return err
			}
			if o != nil && o.GetDeletionTimestamp() != nil {
				left = append(left, k)
			}
		}
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			e := sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict, "%s was deleted and does not go: a finalizer of it is not removed", left[0].Short())
			e.Resource = left[0].String()
			return e
		}
		keys = left
		if _, err := a.work.Pause(ctx, goneLooks); err != nil {
			return err
		}
		if err := a.wanted(ctx); err != nil {
			return err
		}
	}
}
