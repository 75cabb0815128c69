package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
)

// restarted is when a plugin that has just ended may be back.
const restarted = time.Second

// platformError is the error of a call that was made for a person who waits.
func platformError(err error, platform, doing string) error {
	out := &deployment.Error{Code: deployment.Internal, Message: fmt.Sprintf("%s: %v", doing, err), Err: err}
	switch {
	case errors.Is(err, sdk.ErrPluginGone), errors.Is(err, context.DeadlineExceeded):
		out.Code, out.Message = deployment.Unavailable, doing+": platform "+platform+" did not answer"
		out.Remedy, out.RetryAfter = "apm plugin inspect "+platform, restarted
	case sdk.CodeOf(err) == sdk.Unavailable, sdk.CodeOf(err) == sdk.ResourceExhausted, sdk.CodeOf(err) == sdk.DeadlineExceeded:
		out.Code = deployment.Unavailable
	case sdk.CodeOf(err) == sdk.InvalidArgument, sdk.CodeOf(err) == sdk.NotFound:
		out.Code = deployment.Invalid
	case sdk.CodeOf(err) == sdk.FailedPrecondition, sdk.CodeOf(err) == sdk.Aborted:
		out.Code = deployment.Conflict
	case sdk.CodeOf(err) == sdk.PermissionDenied, sdk.CodeOf(err) == sdk.Unauthenticated:
		out.Code = deployment.Unavailable
		out.Remedy = "check the credentials of platform " + platform
	case isBug(err):
		out.Remedy = pluginBug
	}
	return out
}

// storeError is the error of a store for a person who waits.
func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, deployment.ErrNotFound):
		return &deployment.Error{Code: deployment.NotFound, Message: "no such deployment", Remedy: "apm deploy list", Err: err}
	case errors.Is(err, deployment.ErrUnavailable):
		return &deployment.Error{Code: deployment.Unavailable, Message: "the history cannot be read or written now", Remedy: "what runs goes on; try again", Err: err}
	default:
		return err
	}
}

// keyReused is the error of a key that stands for another request.
func keyReused() error {
	return &deployment.Error{
		Code: deployment.Invalid, Message: "Idempotency-Key was used for another request",
		Problems: []deployment.Problem{{Field: "Idempotency-Key", Message: "was used for another request", Remedy: "use a new key for a new request"}},
	}
}

// problemsOf names the place of each diagnostic.
func problemsOf(diagnostics diag.Diagnostics, component string) []deployment.Problem {
	problems := make([]deployment.Problem, 0, len(diagnostics))
	for _, d := range diagnostics {
		problems = append(problems, deployment.Problem{
			Field:   strings.Join(append([]string{"component", component, "spec"}, d.Path...), "."),
			Message: d.Summary, Remedy: d.Detail, Warning: d.Severity == diag.Warning,
		})
	}
	return problems
}

func hasErrors(problems []deployment.Problem) bool {
	for _, p := range problems {
		if !p.Warning {
			return true
		}
	}
	return false
}
