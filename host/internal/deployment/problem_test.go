package deployment_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

func TestProblemString(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		problem deployment.Problem
		want    string
	}{
		"of a field": {
			deployment.Problem{Field: "configuration.command", Message: "is missing", Remedy: "say what to run"},
			"configuration.command: is missing; say what to run",
		},
		"of a line": {
			deployment.Problem{File: "config.hcl", Line: 3, Column: 7, Message: "unknown block"},
			"config.hcl:3:7: unknown block",
		},
		"of a field in a line": {
			deployment.Problem{File: "a.hcl", Line: 3, Column: 7, Field: "spec.port", Message: "is no number", Remedy: "write 8080"},
			"a.hcl:3:7: spec.port: is no number; write 8080",
		},
		"of a file that cannot be read": {
			deployment.Problem{File: "a.hcl", Message: "permission denied"},
			"a.hcl: permission denied",
		},
		"of nothing in particular": {deployment.Problem{Message: "is wrong"}, "is wrong"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.problem.String(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk full")
	err := &deployment.Error{
		Code: deployment.Invalid, Message: "the deployment cannot be accepted", Remedy: "mend both",
		Problems: []deployment.Problem{
			{Field: "name", Message: "is empty"},
			{Field: "version", Message: "is empty", Remedy: "give one"},
		},
		Err: cause,
	}
	want := "the deployment cannot be accepted; name: is empty; version: is empty; give one; mend both"
	if err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is not to be found")
	}
	if got := (&deployment.Error{Message: "no"}).Error(); got != "no" {
		t.Errorf("got %q", got)
	}
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	conflict := &deployment.Error{Code: deployment.Conflict, Message: "busy"}
	tests := map[string]struct {
		err  error
		want deployment.ErrorCode
	}{
		"none":             {nil, ""},
		"one of ours":      {conflict, deployment.Conflict},
		"wrapped":          {fmt.Errorf("start: %w", conflict), deployment.Conflict},
		"the first counts": {&deployment.Error{Code: deployment.Unavailable, Err: conflict}, deployment.Unavailable},
		"joined":           {errors.Join(errors.New("x"), conflict), deployment.Conflict},
		"somebody else's":  {errors.New("x"), deployment.Internal},
		"one of the store": {deployment.ErrNotFound, deployment.Internal},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := deployment.CodeOf(test.err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestErrorsOfTheStoreNameTheDeployment(t *testing.T) {
	t.Parallel()
	if got, want := (&deployment.BusyError{Holder: "d1"}).Error(), "target busy: deployment d1 runs"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (&deployment.RepeatedError{DeploymentID: "d1"}).Error(), "repeated request of deployment d1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
