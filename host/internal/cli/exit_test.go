package cli_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

func answered(status int, code string) error {
	return fmt.Errorf("ask: %w", &client.Problem{Problem: apiv1.Problem{Status: status, Code: code, Title: "no"}})
}

func TestExitCodeOfErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want cli.ExitCode
	}{
		"none":                  {nil, 0},
		"any":                   {errors.New("broken"), 1},
		"usage":                 {cli.Usage(errors.New("unknown flag")), 2},
		"invalid":               {answered(422, "invalid"), 1},
		"conflict":              {answered(409, "conflict"), 1},
		"unavailable":           {answered(503, "unavailable"), 1},
		"internal":              {answered(500, "internal"), 1},
		"no token":              {answered(401, "unauthorized"), 4},
		"no right":              {answered(403, "forbidden"), 4},
		"forbidden by a proxy":  {answered(403, ""), 4},
		"not found":             {answered(404, "not_found"), 7},
		"plan out of date":      {answered(409, "plan_out_of_date"), 9},
		"local not found":       {&deployment.Error{Code: deployment.NotFound}, 7},
		"local token forbidden": {&deployment.Error{Code: deployment.Forbidden}, 4},
		"local invalid":         {&deployment.Error{Code: deployment.Invalid}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := cli.CodeOf(test.err); got != test.want {
				t.Errorf("exit code %d, want %d", got, test.want)
			}
		})
	}
}

func TestExitCodeOfRuns(t *testing.T) {
	t.Parallel()
	// Of a run that was to bring a version up, and of one that was to go back.
	want := map[string][2]cli.ExitCode{
		"completed":       {0, 1},
		"failed":          {3, 3},
		"cancelled":       {3, 0},
		"rolled_back":     {5, 0},
		"rollback_failed": {6, 6},
	}
	if diff := cmp.Diff(want, cli.RunExits()); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
	for _, status := range deployment.Statuses() {
		if _, known := want[string(status)]; known != status.Terminal() {
			t.Errorf("status %s has a code: %v, is terminal: %v", status, known, status.Terminal())
		}
	}
}
