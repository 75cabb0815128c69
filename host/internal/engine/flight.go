package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// flight carries out one step of a run at its platform: one operation as a
// rule, another one where the platform refused the first without a change.
type flight struct {
	o         *owner
	d         *deployment.Deployment
	run       int // index
	component string
	platform  string
	target    sdk.Target

	release  *sdk.Release  // of a deploy
	snapshot *sdk.Snapshot // of a rollback
	digest   string        // of release or snapshot
	staged   bool
	planned  bool   // an approved plan: a moved state is refused, not followed
	expected string // observed digest
	reason   string // of a rollback

	moving sync.Mutex // one Promote at a time

	// blind is why nobody sees what the operation does now, nil while somebody
	// does; guarded by the owner's mu.
	blind error
}

// step returns the flight's step. Called under the owner's lock.
func (f *flight) step() *deployment.Step { return f.d.Runs[f.run].Step(f.component) }

// op returns a copy of the operation that counts; ok is false when there is none.
func (f *flight) op() (op deployment.Operation, ok bool) {
	f.o.read(func() {
		if current := f.step().Operation(); current != nil {
			op, ok = *current, true
		}
	})
	return op, ok
}

// accept makes sure that the platform has the operation: the intent is stored
// first, and after any doubt the platform is asked before it is called again.
func (f *flight) accept(ctx context.Context) error {
	op, known := f.op()
	doubt := known
	retried := false
	var held error // the platform's last no to any work
	pause := f.o.engine.Retry / 10
	for {
		if op, known = f.op(); !known || op.Outcome != nil && op.Outcome.Result == deployment.ResultRefused {
			if err := f.intend(); err != nil {
				return err
			}
			doubt = false
		}
		var err error
		if doubt {
			started, recoverErr := f.recover(ctx)
			if recoverErr != nil {
				return recoverErr
			}
			if started {
				return nil
			}
		}
		err = f.call(ctx)
		switch {
		case err == nil:
			f.o.waitNoMore(f.d, f.component, deployment.WaitEnvironment)
			return nil
		case f.o.ctx.Err() != nil:
			return f.o.ctx.Err()
		case sdk.ReasonOf(err) == sdk.ReasonStaleEpoch:
			f.o.log.Warn("fenced by a later lease", "component", f.component)
			f.o.lose()
			return err
		case ctx.Err() != nil: // the call may have landed: the operation stays open
			return f.tooLong(ctx, endOf(ctx, err), held)
		case uncertain(err):
			doubt = true
		case throttled(err):
			doubt, held = true, err
			f.o.wait(ctx, f.d, f.component, deployment.WaitEnvironment, err.Error())
		case sdk.ReasonOf(err) == sdk.ReasonStateChanged && !f.planned && !retried:
			retried = true
			if err := f.refuse(err); err != nil {
				return err
			}
			if err := f.lookAgain(ctx); err != nil {
				return err
			}
			continue
		default:
			if !refusal(err) {
				return fromPlatform(err, f.component, f.doing())
			}
			if refused := f.refuse(err); refused != nil {
				return refused
			}
			if sdk.ReasonOf(err) == sdk.ReasonStateChanged {
				return outOfDate(f.component, "was changed on the platform: "+err.Error())
			}
			return fromPlatform(err, f.component, f.doing())
		}
		if !sleep(ctx, later(err, pause)) {
			return f.tooLong(ctx, context.Cause(ctx), held)
		}
		pause = min(2*pause, f.o.engine.Retry)
	}
}

// tooLong is the end of an accept whose time is over: a platform that took no
// work until then is named as the reason.
func (f *flight) tooLong(ctx context.Context, err, held error) error {
	var late *deadlineError
	if held == nil || !errors.As(err, &late) {
		return f.late(ctx, err)
	}
	refused := fromPlatform(held, f.component, late.Error()+": "+f.doing())
	refused.Environment = false // there is no time left to hold for it
	return refused
}

// doing names the call for messages.
func (f *flight) doing() string {
	if f.snapshot != nil {
		return "roll back"
	}
	return "deploy"
}

