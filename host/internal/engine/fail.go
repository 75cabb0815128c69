package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

var (
	// errCancelled ends a course because a person said so.
	errCancelled = errors.New("cancelled")
	// errSibling ends a component's course because another component failed.
	errSibling = errors.New("another component failed")
)

// deadlineError ends a course because its time is up.
type deadlineError struct {
	what string // "deploying", "operation of component web"
	long string
}

// Error says which time is up.
func (e *deadlineError) Error() string { return e.what + " took longer than " + e.long }

// failure is an error that ends the good course of a run.
type failure struct {
	deployment.Failure
	evidence *deployment.Evidence // nil until collected
	cause    error                // what the plugin answered, if anything
}

// Error returns the reason line.
func (f *failure) Error() string {
	if f.Component == "" || strings.HasPrefix(f.Message, "component ") || strings.Contains(f.Message, "component "+f.Component+" ") {
		return f.Message
	}
	return fmt.Sprintf("component %s: %s", f.Component, f.Message)
}

// Unwrap returns what the plugin answered.
func (f *failure) Unwrap() error { return f.cause }

// isFailure says whether err is a failure, which knows its reason.
func isFailure(err error) bool {
	var f *failure
	return errors.As(err, &f)
}

// asFailure makes a failure of whatever ended a course.
func asFailure(err error, component string) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	var late *deadlineError
	if errors.As(err, &late) {
		return &failure{Failure: deployment.Failure{
			Code: deployment.CodeDeadline, Component: component, Message: late.Error(),
			Suggestion: "see what it waited for: apm deploy explain; the times are policy.timeouts and monitor.timeout",
		}}
	}
	return &failure{Failure: deployment.Failure{
		Code: deployment.CodePluginError, Component: component, Message: err.Error(),
	}}
}

// pluginBug is what to do about a plugin that broke down or breaks the contract.
const pluginBug = "a mistake of the plugin, not of the deployment: report it to its author, with the plugin's lines in the host's log"

// isBug says whether a plugin answered that it broke down.
func isBug(err error) bool {
	var answered *sdk.Error
	return errors.As(err, &answered) &&
		(answered.Reason == sdk.ReasonPluginBug || answered.Code == sdk.Internal || answered.Code == sdk.Unknown)
}

// fromPlatform makes a failure of an error that a plugin answered.
func fromPlatform(err error, component, doing string) *failure {
	f := &failure{cause: err, Failure: deployment.Failure{
		Code: deployment.CodePluginError, Component: component,
		Message: clip(fmt.Sprintf("%s: %v", doing, err)),
	}}
	var answered *sdk.Error
	if !errors.As(err, &answered) {
		return f
	}
	f.Resource = answered.Resource
	f.Message = clip(fmt.Sprintf("%s: %s", doing, answered.Message))
	switch {
	case isBug(err):
		f.Code = deployment.CodePluginBug
		f.Suggestion = pluginBug
	case answered.Reason == sdk.ReasonSnapshotStale:
		f.Suggestion = "what the snapshot needs is gone; deploy the wanted version anew"
	case answered.Code == sdk.PermissionDenied:
		f.Code = sdk.CodePermissionDenied
	case answered.Code == sdk.Unauthenticated:
		f.Code = sdk.CodePermissionDenied
		f.Suggestion = "check the credentials of the platform"
	case answered.Reason == sdk.ReasonQuota:
		f.Code = sdk.CodeQuotaExceeded
	case answered.Code == sdk.Unavailable, answered.Code == sdk.ResourceExhausted:
		f.Code, f.Environment = sdk.CodePlatformDown, true
	}
	return f
}

// uncertain says whether a call that changes the platform may have happened
// although it has no answer.
func uncertain(err error) bool {
	return errors.Is(err, sdk.ErrPluginGone) || errors.Is(err, context.DeadlineExceeded) ||
		sdk.CodeOf(err) == sdk.DeadlineExceeded
}

// refusal says whether the answer to a call that changes the platform promises
// that nothing was changed. A plugin that broke down half way promises nothing.
func refusal(err error) bool {
	switch sdk.CodeOf(err) {
	case sdk.InvalidArgument, sdk.Unauthenticated, sdk.PermissionDenied, sdk.NotFound,
		sdk.FailedPrecondition, sdk.Aborted, sdk.Unimplemented:
		return true
	default:
		return false
	}
}

// throttled says whether the platform asks to come back later.
func throttled(err error) bool {
	code := sdk.CodeOf(err)
	return code == sdk.Unavailable || code == sdk.ResourceExhausted
}
