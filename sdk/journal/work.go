package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrUnwanted is matched where an operation has ended, or is driven by somebody else
// by now. Drive returns it as it is.
var ErrUnwanted = errors.New("the operation has ended, or somebody else drives it")

// Work is one operation in the hands of [Config.Drive].
type Work[G any] struct {
	*Journal[G]
	id    string
	epoch uint64
	woken <-chan struct{}
	log   *os.File
}

// Operation returns the operation as it is written, or ErrUnwanted. Look now and then
// during work that takes long.
func (w *Work[G]) Operation() (*Operation[G], error) {
	w.woken = w.Changed()
	r, err := w.Read()
	if err != nil {
		return nil, &brokenError{err}
	}
	return w.wanted(r)
}

func (w *Work[G]) wanted(r *Record[G]) (*Operation[G], error) {
	o := r.Operation(w.id)
	if o == nil || o.Outcome != nil || o.Epoch != w.epoch || r.Epoch != w.epoch {
		return nil, ErrUnwanted
	}
	return o, nil
}

// Do takes a step under the lock: nobody else changes the component meanwhile, and
// what the step writes down is on disk when Do returns. After an error of the step
// nothing of it is written. ErrUnwanted comes before the step.
func (w *Work[G]) Do(ctx context.Context, step func(r *Record[G], o *Operation[G]) error) error {
	w.woken = w.Changed()
	return w.change(ctx, func(r *Record[G]) error {
		o, err := w.wanted(r)
		if err != nil {
			return err
		}
		if err := step(r, o); err != nil {
			return err
		}
		if o.Outcome != nil {
			w.book.config.Log.Info("operation ended", "operation", o.ID, "result", o.Outcome.Result, "message", o.Outcome.Message)
		}
		return nil
	})
}

// Pause waits until the journal was changed since the last Do or Operation, or for a
// while, and says whether it was.
func (w *Work[G]) Pause(ctx context.Context, while time.Duration) (changed bool, err error) {
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

// Printf writes a line to the log of the operation, which Watch and Logs send.
func (w *Work[G]) Printf(format string, args ...any) error {
	if w.log == nil {
		path := w.logFile(w.id)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		w.log = file
	}
	line := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", `\n`)
	_, err := fmt.Fprintf(w.log, "%s\t%s\n", time.Now().UTC().Format(time.RFC3339Nano), line)
	return err
}

// Tell wakes those who read the lines. A step that is written does so too.
func (w *Work[G]) Tell() { w.wake() }

func (w *Work[G]) closeLog() {
	if w.log != nil {
		_ = w.log.Close()
		w.log = nil
	}
}