// intend records a new operation before any call carries its id.
func (f *flight) intend() error {
	kind := deployment.OperationDeploy
	if f.snapshot != nil {
		kind = deployment.OperationRollback
	}
	op := deployment.Operation{
		ID: f.o.engine.NewID(), Kind: kind, Digest: requestDigest(f.target, f.digest),
		Epoch: f.o.epoch, Staged: f.staged, Expected: f.expected,
	}
	return f.o.commit(f.d, func(c *change) {
		s := f.step()
		op.IntentAt = c.now
		if s.StartedAt.IsZero() {
			s.StartedAt = c.now
		}
		s.Operations, s.Undone = append(s.Operations, op), false
		c.event(deployment.EventOperationStarted, deployment.OperationPayload{
			Component: f.component, Operation: op.ID, Kind: op.Kind, Staged: op.Staged,
		})
	})
}

// call is Deploy or Rollback, and stores the handle before it is used.
func (f *flight) call(ctx context.Context) error {
	p, err := f.o.platform(ctx, f.d, f.component, f.platform)
	if err != nil {
		return named(err, f.component)
	}
	op, _ := f.op()
	bounded, cancel := context.WithTimeout(ctx, f.o.engine.CallTimeout)
	defer cancel()
	var handle sdk.Handle
	if f.snapshot != nil {
		handle, err = p.Rollback(bounded, sdk.RollbackRequest{
			Operation: operationOf(f.d, &op, f.o.epoch), Target: f.target, Snapshot: *f.snapshot,
			ExpectedDigest: op.Expected, Reason: f.reason,
		})
	} else {
		handle, err = p.Deploy(bounded, sdk.DeployRequest{
			Operation: operationOf(f.d, &op, f.o.epoch), Target: f.target, Release: *f.release,
			ExpectedDigest: op.Expected,
		})
	}
	if err != nil {
		return err
	}
	return f.accepted(handle)
}

// accepted stores the handle.
func (f *flight) accepted(handle sdk.Handle) error {
	return f.o.commit(f.d, func(c *change) {
		op := f.step().Operation()
		op.Handle = fromHandle(handle)
		if op.AcceptedAt.IsZero() {
			op.AcceptedAt = c.now
		}
	})
}

// recover asks what became of the operation. It says whether the platform has
// it; if not, the call may be made again with the same id.
func (f *flight) recover(ctx context.Context) (started bool, err error) {
	op, _ := f.op()
	var recovery sdk.Recovery
	err = f.o.ask(ctx, f.d, f.component, f.platform, "ask what became of the operation", func(ctx context.Context, p sdk.Platform) error {
		var err error
		recovery, err = p.Recover(ctx, sdk.RecoverRequest{
			Operation: operationOf(f.d, &op, f.o.epoch), Target: f.target,
			Handle: toHandle(op.Handle), Release: f.release, Snapshot: f.snapshot,
		})
		return err
	})
	if err != nil {
		if sdk.ReasonOf(err) == sdk.ReasonStaleEpoch {
			f.o.lose()
		}
		return false, err
	}
	switch recovery.Status {
	case sdk.RecoverNotStarted:
		return false, nil
	case sdk.RecoverRunning:
		if recovery.Handle.IsZero() {
			return true, nil
		}
		return true, f.accepted(recovery.Handle)
	case sdk.RecoverFinished:
		if recovery.Outcome == nil {
			return false, f.unknown("the plugin says that it finished, but not how")
		}
		if !recovery.Handle.IsZero() {
			if err := f.accepted(recovery.Handle); err != nil {
				return true, err
			}
		}
		return true, f.o.commit(f.d, func(c *change) { f.finish(c, *recovery.Outcome) })
	default:
		return false, f.unknown(recovery.Message)
	}
}

// unknown stops and says so: a person decides.
func (f *flight) unknown(message string) error {
	if message == "" {
		message = "the platform does not show whether it happened"
	}
	return &failure{Failure: deployment.Failure{
		Code: deployment.CodeUnknown, Component: f.component, Keep: true,
		Message:    fmt.Sprintf("what became of the operation on %s is unknown: %s", f.component, message),
		Suggestion: "look at the platform, then start the wanted version anew",
	}}
}

