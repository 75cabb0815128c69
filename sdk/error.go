package sdk

import (
	"errors"
	"fmt"
	"time"
)

// ErrPluginGone is matched by errors of calls that the plugin did not answer:
// its process ended, hangs, or cannot be reached. What the call did is unknown.
var ErrPluginGone = errors.New("plugin gone")

// Code is the class of an error; it decides what the host does. The names are
// those of gRPC.
type Code string

// The codes of the contract.
const (
	InvalidArgument    Code = "INVALID_ARGUMENT"
	Unauthenticated    Code = "UNAUTHENTICATED"
	PermissionDenied   Code = "PERMISSION_DENIED"
	NotFound           Code = "NOT_FOUND"
	AlreadyExists      Code = "ALREADY_EXISTS"
	FailedPrecondition Code = "FAILED_PRECONDITION"
	Aborted            Code = "ABORTED"
	ResourceExhausted  Code = "RESOURCE_EXHAUSTED"
	Unavailable        Code = "UNAVAILABLE"
	OutOfRange         Code = "OUT_OF_RANGE"
	DeadlineExceeded   Code = "DEADLINE_EXCEEDED"
	Unimplemented      Code = "UNIMPLEMENTED"
	Internal           Code = "INTERNAL"
	Unknown            Code = "UNKNOWN"
)

// Reason says which rule of the contract an error is about.
type Reason string

// The reasons of the contract.
const (
	ReasonUnspecified         Reason = ""
	ReasonInvalidSpec         Reason = "INVALID_SPEC"
	ReasonAuth                Reason = "AUTH"
	ReasonQuota               Reason = "QUOTA"
	ReasonRateLimited         Reason = "RATE_LIMITED"
	ReasonPlatformUnavailable Reason = "PLATFORM_UNAVAILABLE"
	ReasonConflict            Reason = "CONFLICT"
	ReasonNotFound            Reason = "NOT_FOUND"
	ReasonOperationMismatch   Reason = "OPERATION_MISMATCH"
	ReasonStaleEpoch          Reason = "STALE_EPOCH"
	ReasonStateChanged        Reason = "STATE_CHANGED"
	ReasonSnapshotStale       Reason = "SNAPSHOT_STALE"
	ReasonResumeExpired       Reason = "RESUME_EXPIRED"
	ReasonNotConfigured       Reason = "NOT_CONFIGURED"
	ReasonPluginBug           Reason = "PLUGIN_BUG"
)

// Error is what a plugin answers when it cannot do what it was asked. It
// crosses the wire whole, except for Err, which stays in the plugin's log.
type Error struct {
	Code       Code
	Reason     Reason
	Message    string // what was wrong and what to do
	Retryable  bool
	RetryAfter time.Duration
	Resource   string            // what it is about, as the platform names it
	By         string            // who did what this refuses to go on from: a user, a tool, an operation
	Metadata   map[string]string // request id, HTTP status, ...; never secrets
	Err        error
}

// Error returns the message, and the cause behind it if the message does not
// tell it already.
func (e *Error) Error() string {
	if _, known := e.Err.(told); known || e.Err == nil { //nolint:errorlint // about this error, not its chain
		return e.Message
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// told is a cause whose text is in the message.
type told struct{ error }

// Unwrap returns the cause.
func (t told) Unwrap() error { return t.error }

// Errorf returns an Error with a formatted message. What %w stands for is its
// cause, whose text is part of the message: errors.Is and errors.As find it within
// the plugin. An error that is Unavailable or ResourceExhausted may be retried.
func Errorf(code Code, reason Reason, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	e := &Error{Code: code, Reason: reason, Message: err.Error(), Retryable: code == Unavailable || code == ResourceExhausted}
	_, several := err.(interface{ Unwrap() []error })
	if several || errors.Unwrap(err) != nil {
		e.Err = told{err}
	}
	return e
}

// CodeOf returns the code of the first Error in err's chain, or Unknown; of nil
// it is "".
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Unknown
}

// ReasonOf returns the reason of the first Error in err's chain.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ReasonUnspecified
}
