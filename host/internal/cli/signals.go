package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// controllingTerminal is there as long as the process has a terminal.
const controllingTerminal = "/dev/tty"

// hangups are the SIGHUPs of a command that reads something anew on them.
type hangups struct {
	taken atomic.Bool
	heard chan struct{}
}

// take returns where SIGHUP is heard, which no longer ends the command unless it
// is its terminal that went away.
func (h *hangups) take() <-chan struct{} {
	h.taken.Store(true)
	return h.heard
}

// signals returns a context that the first SIGINT, SIGTERM or SIGHUP ends; the
// second one ends the process at once. A SIGHUP that was ignored when the process
// began, as under nohup, stays ignored.
func signals(ctx context.Context) (context.Context, *hangups, func()) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	ctx, end := context.WithCancelCause(ctx)
	h := &hangups{heard: make(chan struct{}, 1)}
	came := make(chan os.Signal, 1)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(came, syscall.SIGHUP)
	}
	// The default actions come back with the first signal, for the second.
	release := context.AfterFunc(ctx, func() {
		stop()
		signal.Stop(came)
	})
	began := hasTerminal()
	done := make(chan struct{})
	left := make(chan struct{})
	go func() {
		defer close(left)
		for {
			select {
			case <-came:
				if h.taken.Load() && began == hasTerminal() {
					select {
					case h.heard <- struct{}{}:
					default: // one is waiting to be heard
					}
					continue
				}
				end(errors.New("hangup signal received"))
			case <-done:
				return
			}
		}
	}()
	return ctx, h, func() {
		release()
		stop()
		signal.Stop(came)
		close(done)
		<-left
		end(nil)
	}
}

// hasTerminal says whether the process has a terminal that is still there.
func hasTerminal() bool {
	terminal, err := os.OpenFile(controllingTerminal, os.O_RDONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	_ = terminal.Close() // it was only looked at
	return true
}