// refuse records that the platform changed nothing.
func (f *flight) refuse(err error) error {
	return f.o.commit(f.d, func(c *change) {
		op := f.step().Operation()
		op.Outcome = &deployment.Outcome{Result: deployment.ResultRefused, Message: err.Error()}
		op.EndedAt = c.now
		f.step().Undone = true
		c.event(deployment.EventOperationFinished, deployment.OperationPayload{
			Component: f.component, Operation: op.ID, Kind: op.Kind, Staged: op.Staged,
			Result: op.Outcome.Result, Message: op.Outcome.Message,
		})
	})
}

// lookAgain takes the `before` snapshot anew, once, after the live state moved
// between the snapshot and the call. When an operation of ours may have moved it,
// or it is a rollback that finds it moved, only the expectation is new: what ran
// before stays what is gone back to.
func (f *flight) lookAgain(ctx context.Context) error {
	var result sdk.SnapshotResult
	err := f.o.ask(ctx, f.d, f.component, f.platform, "take a snapshot", func(ctx context.Context, p sdk.Platform) error {
		var err error
		result, err = p.Snapshot(ctx, sdk.SnapshotRequest{Target: f.target, Release: f.release})
		return err
	})
	if err != nil {
		return err
	}
	f.expected = result.ObservedDigest
	var ours bool
	var which string
	f.o.read(func() {
		ours = f.d.Changed(f.d.Component(f.component))
		which = fmt.Sprintf("before-%d", len(f.step().Operations))
	})
	if f.run > 0 || ours {
		return nil
	}
	return f.o.keepSnapshot(f.d, f.component, which, result,
		func(c *deployment.Component, ref *deployment.SnapshotRef) { c.Before = ref })
}

// finish records the outcome of the operation within a change.
func (f *flight) finish(c *change, outcome sdk.Outcome) {
	s := f.step()
	op := s.Operation()
	if op.Outcome != nil {
		return
	}
	recorded, evidence := fromOutcome(outcome, f.component)
	if evidence != nil {
		recorded.Failure.Evidence = f.o.addEvidence(f.d, c, *evidence)
	}
	op.Outcome, op.EndedAt = &recorded, c.now
	component := f.d.Component(f.component)
	payload := deployment.OperationPayload{
		Component: f.component, Operation: op.ID, Kind: op.Kind, Staged: op.Staged,
		Result: recorded.Result, Message: recorded.Message,
	}
	if recorded.Failure != nil {
		payload.Code = recorded.Failure.Code
	}
	switch recorded.Result {
	case deployment.ResultSucceeded:
		s.SettledAt, s.Undone = c.now, false
		component.Addresses, component.Revision = recorded.Addresses, recorded.Revision
	case deployment.ResultCancelled:
		s.Undone = op.Staged && op.Percent < 100
	default:
		s.Undone = false
	}
	c.event(deployment.EventOperationFinished, payload)
}

// result says what the recorded outcome means for the run; nil is success.
func (f *flight) result() error {
	op, _ := f.op()
	out := op.Outcome
	if out == nil {
		return errors.New("operation has no outcome")
	}
	switch out.Result {
	case deployment.ResultSucceeded:
		return nil
	case deployment.ResultSuperseded:
		return &failure{Failure: deployment.Failure{
			Code: deployment.CodeSuperseded, Component: f.component, Keep: true,
			Message: "superseded by " + orUnknown(out.SupersededBy) + ": " + out.Message,
		}}
	case deployment.ResultCancelled:
		return &failure{Failure: deployment.Failure{
			Code: deployment.CodeCancelled, Component: f.component,
			Message: "the operation was cancelled on the platform: " + out.Message,
		}}
	default:
		if out.Failure != nil {
			return &failure{Failure: *out.Failure}
		}
		return &failure{Failure: deployment.Failure{
			Code: sdk.CodeOther, Component: f.component, Message: out.Message,
		}}
	}
}

// orUnknown names somebody who may not be known.
func orUnknown(who string) string {
	if who == "" {
		return "somebody unknown"
	}
	return who
}
