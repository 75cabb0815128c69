package badinput_test

import (
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

// prompts runs what asks before it acts, where nobody can answer.
func prompts(t *testing.T, w *world) {
	// Rolling back the only deployment of an application is rolling back to nothing.
	w.Define(harness.Application{Name: "first", Bake: "50ms", Components: []harness.Component{
		{Name: "first", Command: []string{"/bin/sleep", "600"}, Checks: "none"},
	}})
	first := w.Deployed("first", "v1").ID
	made := strings.TrimSpace(w.Must(0, "token", "create", "spare", "-o", "json", "--jq", ".id").Stdout)
	asks := told{"--yes", "this asks before it acts, and there is no terminal to ask on", "add --yes"}
	for name, arguments := range map[string][]string{
		"remove":              {"deploy", "remove", "shop", "--environment", "test"},
		"rollback to nothing": {"deploy", "rollback", first, "--reason", "test"},
		"revoke":              {"token", "revoke", made},
	} {
		t.Run(name, func(t *testing.T) {
			for stdin, text := range map[string]string{"nothing": "", "yes": "y\n", "noise": "\x1b[2J\x00\xff\n"} {
				changed := w.nothing(t)
				r := w.Run(harness.Command{Arguments: arguments, Stdin: text})
				if refused(t, r, 2, asks); t.Failed() {
					t.Fatalf("with %s on stdin", stdin)
				}
				changed()
			}
		})
	}
	w.Must(0, "deploy", "remove", "first", "--environment", "test", "--yes", "--watch")
}
