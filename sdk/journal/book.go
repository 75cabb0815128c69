package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/apm-deploy/apm/sdk"
)

// Config is what a book needs of its plugin. All of it is required but Failure.
type Config[G any] struct {
	Log *slog.Logger
	// Drive takes the steps of one operation until it has ended, on behalf of one
	// epoch. It is called again after a crash, and whenever the operation is
	// promoted, cancelled or recovered while nobody drives it; operations of a
	// component go one after the other. An error ends the operation as failed, and so
	// does a return while it has neither ended nor a candidate. ctx ends at Close: then
	// the operation stays as it is.
	Drive func(ctx context.Context, w *Work[G]) error
	// State is the full picture of an operation: phase, message, fraction,
	// resources. The candidate is added to it.
	State func(o *Operation[G]) *sdk.State
	// Failure says what an error of Drive means: code, suggestion, environment.
	// [FileFailure] if not given.
	Failure func(err error) sdk.Failure
	// Resource is the id of the resource that lines and failures are of.
	Resource string
}

// Book holds the journals of a plugin's process, and drives their operations.
type Book[G any] struct {
	config Config[G]
	ctx    context.Context // ends at Close
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu    sync.Mutex
	shelf map[string]*place // by directory
}

// place is what the process shares about one journal.
type place struct {
	turn    sync.Mutex // held by who drives an operation of the component
	mu      sync.Mutex
	changed chan struct{} // closed and replaced whenever something was written
}

// New returns a book. Close ends what it drives.
func New[G any](config Config[G]) *Book[G] {
	if config.Failure == nil {
		config.Failure = FileFailure
	}
	b := &Book[G]{config: config, shelf: map[string]*place{}}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// Close stops driving, as [sdk.Closer] wants it. What is under way is gone on with
// after Recover.
func (b *Book[G]) Close(ctx context.Context) error {
	b.mu.Lock()
	b.cancel()
	b.mu.Unlock()
	done := make(chan struct{})
	go func() {
		b.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Journal is that of one component. Make it with [Book.At].
type Journal[G any] struct {
	book         *Book[G]
	place        *place
	dir          string
	installation string
	target       sdk.Target
}

// At returns the journal in a directory, which need not exist, of a component of that
// installation.
func (b *Book[G]) At(dir, installation string, target sdk.Target) *Journal[G] {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.shelf[dir]
	if p == nil {
		p = &place{changed: make(chan struct{})}
		b.shelf[dir] = p
	}
	return &Journal[G]{book: b, place: p, dir: dir, installation: installation, target: target}
}

// Changed returns a channel that is closed at the next change by this process. Take it
// before you look, and nothing is missed; for changes by others look now and then.
func (j *Journal[G]) Changed() <-chan struct{} {
	j.place.mu.Lock()
	defer j.place.mu.Unlock()
	return j.place.changed
}

func (j *Journal[G]) wake() {
	j.place.mu.Lock()
	defer j.place.mu.Unlock()
	close(j.place.changed)
	j.place.changed = make(chan struct{})
}

// drive has an operation go on. It outlives the call that began it.
func (j *Journal[G]) drive(o *Operation[G]) {
	if o.Outcome != nil {
		return
	}
	b := j.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx.Err() != nil {
		return
	}
	w := &Work[G]{Journal: j, id: o.ID, epoch: o.Epoch}
	b.work.Go(func() {
		j.place.turn.Lock()
		defer j.place.turn.Unlock()
		w.run(b.ctx)
	})
}

// run drives until the operation has ended, or somebody else drives it.
func (w *Work[G]) run(ctx context.Context) {
	log := w.book.config.Log.With("operation", w.id)
	if _, err := w.Operation(); ctx.Err() != nil || errors.Is(err, ErrUnwanted) {
		return
	}
	err := w.drive(ctx)
	if err == nil && ctx.Err() == nil {
		err = w.left()
	}
	var broken *brokenError
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrUnwanted) && !errors.As(err, &broken) {
		failure := w.book.config.Failure(err)
		err = w.Do(ctx, func(_ *Record[G], o *Operation[G]) error {
			o.End(Outcome{
				Result: Failed, Message: err.Error(), Code: failure.Code, Suggestion: failure.Suggestion, Environment: failure.Environment,
			})
			return nil
		})
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrUnwanted) {
		log.Error("operation is not driven any more: Recover goes on with it", "error", err)
	}
}

// left is the failure of an operation that Drive returned from although nobody would
// ever call it again for it: it has not ended, and has no candidate that Promote could
// come for.
func (w *Work[G]) left() error {
	o, err := w.Operation()
	if err != nil || o.Reached(Candidate) {
		return err
	}
	return errors.New("bug in the plugin: it returned in the middle of the operation")
}

// drive is the plugin's Drive, whose panic is a failure of the operation: ended with
// the process it would come again after every Recover.
func (w *Work[G]) drive(ctx context.Context) (err error) {
	defer w.closeLog()
	defer func() {
		if value := recover(); value != nil {
			w.book.config.Log.Error("panic in the plugin", "operation", w.id, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in the plugin: %v", value)
		}
	}()
	return w.book.config.Drive(ctx, w)
}
