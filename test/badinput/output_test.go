package badinput_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// noise is what an application may write, to the end that whoever looks at it
// sees something else: an escape sequence, the title of the window, a carriage
// return, a backspace, half a character, a NUL, a C1 control, a bidirectional
// override, and a line that does not end.
const noise = `printf '\033[2J\033]0;owned\007fine\rbad\b\b\b\303 \000\302\233 \342\200\256gpj.exe\n%s' "$(head -c 20000 /dev/zero | tr '\0' x)"`

// outputs lets an application speak, well and failing: no command lets its
// words drive the terminal, nor does an answer of the host lose any of them.
func outputs(t *testing.T, w *world) {
	w.Define(harness.Application{Name: "loud", Bake: "50ms", Components: []harness.Component{
		{Name: "web", Command: []string{"/bin/sh", "-c", noise + "; [ $APM_VERSION = v1 ] || exit 3; exec sleep 600"}, Checks: "none"},
	}})
	good := w.Deployed("loud", "v1").ID
	followed := w.CLI("deploy", "start", "--name", "loud", "--version", "v2", "--reason", "line one\nline \x1b[2Jtwo", "--watch")
	if followed.Code != 5 {
		t.Errorf("a deployment whose instances end: %s", followed)
	}
	list, err := w.Client.List(t.Context(), client.ListOptions{Application: "loud"})
	if err != nil || len(list.Deployments) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	bad := list.Deployments[0].ID
	printable(t, followed.Stdout+followed.Stderr)
	for _, arguments := range [][]string{
		{"deploy", "logs", good},
		{"deploy", "logs", bad, "--previous"},
		{"deploy", "explain", bad},
		{"deploy", "status", bad},
		{"deploy", "status", bad, "-o", "wide"},
		{"deploy", "history", bad},
		{"deploy", "list", "-o", "wide"},
		{"deploy", "watch", bad},
		{"audit", "-o", "wide"},
		{"deploy", "explain", bad, "-o", "json"},
		{"deploy", "explain", bad, "-o", "yaml"},
		{"deploy", "logs", good, "-o", "jsonl"},
	} {
		r := w.CLI(arguments...)
		if r.Stdout == "" {
			t.Errorf("nothing is shown: %s", r)
		}
		printable(t, r.Stdout+r.Stderr)
	}
	shown := w.Must(0, "deploy", "logs", good).Stdout
	if !strings.Contains(shown, "fine") {
		t.Errorf("the words themselves are not shown: %q", shown)
	}
	var lines apiv1.LogList
	w.REST(http.MethodGet, "/api/v1/deployments/"+good+"/logs", "").Decode(w.Host, &lines)
	if len(lines.Lines) == 0 || !strings.Contains(lines.Lines[0].Line, "fine") {
		t.Errorf("lines %+v", lines.Lines)
	}
	w.Must(0, "deploy", "remove", "loud", "--yes", "--watch")
}
