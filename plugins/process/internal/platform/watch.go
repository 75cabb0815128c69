package platform

import (
	"context"
	"errors"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/record"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

// targetPoll is how often WatchTarget looks for a component that is not there.
const targetPoll = time.Second

// Watch streams what the component's shim tells about an operation. A shim that
// is killed meanwhile is started again and goes on with it.
func (p *Platform) Watch(ctx context.Context, request sdk.WatchRequest, sink sdk.Sink) error {
	message, dir, err := p.request(control.Watch, request.Operation, request.Target)
	if err != nil {
		return err
	}
	if message.Operation.ID == "" {
		if message.Operation.ID, err = operationOf(request.Handle); err != nil {
			return err
		}
	}
	message.Token = request.ResumeToken
	for {
		err := stream(ctx, dir, message, sink)
		switch {
		case errors.Is(err, control.ErrBroken):
			message.Token = nil
		case errors.Is(err, errNothing):
			return watchGone(dir, message, sink)
		default:
			return answer(ctx, "watch", err)
		}
	}
}

// stream hands on the events of one connection to a shim.
func stream(ctx context.Context, dir string, message control.Request, sink sdk.Sink) error {
	return withShim(ctx, dir, ifAlive, func(st *state.State) error {
		return control.Stream(ctx, st, message, func(response control.Response) error {
			if len(response.Events) == 0 {
				return nil
			}
			return sink(record.ToEvents(response.Events)...)
		})
	})
}

// watchGone answers for an operation whose component was removed, from what its
// shim left written.
func watchGone(dir string, message control.Request, sink sdk.Sink) error {
	if len(message.Token) > 0 {
		return sdk.Errorf(sdk.OutOfRange, sdk.ReasonResumeExpired, "resume token is expired; watch again without one")
	}
	st, err := state.Load(dir)
	if err != nil && !errors.Is(err, state.ErrNone) {
		return &sdk.Error{Code: sdk.Unavailable, Reason: sdk.ReasonPlatformUnavailable, Message: "watch", Retryable: true, Err: err}
	}
	if st != nil {
		if op := st.Operation(message.Operation.ID); op != nil && op.Outcome != nil {
			now := time.Now()
			return sink(
				sdk.Event{ObservedAt: now, State: &sdk.State{Phase: sdk.PhaseStabilizing, Fraction: 1, Message: "nothing runs"}},
				sdk.Event{ObservedAt: now, Outcome: record.ToOutcome(op.Outcome)},
			)
		}
	}
	return sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "operation %q was never accepted here, or is forgotten", message.Operation.ID)
}

// WatchTarget streams what happens to a component, also across its removal and
// its return, until ctx ends.
func (p *Platform) WatchTarget(ctx context.Context, request sdk.WatchTargetRequest, sink sdk.Sink) error {
	message, dir, err := p.request(control.WatchTarget, sdk.Operation{}, request.Target)
	if err != nil {
		return err
	}
	message.Token = request.ResumeToken
	saidGone := false
	for {
		err := stream(ctx, dir, message, sink)
		switch {
		case errors.Is(err, control.ErrBroken):
			message.Token, saidGone = nil, false
			continue
		case !errors.Is(err, errNothing):
			return answer(ctx, "watch", err)
		case len(message.Token) > 0:
			return sdk.Errorf(sdk.OutOfRange, sdk.ReasonResumeExpired, "resume token is expired; watch again without one")
		}
		if !saidGone {
			saidGone = true
			if err := sink(sdk.Event{ObservedAt: time.Now(), State: &sdk.State{Phase: sdk.PhaseStabilizing, Fraction: 1, Message: "nothing runs"}}); err != nil {
				return err
			}
		}
		select {
		case <-time.After(targetPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
