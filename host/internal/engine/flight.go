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
	planned  bool     // an approved plan: a moved state is refused, not followed
	expected string   // observed digest
	reason   string   // of a rollback
	retain   []string // digests of what the platform must still have

	moving sync.Mutex // one Promote at a time

	// blind is why nobody sees what the operation does now, nil while somebody
	// does; guarded by the owner's mu.
	blind error

	// stood is the last progress of the stream that is read, and caught what the
	// plugin did wrong already; both guarded by the owner's mu.
	stood  float64
	caught []Misdeed
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
	if err := f.findRetained(); err != nil {
		return err
	}
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
				return f.o.engine.counted(f.platform, fromPlatform(err, f.component, f.doing()))
			}
			if refused := f.refuse(err); refused != nil {
				return refused
			}
			if sdk.ReasonOf(err) == sdk.ReasonStateChanged {
				return outOfDate(f.component, "was changed on the platform: "+err.Error())
			}
			return f.o.engine.counted(f.platform, fromPlatform(err, f.component, f.doing()))
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
			ExpectedDigest: op.Expected, Reason: f.reason, Retain: f.retain,
		})
	} else {
		handle, err = p.Deploy(bounded, sdk.DeployRequest{
			Operation: operationOf(f.d, &op, f.o.epoch), Target: f.target, Release: *f.release,
			ExpectedDigest: op.Expected, Retain: f.retain,
		})
	}
	if err != nil {
		return err
	}
	return f.accepted(handle)
}

// findRetained looks up what the platform is asked to keep: without an answer of the
// store nothing is asked of it, since it may prune by that list.
func (f *flight) findRetained() error {
	var past []*deployment.Deployment
	err := f.o.fetch(func(ctx context.Context) error {
		var err error
		past, err = f.o.engine.Store.CompletedVersions(ctx, f.o.target, deployment.MaxRetained)
		return err
	})
	if err != nil {
		return fmt.Errorf("read what %s can be rolled back to: %w", f.o.target, err)
	}
	f.o.read(func() { f.retain = deployment.Retained(f.component, f.d, f.o.open, past) })
	return nil
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
