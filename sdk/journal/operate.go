package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// Entry is what an operation is to bring about.
type Entry[G any] struct {
	Goal     *G     // nil: remove
	Version  string // of the application
	Revision string // of the goal, for people
	Retain   []string
}

// Accept writes an operation down, which goes on from then on, whatever happens to the
// process, and returns its handle. The same operation again gives the same handle, and
// has no second effect. check is called under the lock for an operation that is new: it
// returns the digest that is observed now, or why the operation cannot begin. One that
// is under way gives way to a rollback and to a later owner of the component.
func (j *Journal[G]) Accept(
	ctx context.Context, operation sdk.Operation, entry Entry[G], check func(r *Record[G]) (observed string, err error),
) (sdk.Handle, error) {
	var accepted *Operation[G]
	err := j.change(ctx, func(r *Record[G]) (err error) {
		if accepted, err = r.admit(operation); accepted == nil && err == nil {
			accepted, err = r.enter(operation, entry, check)
			j.sweepLogs(r)
		}
		r.Retain = entry.Retain
		return err
	})
	if err != nil {
		return sdk.Handle{}, Answer("accept operation", err)
	}
	j.drive(accepted)
	return HandleOf(operation.ID), nil
}

// enter adds an operation that is new.
func (r *Record[G]) enter(o sdk.Operation, entry Entry[G], check func(r *Record[G]) (string, error)) (*Operation[G], error) {
	before, err := check(r)
	if err != nil {
		return nil, err
	}
	rollback := o.Kind == sdk.OperationRollback
	if active := r.Active(); active != nil {
		if !rollback && o.Epoch <= active.Epoch {
			e := sdk.Errorf(sdk.Aborted, sdk.ReasonConflict, "operation %q is under way: cancel it, or wait for its end", active.ID)
			e.By = "operation " + active.ID
			return nil, e
		}
		active.End(Outcome{Result: Cancelled, Message: fmt.Sprintf("operation %q took its place", o.ID)})
	}
	added := &Operation[G]{
		ID: o.ID, Deployment: o.DeploymentID, Rollback: rollback, Digest: o.RequestDigest, Epoch: o.Epoch, Staged: o.Staged && !rollback,
		Version: entry.Version, Revision: entry.Revision, Goal: entry.Goal, Before: before, Started: time.Now().UTC(), Steps: []Step{},
	}
	r.add(added)
	return added, nil
}

// Promote lets a candidate go on.
func (j *Journal[G]) Promote(ctx context.Context, r sdk.PromoteRequest) (sdk.Handle, error) {
	err := j.amend(ctx, r.Operation, func(_ *Record[G], o *Operation[G]) error {
		if !o.Reached(Candidate) {
			return sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict, "operation %q has no candidate yet: wait for it on Watch", o.ID)
		}
		o.Promoted = true
		return nil
	})
	return HandleOf(r.Operation.ID), err
}

// Cancel ends an operation that is under way. discard, which may be nil, is called
// under the lock to take away what it has made; it may refuse, or let the operation go
// on by ending it itself.
func (j *Journal[G]) Cancel(ctx context.Context, r sdk.CancelRequest, discard func(o *Operation[G]) error) error {
	return j.amend(ctx, r.Operation, func(_ *Record[G], o *Operation[G]) error {
		if discard != nil {
			if err := discard(o); err != nil {
				return err
			}
		}
		if o.Outcome == nil {
			o.End(Outcome{Result: Cancelled, Message: "cancelled: what ran runs on"})
		}
		return nil
	})
}

// amend changes an operation under way and drives it on. One that has ended stays as
// it is, and Watch tells how it ended.
func (j *Journal[G]) amend(ctx context.Context, operation sdk.Operation, apply func(*Record[G], *Operation[G]) error) error {
	var known *Operation[G]
	err := j.change(ctx, func(r *Record[G]) (err error) {
		known, err = r.admit(operation)
		switch {
		case err != nil:
			return err
		case known == nil:
			return unknown(operation.ID)
		case known.Outcome == nil:
			return apply(r, known)
		default:
			return nil
		}
	})
	if err != nil {
		return Answer("change operation", err)
	}
	j.drive(known)
	return nil
}

// Recover says what became of an operation, from nothing but what is written. It
// raises the epoch under the lock: after that no earlier call can land. trace says what
// of ours is there although nothing is written, "" for nothing: then nobody knows.
func (j *Journal[G]) Recover(ctx context.Context, r sdk.RecoverRequest, trace func() string) (sdk.Recovery, error) {
	if _, err := j.Read(); err != nil {
		return sdk.Recovery{Status: sdk.RecoverUnknown, Message: err.Error()}, nil //nolint:nilerr // it is the answer
	}
	var known *Operation[G]
	lost := ""
	err := j.change(ctx, func(record *Record[G]) (err error) {
		if record.Format == 0 {
			if lost = trace(); lost != "" {
				return errLost
			}
		}
		known, err = record.admit(r.Operation)
		return err
	})
	switch {
	case errors.Is(err, errLost):
		return sdk.Recovery{Status: sdk.RecoverUnknown, Message: lost}, nil
	case err != nil:
		return sdk.Recovery{}, Answer("recover", err)
	case known == nil:
		return sdk.Recovery{Status: sdk.RecoverNotStarted}, nil
	case known.Outcome != nil:
		return sdk.Recovery{Status: sdk.RecoverFinished, Handle: HandleOf(known.ID), Outcome: j.outcomeOf(known)}, nil
	default:
		j.drive(known)
		return sdk.Recovery{Status: sdk.RecoverRunning, Handle: HandleOf(known.ID)}, nil
	}
}

// errLost keeps a record that is gone from being written anew, empty.
var errLost = errors.New("what was written down is gone")

func unknown(id string) *sdk.Error {
	return sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "operation %q was never accepted here, or is forgotten", id)
}

// handleVersion is the encoding of handles: the operation's id, since all else is
// written down.
const handleVersion = 1

// HandleOf is the handle of an operation.
func HandleOf(operation string) sdk.Handle {
	return sdk.Handle{Version: handleVersion, State: []byte(operation)}
}

// OperationOf reads a handle; an absent one is of no operation.
func OperationOf(h sdk.Handle) (string, error) {
	if h.Version > handleVersion {
		return "", sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict, "the handle has version %d, from a newer plugin: use that one", h.Version)
	}
	return string(h.State), nil
}
