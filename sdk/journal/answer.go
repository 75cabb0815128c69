package journal

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/apm-deploy/apm/sdk"
)

// Answer makes an error of the contract of one of the file system: what was tried goes
// before it. One that is of the contract stays as it is, and so does the end of the
// caller's context.
func Answer(what string, err error) error {
	var already *sdk.Error
	if err == nil || errors.As(err, &already) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	code, reason := sdk.Unavailable, sdk.ReasonPlatformUnavailable
	switch {
	case errors.Is(err, ErrNewer):
		code, reason = sdk.FailedPrecondition, sdk.ReasonConflict
	case errors.Is(err, fs.ErrPermission):
		code, reason = sdk.PermissionDenied, sdk.ReasonAuth
	case full(err):
		code, reason = sdk.FailedPrecondition, sdk.ReasonQuota
	}
	return sdk.Errorf(code, reason, "%s: %w", what, err)
}

// FileFailure says what an error of the file system means for an operation.
func FileFailure(err error) sdk.Failure {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return sdk.Failure{Code: sdk.CodePermissionDenied, Suggestion: "let the host's user write there, then deploy again"}
	case full(err):
		return sdk.Failure{Code: sdk.CodeQuotaExceeded, Environment: true, Suggestion: "make room on the disk"}
	default:
		return sdk.Failure{Code: sdk.CodeOther}
	}
}

func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
