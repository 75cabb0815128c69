package rollout

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/release"
	"github.com/apm-deploy/apm/sdk"
)

// The steps of an operation.
const (
	stepBegun   = "begun"   // what it is about to touch is written down
	stepApplied = "applied" // all is asked for: what differs from now on, somebody else changed
	stepSettled = "settled" // the cluster has brought it about
)

// An act is one operation under way.
type act struct {
	*Platform
	work  *record.Work
	op    *record.Operation
	stamp cluster.Stamp
	notes notes
	// known are the generations of workloads that hold what was asked for.
	known map[cluster.Key]int64
	// asked is what a release of manifests asks for; nil of other operations.
	asked map[cluster.Key]*unstructured.Unstructured
}

// drive takes the steps of one operation. It goes on wherever a crash left it.
func (p *Platform) drive(ctx context.Context, w *record.Work) error {
	o, err := w.Operation(ctx)
	if err != nil {
		return err
	}
	a := &act{Platform: p, work: w, op: o, stamp: w.Stamp(o), known: map[cluster.Key]int64{}}
	if err := o.Noted(&a.notes); err != nil {
		return err
	}
	if o.Cancelling {
		return a.cancelled(ctx)
	}
	content, err := w.Content(ctx, o.Goal)
	if err != nil {
		return err
	}
	switch {
	case o.Goal == nil:
		return a.remove(ctx)
	case o.Rollback:
		to, err := decodeState(content)
		if err != nil {
			return err
		}
		return a.restore(ctx, to)
	}
	r, err := release.Decode(release.Version, content)
	if err != nil {
		return fmt.Errorf("read what is to be deployed: %w", err)
	}
	if err := p.place(ctx, r.Objects); err != nil {
		return err
	}
	if r.Tracked() {
		return a.follow(ctx)
	}
	return a.deploy(ctx, r)
}

// begin writes down what the operation is about to touch, beside what earlier ones had.
func (a *act) begin(ctx context.Context, more ...string) error {
	if a.op.Reached(stepBegun) {
		return nil
	}
	return a.work.Do(ctx, func(r *record.Record, o *record.Operation) error {
		before, err := notesOf(r)
		if err != nil {
			return err
		}
		a.notes.succeed(before, more...)
		if err := o.Note(a.notes); err != nil {
			return err
		}
		if a.notes.Tracked == nil || !a.notes.Tracked.Waiting { // else what runs stays what it was
			r.Serve(o, "")
		}
		o.Reach(stepBegun)
		return nil
	})
}

// deploy applies a release, follows it, and removes what it no longer has.
func (a *act) deploy(ctx context.Context, r *release.Release) error {
	if err := a.begin(ctx); err != nil {
		return err
	}
	if len(r.Images) == 0 {
		a.asked = map[cluster.Key]*unstructured.Unstructured{}
		for _, o := range r.Objects {
			a.asked[cluster.KeyOf(o)] = o
		}
	}
	if !a.op.Reached(stepApplied) {
		if ended, err := a.applyAll(ctx, r); ended || err != nil {
			return err
		}
	}
	return a.settle(ctx, true)
}

func (a *act) applyAll(ctx context.Context, r *release.Release) (ended bool, err error) {
	seen, err := a.look(ctx, parseKeys(a.notes.Keys))
	if err != nil {
		return false, err
	}
	objects, force, err := a.desired(r, seen)
	if err != nil {
		return false, err
	}
	applied := &scene{objects: map[cluster.Key]*unstructured.Unstructured{}, scaled: seen.scaled}
	for i, o := range objects {
		if err := a.wanted(ctx); err != nil {
			return false, err
		}
		k := cluster.KeyOf(o)
		a.work.Show(sdk.State{
			Phase: sdk.PhaseProgressing, Message: fmt.Sprintf("applying %s, %d of %d", k.Short(), i+1, len(objects)),
		})
		done, err := a.cluster.Apply(ctx, o, cluster.ApplyOptions{
			Stamp: &a.stamp, Force: takes(seen.objects[k], force, a.stamp.Identity, a.op.ID), Autoscaled: seen.scaled,
		})
		if conflicts := cluster.ConflictsOf(err); len(conflicts) > 0 && a.has(seen.objects[k]) {
			return true, a.end(ctx, sdk.Outcome{
				Result: sdk.ResultSuperseded, SupersededBy: conflicts[0].Manager,
				Message: fmt.Sprintf("%s was changed meanwhile by %s", k.Short(), conflicts[0].Manager),
			})
		}
		if err != nil {
			return false, err
		}
		applied.objects[k] = done.Object
		a.known[k] = done.Object.GetGeneration()
		a.work.Printf("%s %s", k.Short(), did(done))
	}
	return false, a.applied(ctx, applied)
}

