package record

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
)

// drive has an operation go on, if it is this process that drives it. It outlives the
// call that began it.
func (j *Journal) drive(o *Operation) {
	if o.Outcome != nil || o.Driver != j.book.id {
		return
	}
	w := &Work{Journal: j, id: o.ID, epoch: o.Epoch, feed: j.place.feed(o), woken: j.Changed()}
	w.feed.fail(nil)
	j.book.spawn(func(ctx context.Context) {
		j.place.turn.Lock()
		defer j.place.turn.Unlock()
		w.run(ctx)
	})
}

// run drives until the operation has ended, or somebody else drives it.
func (w *Work) run(ctx context.Context) {
	log := w.book.config.Log.With("operation", w.id)
	err := w.attempt(ctx)
	for wait := waitLeast; cluster.IsDown(err) && ctx.Err() == nil; wait = min(2*wait, waitMost) {
		log.Warn("the cluster is down: the operation goes on when it is back", "error", err)
		w.Printf("the cluster is down, waiting: %v", err)
		w.woken = w.Changed() // the line is no reason to wake up
		if _, err := w.Pause(ctx, wait); err != nil {
			return
		}
		err = w.attempt(ctx)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrUnwanted) {
		failure := w.book.config.Failure(err)
		if failure.Message == "" {
			failure.Message = err.Error()
		}
		if len(failure.Logs) == 0 {
			failure.Logs = w.feed.tail(sdk.MaxFailureLogs)
		}
		err = w.End(ctx, sdk.Outcome{Result: sdk.ResultFailed, Message: err.Error(), Failure: &failure})
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrUnwanted) {
		log.Error("operation is not driven any more: Recover goes on with it", "error", err)
		w.feed.fail(err)
		w.place.wake()
	}
}

// attempt drives once.
func (w *Work) attempt(ctx context.Context) error {
	if _, err := w.Operation(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	err := w.drive(ctx)
	if err == nil && ctx.Err() == nil {
		err = w.left(ctx)
	}
	return err
}

// left is the failure of an operation that Drive returned from although nobody would
// ever call it again for it: it has not ended, and has no candidate that Promote could
// come for.
func (w *Work) left(ctx context.Context) error {
	o, err := w.Operation(ctx)
	if err != nil || o.Reached(Candidate) {
		return err
	}
	return errors.New("bug in the plugin: it returned in the middle of the operation")
}

// drive is the plugin's Drive, whose panic is a failure of the operation: ended with
// the process it would come again after every Recover.
func (w *Work) drive(ctx context.Context) (err error) {
	defer func() {
		if value := recover(); value != nil {
			w.book.config.Log.Error("panic in the plugin", "operation", w.id, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in the plugin: %v", value)
		}
	}()
	return w.book.config.Drive(ctx, w)
}
