package shim

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/instance"
	"github.com/apm-deploy/apm/plugins/process/internal/record"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

// handle answers one request of a plugin. What changes something is carried
// through even if the plugin hangs up: it may have been killed meanwhile.
func (c *component) handle(ctx context.Context, request control.Request, send func(control.Response) error) error {
	var result any
	var err error
	switch request.Method {
	case control.Start:
		err = c.start(request)
	case control.Promote:
		err = c.promote(*request.Operation, request.Percent)
	case control.Cancel:
		err = c.cancel(*request.Operation)
	case control.Recover:
		if err = control.WaitEarlier(ctx); err == nil {
			result, err = c.recover(request)
		}
	case control.Describe:
		result = c.describe()
	case control.Probe:
		control.Settle(ctx)
		result = record.OfProbe(c.probe(ctx, request))
	case control.Watch, control.WatchTarget:
		control.Settle(ctx)
		return c.watch(ctx, request, send)
	case control.Logs:
		control.Settle(ctx)
		return c.logs(ctx, *request.Logs, send)
	default:
		err = sdk.Errorf(sdk.Unimplemented, sdk.ReasonUnspecified, "this shim does not know %q: it was started by another version of the plugin; deploy again to replace it", request.Method)
	}
	control.Settle(ctx)
	if err != nil {
		return err
	}
	data, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return send(control.Response{Result: data, End: true})
}

// promote stores how much traffic the candidate gets; the driver puts it in
// force.
func (c *component) promote(request control.Operation, percent int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	op, err := c.known(request)
	if err != nil {
		return err
	}
	settled := op.Phase == state.PhaseSettling || op.Outcome != nil && op.Outcome.Result == sdk.ResultSucceeded
	switch {
	case settled && percent == 100:
		return nil
	case settled || op.Phase == state.PhaseFinished:
		return sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict, "operation %q is over: its candidate cannot be promoted to %d %%", op.ID, percent)
	case op.Stopped():
		return sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict, "operation %q was stopped: its candidate cannot be promoted", op.ID)
	case !op.Staged || op.Removes:
		return sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict, "operation %q is not staged: it has no candidate to promote", op.ID)
	case op.Percent == 100: // the last step is under way
		return nil
	}
	previous := op.Percent
	op.Percent = percent
	if err := c.save(); err != nil {
		op.Percent = previous
		return sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "promote: %w", err)
	}
	if c.ready && c.candidate != nil && c.inForce == percent && previous == percent {
		c.hub.append(op.ID, sdk.Event{Candidate: candidateOf(c.candidate, percent)})
	}
	c.driver.wake()
	return nil
}

// cancel asks the driver to discard the candidate. What is past that point is
// left to its end, which Watch tells.
func (c *component) cancel(request control.Operation) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	op, err := c.known(request)
	if err != nil {
		return err
	}
	if op.Phase == state.PhaseFinished || op.Phase == state.PhaseSettling || op.Removes || op.Cancelled || op.Percent == 100 {
		return nil
	}
	op.Cancelled = true
	if err := c.save(); err != nil {
		op.Cancelled = false
		return sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "cancel: %w", err)
	}
	c.driver.wake()
	return nil
}

// known returns the operation that a call is about, after the fence.
func (c *component) known(request control.Operation) (*state.Operation, error) {
	if c.closing {
		return nil, control.ErrClosing
	}
	op, err := c.admit(request)
	if err != nil {
		return nil, err
	}
	if op == nil {
		return nil, sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "operation %q was never accepted here", request.ID)
	}
	return op, c.raise(request.Epoch)
}

// recover says what became of an operation. We are the only one who could have
// started it, so that not knowing it proves that it was not; and every call of
// an older connection was taken in before we look.
func (c *component) recover(request control.Request) (control.Recovery, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return control.Recovery{}, control.ErrClosing
	}
	asked := *request.Operation
	op, err := c.admit(asked)
	if err != nil {
		return control.Recovery{}, err
	}
	if c.st.Identity == (state.Identity{}) {
		c.st.Identity = request.Identity
		c.identity.Store(&request.Identity)
	}
	if err := c.raise(asked.Epoch); err != nil {
		return control.Recovery{}, err
	}
	switch {
	case op == nil:
		return control.Recovery{Status: sdk.RecoverNotStarted, Message: "the component's shim never accepted it"}, nil
	case op.Outcome != nil:
		return control.Recovery{Status: sdk.RecoverFinished, Outcome: op.Outcome}, nil
	default:
		return control.Recovery{Status: sdk.RecoverRunning, Message: "the component's shim carries it out"}, nil
	}
}

func (c *component) describe() control.Description {
	now := c.look()
	c.mu.Lock()
	defer c.mu.Unlock()
	d := control.Description{State: *c.st, Observed: now.observed, Files: now.files, Changed: now.changed}
	if now.problem != nil {
		d.Problem = now.problem.Error()
	}
	d.State.Operations = append([]state.Operation(nil), c.st.Operations...)
	d.State.Processes = append([]state.Process(nil), c.st.Processes...)
	for _, t := range []*track{c.serving, c.candidate} {
		if t == nil {
			continue
		}
		for _, m := range t.members {
			if status := m.Status(); status.Phase != instance.Stopped && status.PID != 0 {
				d.PIDs = append(d.PIDs, status.PID)
			}
		}
	}
	return d
}
