package engine

import (
	"context"
	"errors"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// fly carries out a deploy operation to its end.
func (o *owner) fly(ctx context.Context, f *flight, definition deployment.ComponentDefinition) error {
	return f.held(ctx, func() error { return o.flyOnce(ctx, f, definition) })
}

// flyBack carries out a rollback operation to its end.
func (o *owner) flyBack(ctx context.Context, f *flight, monitor deployment.Monitor) error {
	return f.held(ctx, func() error { return o.flyBackOnce(ctx, f, monitor) })
}

// held carries out operations until one is not failed by the environment: such a
// failure is held for, visibly, and tried again under a new operation while there
// is time.
func (f *flight) held(ctx context.Context, once func() error) error {
	pause := f.o.engine.Retry
	for {
		err := once()
		var failed *failure
		if err == nil || !errors.As(err, &failed) || !failed.Environment || ctx.Err() != nil {
			if err == nil {
				f.o.waitNoMore(f.d, f.component, deployment.WaitEnvironment)
			}
			return err
		}
		f.o.wait(ctx, f.d, f.component, deployment.WaitEnvironment, failed.Message)
		if !sleep(ctx, pause) {
			return err
		}
		pause = min(2*pause, 12*f.o.engine.Retry)
		if !f.ended() {
			continue
		}
		if f.expected != "" { // what failed may have moved it
			if err := f.lookAgain(ctx); err != nil {
				return err
			}
		}
		if err := f.intend(); err != nil {
			return err
		}
	}
}

// inTime is ctx until the time is over that the operation may take, from when it
// was intended; what is over then is said by what.
func (f *flight) inTime(ctx context.Context, monitor deployment.Monitor, what string) (timed context.Context, stop context.CancelFunc) {
	f.o.read(func() {
		began := f.o.engine.Now()
		if op := f.step().Operation(); op != nil && op.Outcome == nil {
			began = op.IntentAt
		}
		timed, stop = f.o.before(ctx, &f.d.Runs[f.run], began, monitor.Timeout, what)
	})
	return timed, stop
}

// flyOnce carries out the operation that counts.
func (o *owner) flyOnce(ctx context.Context, f *flight, definition deployment.ComponentDefinition) error {
	p, err := o.platform(ctx, f.d, f.component, f.platform)
	if err != nil {
		return err
	}
	f.staged = sdk.CapabilitiesOf(p).Staged
	if op, there := f.op(); there {
		f.staged = op.Staged
	}
	ctx, stop := f.inTime(ctx, definition.Monitor, "the operation on component "+f.component)
	defer stop()
	if op, there := f.op(); !there || op.Outcome == nil || op.Outcome.Result == deployment.ResultRefused {
		begun, resumes := f.op()
		resumes = resumes && begun.Outcome == nil
		if err := f.accept(ctx); err != nil {
			return f.late(ctx, err)
		}
		if resumes && begun.Percent > 0 && !f.ended() { // the plugin may be another one by now
			if err := f.promote(ctx); err != nil {
				return f.late(ctx, err)
			}
		}
	}
	watching, stopWatching := context.WithCancelCause(ctx)
	watched := make(chan error, 1)
	go func() {
		err := f.watch(watching)
		stopWatching(err) // the other half must not wait for a stream that ended
		watched <- err
	}()
	moved := error(nil)
	if f.staged {
		moved = f.moveTraffic(watching, definition)
	}
	if moved != nil && !f.ended() {
		stopWatching(moved)
	}
	err = <-watched
	stopWatching(nil)
	switch {
	case f.ended():
		return f.result()
	case isFailure(moved):
		return moved
	case isFailure(err): // the watch knows better why it took too long
		return err
	case moved != nil:
		return f.late(ctx, moved)
	default:
		return f.late(ctx, err)
	}
}

// flyBackOnce carries out the operation that counts.
func (o *owner) flyBackOnce(ctx context.Context, f *flight, monitor deployment.Monitor) error {
	ctx, stop := f.inTime(ctx, monitor, "the rollback of component "+f.component)
	defer stop()
	if op, there := f.op(); !there || op.Outcome == nil || op.Outcome.Result == deployment.ResultRefused {
		if err := f.accept(ctx); err != nil {
			return f.late(ctx, err)
		}
		if err := f.watch(ctx); err != nil {
			return f.late(ctx, err)
		}
	}
	return f.result()
}
