package platform

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
)

// answer makes an error of the contract of one of the file system. One that is of
// the contract stays as it is, and so does the end of the caller's context.
func answer(what string, err error) error {
	var already *sdk.Error
	if err == nil || errors.As(err, &already) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := &sdk.Error{Code: sdk.Unavailable, Reason: sdk.ReasonPlatformUnavailable, Message: what + ": " + err.Error(), Retryable: true}
	switch {
	case errors.Is(err, component.ErrGone):
		e.Code, e.Reason, e.Retryable = sdk.FailedPrecondition, sdk.ReasonSnapshotStale, false
	case errors.Is(err, component.ErrNoLink), errors.Is(err, component.ErrNewer):
		e.Code, e.Reason, e.Retryable = sdk.FailedPrecondition, sdk.ReasonConflict, false
	case errors.Is(err, fs.ErrPermission):
		e.Code, e.Reason, e.Retryable = sdk.PermissionDenied, sdk.ReasonAuth, false
	case full(err):
		e.Code, e.Reason, e.Retryable = sdk.FailedPrecondition, sdk.ReasonQuota, false
	}
	return e
}

func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// failure is the outcome of an operation that could not do its work.
func failure(err error) component.Outcome {
	o := component.Outcome{Result: component.Failed, Message: err.Error(), Code: sdk.CodeOther}
	switch {
	case errors.Is(err, component.ErrGone):
		o.Code = sdk.CodeConfigMissing
	case errors.Is(err, fs.ErrPermission):
		o.Code = sdk.CodePermissionDenied
	case full(err):
		o.Code, o.Environment = sdk.CodeQuotaExceeded, true
	}
	return o
}
