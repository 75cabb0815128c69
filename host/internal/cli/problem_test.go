package cli_test

import (
	"bytes"
	"errors"
	"testing"
	"unicode"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

func TestErrorsShowPlaceAndRemedy(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"error_plain": errors.New("read the plan: open plan.json: no such file or directory"),
		"error_file": &deployment.Error{
			Code: deployment.Invalid, Message: "config.hcl is not valid",
			Problems: []deployment.Problem{
				{Field: "server.listen", Message: "the port is missing", Remedy: `write "localhost:8080"`, File: "config.hcl", Line: 12, Column: 14, Snippet: "\tlisten = \t\"localhost\""},
				{Message: "unknown block \"servr\"", Remedy: `did you mean "server"?`, File: "config.hcl", Line: 3, Column: 1, Snippet: "servr {"},
			},
		},
		"error_answer": &client.Problem{Problem: apiv1.Problem{
			Title: "Unprocessable Entity", Status: 422, Code: "invalid", Detail: "the request is not valid", Remedy: "apm plugin inspect process lists the keys",
			Errors: []apiv1.ProblemItem{{Location: "body.configuration.command", Message: "is missing", Remedy: `write ["./server"]`}},
		}},
		"error_holder": &client.Problem{Problem: apiv1.Problem{
			Title: "Conflict", Status: 409, Code: "conflict", Detail: "the target is busy", Holder: "550e8400-e29b-41d4-a716-446655440000", Remedy: "wait for it",
		}},
		"error_controls": &client.Problem{Problem: apiv1.Problem{Title: "Bad", Detail: "name \x1b[31mred\x1b[0m\r\nsecond\x07line", Code: "invalid"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			cli.RenderError(&out, err)
			for _, r := range out.String() {
				if unicode.IsControl(r) && r != '\n' {
					t.Errorf("control character %q in %q", r, out.String())
				}
			}
			golden(t, name, out.String())
		})
	}
}
