package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Stream hands the events of one deployment to yield in order, first the
// snapshot, until yield or the connection ends in an error, or ctx is done.
type Stream func(ctx context.Context, yield func(apiv1.Event) error) error

// Config says how a deployment is followed.
type Config struct {
	// Run that must end; 0: the one that the first status body names.
	Run int
	// Replay: the stream begins with the deployment's first event, which is shown
	// although the status body that comes before is newer.
	Replay bool
	// Out is where it is shown.
	Out output.Writer
	// In is the terminal that keys come from; nil: none are read.
	In TerminalInput
	// Event, when set, gets each event instead: nothing is drawn.
	Event func(apiv1.Event) error
	// Quiet is how long nothing may change before a line says so. Default 30 s.
	Quiet time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// ErrDetached is returned when the person at the terminal left the view.
var ErrDetached = errors.New("detached")

// errEnded ends a stream whose run has ended.
var errEnded = errors.New("run ended")

// Follow shows a deployment until the run has ended, and returns its last
// state. The deployment never ends with it. Errors are those of the stream, of
// the context, and ErrDetached.
func Follow(ctx context.Context, stream Stream, c Config) (*State, error) {
	if c.Quiet == 0 {
		c.Quiet = 30 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	switch {
	case c.Event != nil:
		return follow(ctx, stream, c, func(_ *State, e apiv1.Event) error { return c.Event(e) }, nil)
	case c.Out.Control:
		return screen(ctx, stream, c)
	default:
		return plain(ctx, stream, c)
	}
}

// plain writes one line per change.
func plain(ctx context.Context, stream Stream, c Config) (*State, error) {
	told := c.Replay // what the status body says
	show := func(_ *State, e apiv1.Event) error {
		line := Line(e)
		if deployment.EventType(e.Type) == deployment.EventSnapshot {
			// Each new connection sends one; the first says enough.
			if told {
				line = ""
			}
			told = true
		}
		if line == "" {
			return nil
		}
		_, err := fmt.Fprintln(c.Out, line)
		return err
	}
	still := func(s *State) error {
		_, err := fmt.Fprintln(c.Out, s.Still(c.Now()))
		return err
	}
	return follow(ctx, stream, c, show, still)
}

// follow reads the stream in its own goroutine, so that still is called in
// time also while nothing comes.
func follow(ctx context.Context, stream Stream, c Config, show func(*State, apiv1.Event) error, still func(*State) error) (*State, error) {
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan apiv1.Event)
	ended := make(chan error, 1)
	go func() {
		ended <- stream(ctx, func(e apiv1.Event) error {
			select {
			case events <- e:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	}()
	state, err := collect(ctx, events, ended, c, show, still)
	cancel()
	if !errors.Is(err, errStream) {
		if late := <-ended; err == nil { // else err is why it was ended
			err = late
		}
	}
	if errors.Is(err, errEnded) {
		return state, nil
	}
	return state, err
}

// errStream marks an error that the stream itself ended with.
var errStream = errors.New("follow deployment")

func collect(ctx context.Context, events <-chan apiv1.Event, ended <-chan error, c Config, show func(*State, apiv1.Event) error, still func(*State) error) (*State, error) {
	state := &State{}
	var seen uint64
	quiet := time.NewTimer(c.Quiet)
	defer quiet.Stop()
	for {
		select {
		case e := <-events:
			if err := state.Apply(e); err != nil {
				return state, err
			}
			if err := show(state, e); err != nil {
				return state, err
			}
			if !e.Ephemeral {
				seen = max(seen, e.Seq)
			} else if state.Known && seen == 0 && !c.Replay {
				seen = state.base
			}
			if state.Known && c.Run == 0 {
				c.Run = max(state.Run, 1)
			}
			// What the status body says is shown once its events have come too.
			if state.Known && state.Ended(c.Run) && seen >= state.base {
				return state, errEnded
			}
			if Describe(e) != "" {
				quiet.Reset(c.Quiet)
			}
		case <-quiet.C:
			if state.Known && state.Ended(c.Run) {
				return state, errEnded
			}
			if still != nil {
				if err := still(state); err != nil {
					return state, err
				}
			}
			quiet.Reset(c.Quiet)
		case err := <-ended:
			if err == nil {
				err = errors.New("the host closed the connection")
			}
			return state, fmt.Errorf("%w: %w", errStream, err)
		case <-ctx.Done():
			return state, ctx.Err()
		}
	}
}
