package sdk

import "cmp"

// Stamp is what a platform has written on it of a component, as far as one
// operation is concerned.
type Stamp struct {
	// Epoch is the highest that is stamped on the component, 0 for none.
	Epoch uint64
	// ID and RequestDigest are those of the operation that is asked about, if the
	// platform has it, else of any other, or empty.
	ID            string
	RequestDigest string
}

// Admit says what a call about an operation may do, given what is stamped:
//
//   - known is false: the operation is new here. Deploy and Rollback begin it; to
//     Recover that is [RecoverNotStarted] if the stamps are whole; Promote and
//     Cancel answer [NotFound].
//   - known is true: it was accepted before. Deploy and Rollback answer with the
//     handle of then and have no second effect.
//   - the error is [ReasonStaleEpoch]: another host owns the component by now.
//   - the error is [ReasonOperationMismatch]: the id was used for something else.
//
// It looks at nothing but its arguments. Whoever goes on must read the stamps and
// write the operation's epoch in one step that no other call comes between: under a
// lock, or by the platform's own compare and set.
func Admit(stamped Stamp, operation Operation) (known bool, err error) {
	switch {
	case operation.Epoch < stamped.Epoch:
		return false, StaleEpoch(operation, stamped.Epoch)
	case stamped.ID == "" || operation.ID != stamped.ID:
		return false, nil
	case operation.RequestDigest != stamped.RequestDigest:
		return true, OperationMismatch(operation)
	default:
		return true, nil
	}
}

// StaleEpoch refuses an operation of a host that lost the component to another,
// whose epoch was seen or is stamped.
func StaleEpoch(operation Operation, seen uint64) *Error {
	return Errorf(Aborted, ReasonStaleEpoch,
		"operation %q has epoch %d, but epoch %d was here already: another host owns the component", operation.ID, operation.Epoch, seen)
}

// OperationMismatch refuses an operation whose id was used for something else.
func OperationMismatch(operation Operation) *Error {
	return Errorf(AlreadyExists, ReasonOperationMismatch,
		"operation %q was accepted with other content: a new change needs a new id", operation.ID)
}

// StateChanged refuses an operation whose ExpectedDigest does not hold: object, as
// the platform names it, was changed, and by whom; "" is unknown. The message says what
// is there instead.
func StateChanged(object, by, format string, args ...any) *Error {
	e := Errorf(Aborted, ReasonStateChanged, format, args...)
	e.Resource, e.By = object, cmp.Or(by, "unknown")
	return e
}

// SnapshotStale refuses to go back to a snapshot of which something is gone, before
// anything was changed. The message says what, and what to do instead.
func SnapshotStale(format string, args ...any) *Error {
	return Errorf(FailedPrecondition, ReasonSnapshotStale, format, args...)
}
