package record

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// Entry is what an operation is to bring about.
type Entry struct {
	Goal     []byte // at most sdk.MaxSnapshot; nil: remove
	Version  string // of the application
	Revision string // of the goal, for people
	Subject  string // the resource that lines and failures without one are of
	Retain   []string
	Notes    json.RawMessage
}

// Accept writes an operation down, which goes on from then on, whatever happens to the
// process, and returns its handle. The same operation again gives the same handle, and
// has no second effect. check is called for an operation that is new, with what is
// written: it returns the digest that is observed now, or why the operation cannot begin.
// It is called again when somebody else wrote meanwhile. One that is under way gives way
// to a rollback and to a later owner of the component.
func (j *Journal) Accept(
	ctx context.Context, operation sdk.Operation, entry Entry, check func(ctx context.Context, r *Record) (observed string, err error),
) (sdk.Handle, error) {
	if operation.ID == "" {
		return sdk.Handle{}, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "the operation has no id")
	}
	goal, err := j.keep(ctx, operation, entry.Goal)
	if err != nil {
		return sdk.Handle{}, err
	}
	var accepted *Operation
	err = j.change(ctx, fresh, goal, func(r *Record) (err error) {
		known, err := r.admit(operation)
		switch {
		case err != nil:
			return err
		case known == nil:
			accepted, err = j.enter(ctx, r, operation, entry, goal, check)
		default:
			accepted = known
			if known.Outcome == nil && known.Epoch < operation.Epoch { // the next owner
				known.Epoch, known.Driver = operation.Epoch, j.book.id
			}
		}
		r.Retain = entry.Retain
		return err
	})
	if err != nil {
		return sdk.Handle{}, err
	}
	j.drive(accepted)
	j.sweep()
	return HandleOf(operation.ID), nil
}

// enter adds an operation that is new.
func (j *Journal) enter(
	ctx context.Context, r *Record, o sdk.Operation, entry Entry, goal *packed, check func(context.Context, *Record) (string, error),
) (*Operation, error) {
	before, err := check(ctx, r)
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
		active.End(sdk.Outcome{Result: sdk.ResultCancelled, Message: fmt.Sprintf("operation %q took its place", o.ID)})
	}
	added := &Operation{
		ID: o.ID, Deployment: o.DeploymentID, Rollback: rollback, Digest: o.RequestDigest, Epoch: o.Epoch, Driver: j.book.id,
		Staged: o.Staged && !rollback, Version: entry.Version, Revision: entry.Revision, Subject: entry.Subject, Notes: entry.Notes,
		Before: before, Started: time.Now().UTC(), Steps: []Step{},
	}
	if goal != nil {
		added.Goal = &goal.Goal
	}
	r.add(added)
	return added, nil
}

// Promote lets a candidate go on.
func (j *Journal) Promote(ctx context.Context, r sdk.PromoteRequest) (sdk.Handle, error) {
	err := j.amend(ctx, r.Operation, func(_ *Record, o *Operation) error {
		if !o.Reached(Candidate) {
			return sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict, "operation %q has no candidate yet: wait for it on Watch", o.ID)
		}
		o.Promoted = true
		return nil
	})
	return HandleOf(r.Operation.ID), err
}

// Cancel ends an operation that is under way. decide, which may be nil, is called with
// what is written and must change nothing but that: it may refuse, it may end the
// operation itself, or it may let it be: then the driver, which finds Cancelling set,
// undoes what it must and ends it. Without decide the operation is ended as it stands.
func (j *Journal) Cancel(ctx context.Context, r sdk.CancelRequest, decide func(o *Operation) error) error {
	return j.amend(ctx, r.Operation, func(_ *Record, o *Operation) error {
		o.Cancelling = true
		if decide != nil {
			return decide(o)
		}
		o.End(sdk.Outcome{Result: sdk.ResultCancelled, Message: "cancelled: what was changed stays as it is"})
		return nil
	})
}

// amend changes an operation under way and drives it on. One that has ended stays as
// it is, and Watch tells how it ended.
func (j *Journal) amend(ctx context.Context, operation sdk.Operation, apply func(*Record, *Operation) error) error {
	var known *Operation
	err := j.change(ctx, fresh, nil, func(r *Record) (err error) {
		known, err = r.admit(operation)
		switch {
		case err != nil:
			return err
		case known == nil:
			return unknown(operation.ID)
		case known.Outcome == nil:
			known.Epoch, known.Driver = operation.Epoch, j.book.id
			return apply(r, known)
		default:
			return nil
		}
	})
	if err != nil {
		return err
	}
	j.drive(known)
	return nil
}

// Recover says what became of an operation, from nothing but what is written. It
// raises the epoch and takes over the driving: after that no earlier call can land, nor
// a step of whoever drove it. trace says what of ours is there although nothing is
// written, "" for nothing: then nobody knows.
func (j *Journal) Recover(
	ctx context.Context, r sdk.RecoverRequest, trace func(ctx context.Context) (string, error),
) (sdk.Recovery, error) {
	var known *Operation
	lost := ""
	err := j.change(ctx, fresh, nil, func(record *Record) (err error) {
		if record.Format == 0 {
			if lost, err = trace(ctx); err != nil {
				return err
			}
			if lost != "" {
				return errLost
			}
		}
		known, err = record.admit(r.Operation)
		if known != nil && known.Outcome == nil {
			known.Epoch, known.Driver = r.Operation.Epoch, j.book.id
		}
		return err
	})
	switch {
	case lost != "":
		return sdk.Recovery{Status: sdk.RecoverUnknown, Message: lost}, nil
	case errors.Is(err, errUnreadable):
		return sdk.Recovery{Status: sdk.RecoverUnknown, Message: err.Error()}, nil
	case err != nil:
		return sdk.Recovery{}, err
	case known == nil:
		return sdk.Recovery{Status: sdk.RecoverNotStarted}, nil
	case known.Outcome != nil:
		return sdk.Recovery{Status: sdk.RecoverFinished, Handle: HandleOf(known.ID), Outcome: known.outcome()}, nil
	default:
		j.drive(known)
		return sdk.Recovery{Status: sdk.RecoverRunning, Handle: HandleOf(known.ID)}, nil
	}
}

var (
	// errLost keeps a record that is gone from being written anew, empty.
	errLost = errors.New("what was written down is gone")
	// errUnreadable is matched by errors of a record that is there and cannot be read.
	errUnreadable = errors.New("cannot be read")
	// ErrNewer is matched where the record was written by a newer plugin.
	ErrNewer = errors.New("written by a newer plugin: use that one")
)

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
