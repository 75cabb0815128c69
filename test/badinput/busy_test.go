package badinput_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// requests are right by themselves, and come at the wrong time: a deployment of
// the target runs.
func requests(t *testing.T, w *world) {
	w.Define(harness.Application{Name: "busy", Bake: "50ms", Concurrent: "refuse", Components: []harness.Component{
		{Name: "web", Listen: w.Address(), Checks: "none"},
	}})
	w.Artifact("v0")
	w.Deployed("busy", "v0")
	never := `[{"type":"http","name":"never","url":"` + w.URL() + `/nothing-here","interval":"100ms"}]`
	holder := w.DeployRequest(apiv1.StartRequest{Name: "busy", Version: "v1", HealthChecks: json.RawMessage(never)}).ID
	w.Await(holder, 0, func(e apiv1.Event) bool { return e.Type == "check.status" && harness.Field(e, "name") == "never" })
	running := func(t *testing.T) {
		t.Helper()
		if d := w.Get(holder); d.Status != "deploying" || d.EndedAt != nil {
			t.Errorf("the deployment that runs is %s: %s", d.Status, d.Reason)
		}
		if list := w.Must(0, "deploy", "list", "--name", "busy", "-o", "json", "--jq", ".deployments | length"); strings.TrimSpace(list.Stdout) != "2" {
			t.Errorf("there are %s deployments of it", list.Stdout)
		}
	}
	start := []string{"deploy", "start", "--name", "busy", "--version", "v2"}
	path := "/api/v1/deployments/" + holder
	for name, c := range map[string]struct {
		arguments []string
		call
		told
	}{
		"a second":              {start, call{http.MethodPost, "/api/v1/deployments", `{"name":"busy","version":"v2"}`, nil}, told{holder, "busy", "apm deploy watch " + holder}},
		"a removal":             {[]string{"deploy", "remove", "busy", "--yes"}, call{http.MethodDelete, "/api/v1/targets/busy/test", "", nil}, told{holder, "busy", "apm deploy watch " + holder}},
		"rollback to a version": {[]string{"deploy", "rollback", holder, "--to-version", "v0", "--yes"}, call{http.MethodPost, path + "/rollback", `{"target_version":"v0"}`, nil}, told{holder, "runs", "apm deploy"}},
		"policy of the request": {start, call{http.MethodPost, "/api/v1/deployments", `{"name":"busy","version":"v2","policy":{"concurrent":"refuse"}}`, nil}, told{holder, "busy", "apm deploy watch " + holder}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, w.CLI(c.arguments...), 1, c.told)
			answer := w.REST(c.method, c.path, c.body)
			problem(t, w.Host, answer, 409, c.told)
			if p := answer.Problem(w.Host); p.Holder != holder {
				t.Errorf("the holder is %q, want %q", p.Holder, holder)
			}
			running(t)
		})
	}
	t.Run("watch that is left", func(t *testing.T) {
		for _, arguments := range [][]string{{"deploy", "watch", holder}, {"deploy", "watch", holder, "-o", "jsonl"}} {
			command := w.Begin(arguments...)
			command.Says("deploying")
			command.Signal(syscall.SIGINT)
			left(t, command.Wait(), 130, holder)
		}
		left(t, w.CLI("deploy", "watch", holder, "--timeout", "200ms"), 8, holder)
		running(t)
	})
	w.Must(0, "deploy", "cancel", holder, "--watch")
	w.Must(0, "deploy", "remove", "busy", "--yes", "--watch")
}

// left fails the test unless a watch that was left says that the deployment goes
// on, and how it is watched again.
func left(t *testing.T, r harness.Result, code int, id string) {
	t.Helper()
	if r.Code != code {
		t.Errorf("exit code %d, want %d", r.Code, code)
	}
	printable(t, r.Stdout+r.Stderr)
	told{"deploy watch " + id, "the deployment goes on", "watch it again with: "}.in(t, r.Stderr)
	if t.Failed() {
		t.Log(r)
	}
}
