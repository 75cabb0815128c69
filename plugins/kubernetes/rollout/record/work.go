package record

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
)

// ErrUnwanted is matched where an operation has ended, or is driven by somebody else
// by now. Drive returns it as it is.
var ErrUnwanted = errors.New("the operation has ended, or somebody else drives it")

// Work is one operation in the hands of [Config.Drive].
type Work struct {
	*Journal
	id    string
	epoch uint64
	feed  *feed
	woken <-chan struct{}
}

// ID is the operation's.
func (w *Work) ID() string { return w.id }

// Operation returns the operation as it is written, or ErrUnwanted. Look now and then
// during work that takes long: at most every some seconds the cluster is asked.
func (w *Work) Operation(ctx context.Context) (*Operation, error) {
	w.woken = w.Changed()
	r, err := w.recent(ctx, driverLooks)
	if err != nil {
		return nil, err
	}
	return w.wanted(r)
}

func (w *Work) wanted(r *Record) (*Operation, error) {
	o := r.Operation(w.id)
	if o == nil || o.Outcome != nil || o.Driver != w.book.id || o.Epoch != w.epoch || r.Epoch != w.epoch {
		return nil, ErrUnwanted
	}
	return o, nil
}

// Do writes a step down. It is on the cluster when Do returns, and if somebody else
// drives the operation by now, or has ended it, it is not: ErrUnwanted. step is called
// again when somebody else wrote in between, and so must change nothing but what it is
// given. After an error of the step nothing of it is written. While the cluster is down
// Do tries on, until ctx ends.
func (w *Work) Do(ctx context.Context, step func(r *Record, o *Operation) error) error {
	w.woken = w.Changed()
	return w.persist(ctx, func(ctx context.Context) error {
		return w.change(ctx, cached, nil, func(r *Record) error {
			o, err := w.wanted(r)
			if err != nil {
				return err
			}
			return step(r, o)
		})
	})
}

// Reach writes a step down that nothing else belongs to.
func (w *Work) Reach(ctx context.Context, name string) error {
	return w.Do(ctx, func(_ *Record, o *Operation) error {
		o.Reach(name)
		return nil
	})
}

// End writes down how the operation ended.
func (w *Work) End(ctx context.Context, outcome sdk.Outcome) error {
	err := w.Do(ctx, func(_ *Record, o *Operation) error {
		o.End(outcome)
		return nil
	})
	if err == nil {
		w.book.config.Log.Info("operation ended", "operation", w.id, "result", written[outcome.Result], "message", outcome.Message)
	}
	return err
}

// Stamp is what is to be written on the objects that the operation touches.
func (w *Work) Stamp(o *Operation) cluster.Stamp {
	return cluster.Stamp{Identity: w.identity, Version: o.Version, Operation: o.ID, Digest: o.Digest, Epoch: w.epoch}
}

// Pause waits until the journal was changed since the last Do or Operation, or for a
// while, and says whether it was.
func (w *Work) Pause(ctx context.Context, while time.Duration) (changed bool, err error) {
	timer := time.NewTimer(while)
	defer timer.Stop()
	select {
	case <-w.woken:
		return true, nil
	case <-timer.C:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// Woken is closed when the journal was changed since the last Do or Operation: for those
// who wait for other things besides, as [Work.Pause] cannot.
func (w *Work) Woken() <-chan struct{} { return w.woken }

// Show replaces the picture of the operation that Watch sends: only what differs is sent
// as resources; another phase, message or fraction as a State. A resource that is no
// longer in it is told to be gone. It is in memory only.
func (w *Work) Show(state sdk.State) {
	if w.feed.show(state) {
		w.place.wake()
	}
}

// Say adds lines to those that Watch sends, in memory only; the oldest give way, and
// are counted.
func (w *Work) Say(lines ...sdk.LogLine) {
	if len(lines) > 0 {
		w.feed.say(lines)
		w.place.wake()
	}
}

// Printf says a line of the operation itself.
func (w *Work) Printf(format string, args ...any) {
	line := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", `\n`)
	w.Say(sdk.LogLine{Resource: w.feed.subject, Line: line, Time: time.Now().UTC()})
}
