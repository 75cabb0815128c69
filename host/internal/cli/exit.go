package cli

import (
	"errors"
	"net/http"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// ExitCode is what a script learns from a command.
type ExitCode int

// The exit codes. They are a promise: a script may rely on each of them.
const (
	ExitDone           ExitCode = 0   // done
	ExitError          ExitCode = 1   // an error that has no code of its own
	ExitUsage          ExitCode = 2   // the command line is wrong
	ExitFailed         ExitCode = 3   // the deployment failed or was cancelled
	ExitNotAllowed     ExitCode = 4   // no token, or one without the right
	ExitRolledBack     ExitCode = 5   // the deployment failed and was rolled back
	ExitRollbackFailed ExitCode = 6   // the way back failed too
	ExitNotFound       ExitCode = 7   // there is no such thing
	ExitTimeout        ExitCode = 8   // the watch timed out; the deployment goes on
	ExitPlanOutOfDate  ExitCode = 9   // --plan no longer holds
	ExitDetached       ExitCode = 130 // Ctrl-C; the deployment goes on
)

// problemExit is the exit code of each problem of the API. All others are
// ExitError.
var problemExit = map[deployment.ErrorCode]ExitCode{
	deployment.NotFound:     ExitNotFound,
	deployment.Forbidden:    ExitNotAllowed,
	deployment.Unauthorized: ExitNotAllowed,
	deployment.OutOfDate:    ExitPlanOutOfDate,
}

// statusExit is the exit code where a problem has no code, by HTTP status.
var statusExit = map[int]ExitCode{
	http.StatusUnauthorized: ExitNotAllowed,
	http.StatusForbidden:    ExitNotAllowed,
	http.StatusNotFound:     ExitNotFound,
}

// runExit is the exit code of a watch by the status that the run ended with:
// of a run that was to bring a version up, and of one that was to go back.
var runExit = map[deployment.Status]struct{ forward, back ExitCode }{
	deployment.Completed:      {ExitDone, ExitError}, // the rollback was refused
	deployment.Failed:         {ExitFailed, ExitFailed},
	deployment.Cancelled:      {ExitFailed, ExitDone},
	deployment.RolledBack:     {ExitRolledBack, ExitDone},
	deployment.RollbackFailed: {ExitRollbackFailed, ExitRollbackFailed},
}

// exitError carries an exit code through cobra to Run. Its error is shown
// unless it is nil: then everything has been said.
type exitError struct {
	code ExitCode
	err  error
}

// Error returns what is shown.
func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// Unwrap returns what is shown.
func (e *exitError) Unwrap() error { return e.err }

// exitWith ends the command with a code and says nothing more.
func exitWith(code ExitCode) error {
	if code == ExitDone {
		return nil
	}
	return &exitError{code: code}
}

// usage is an error of the command line.
func usage(err error) error { return &exitError{code: ExitUsage, err: err} }

// exitCode returns the code that err ends the process with.
func exitCode(err error) ExitCode {
	if err == nil {
		return ExitDone
	}
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	if problem := problemOf(err); problem != nil {
		return problemCode(*problem)
	}
	return ExitError
}

func problemCode(p apiv1.Problem) ExitCode {
	if code, ok := problemExit[deployment.ErrorCode(p.Code)]; ok {
		return code
	}
	if code, ok := statusExit[p.Status]; ok && p.Code == "" {
		return code
	}
	return ExitError
}