func did(done cluster.Applied) string {
	switch {
	case done.Created():
		return "created"
	case done.Changed():
		return "changed"
	default:
		return "unchanged"
	}
}

// has says whether this operation has touched an object before.
func (a *act) has(live *unstructured.Unstructured) bool {
	if live == nil {
		return false
	}
	stamp, ok := cluster.StampOf(live)
	return ok && stamp.Operation == a.op.ID
}

// applied writes down what was asked for, so that a change of somebody else is told from
// it in a fresh process too.
func (a *act) applied(ctx context.Context, now *scene) error {
	a.notes.Digests = now.digests(a.notes.Keys)
	return a.work.Do(ctx, func(r *record.Record, o *record.Operation) error {
		if err := o.Note(a.notes); err != nil {
			return err
		}
		r.Serve(o, "")
		o.Reach(stepApplied)
		return nil
	})
}

// wanted ends the operation where it was cancelled, with record.ErrUnwanted.
func (a *act) wanted(ctx context.Context) error {
	o, err := a.work.Operation(ctx)
	if err != nil {
		return err
	}
	if o.Cancelling {
		if err := a.cancelled(ctx); err != nil {
			return err
		}
		return record.ErrUnwanted
	}
	return ctx.Err()
}

func (a *act) cancelled(ctx context.Context) error {
	message := "cancelled: what was changed stays as it is"
	if !a.op.Reached(stepBegun) {
		message = "cancelled before anything was changed"
	}
	return a.end(ctx, sdk.Outcome{Result: sdk.ResultCancelled, Message: message})
}

// settle waits for the outcome and ends the operation.
func (a *act) settle(ctx context.Context, prune bool) error {
	if a.op.Reached(stepSettled) {
		return a.finish(ctx, prune, nil)
	}
	outcome, err := a.await(ctx)
	if err != nil {
		return err
	}
	if outcome.Result != sdk.ResultSucceeded {
		return a.end(ctx, *outcome)
	}
	return a.finish(ctx, prune, outcome)
}

// finish ends an operation that has succeeded.
func (a *act) finish(ctx context.Context, prune bool, outcome *sdk.Outcome) error {
	if outcome == nil {
		outcome = &sdk.Outcome{Result: sdk.ResultSucceeded, Message: "done"}
	}
	if prune {
		if !a.op.Reached(stepSettled) {
			if err := a.work.Reach(ctx, stepSettled); err != nil {
				return err
			}
		}
		if err := a.prune(ctx, parseKeys(a.notes.Left)); err != nil {
			return err
		}
	}
	return a.end(ctx, *outcome)
}

// end writes down how the operation ended, and what is there now.
func (a *act) end(ctx context.Context, outcome sdk.Outcome) error {
	seen, err := a.look(ctx, a.notes.keys())
	if err != nil {
		return err
	}
	var left []string
	for _, key := range a.notes.Left {
		if k, err := cluster.ParseKey(key); err == nil && seen.objects[k] != nil {
			left = append(left, key)
		}
	}
	a.notes.Left = left
	a.notes.Digests = seen.digests(append(append([]string{}, a.notes.Keys...), left...))
	if outcome.Result == sdk.ResultSucceeded {
		outcome.Addresses = seen.addresses(a.notes.Services)
	}
	err = a.work.Do(ctx, func(r *record.Record, o *record.Operation) error {
		if err := o.Note(a.notes); err != nil {
			return err
		}
		if r.Serving != nil && r.Serving.Operation == o.ID {
			r.Serve(o, seen.digest())
		}
		o.Notes = nil // they stay with what runs
		o.End(outcome)
		return nil
	})
	if err == nil {
		a.log.Info("operation ended", "operation", a.op.ID, "message", outcome.Message, "took", time.Since(a.op.Started).Round(time.Millisecond))
	}
	return err
}
