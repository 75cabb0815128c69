package badinput_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// world is one host that all cases share, on which an application runs.
type world struct {
	*harness.Host
	address string // of the application
	old     string // a completed deployment of v1, no longer current
	current string // of v2
	// Tokens of each role.
	viewer, deployer string
}

// TestHost gives one host all that is wrong, case after case.
func TestHost(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	w := &world{Host: h, address: h.Address()}
	h.Artifact("v1", "v2")
	h.Define(harness.Application{Name: "shop", Bake: "50ms", Components: []harness.Component{{Name: "web", Listen: w.address}}})
	w.old = h.Deployed("shop", "v1").ID
	w.current = h.Deployed("shop", "v2").ID
	w.viewer, w.deployer = w.token("viewer"), w.token("deployer")
	for _, group := range []struct {
		name string
		run  func(*testing.T, *world)
	}{
		{"bodies", bodies},
		{"queries", queries},
		{"access", access},
		{"raw", rawRequests},
		{"sockets", sockets},
		{"applications", applications},
		{"places", places},
		{"artifacts", artifacts},
		{"usage", usageErrors},
		{"commands", commands},
		{"prompts", prompts},
		{"requests", requests},
		{"outputs", outputs},
	} {
		t.Run(group.name, func(t *testing.T) { group.run(t, w) })
	}
	if got := h.Version(w.address); got != "v2" {
		t.Errorf("version %q is served, want v2", got)
	}
	for _, line := range strings.Split(h.Read("host.log"), "\n") {
		if strings.Contains(line, "panic") || strings.Contains(line, "level=ERROR") {
			t.Errorf("the host's log: %s", line)
		}
	}
	printable(t, h.Read("host.log"))
}

// token makes a token of a role.
func (w *world) token(role string) string {
	r := w.Must(0, "token", "create", role, "--role", role, "-o", "json", "--jq", ".secret")
	return strings.TrimSpace(r.Stdout)
}

// state is all that a bad input must not change.
func (w *world) state(t *testing.T) map[string]string {
	t.Helper()
	state := map[string]string{}
	var list apiv1.DeploymentList
	w.REST(http.MethodGet, "/api/v1/deployments?limit=200", "").Decode(w.Host, &list)
	for _, d := range list.Deployments {
		state["deployment "+d.ID] = fmt.Sprintf("%s %s %s, event %d", d.Name, d.Version, d.Status, d.Seq)
	}
	var tokens apiv1.TokenList
	w.REST(http.MethodGet, "/api/v1/tokens", "").Decode(w.Host, &tokens)
	for _, token := range tokens.Tokens {
		state["token "+token.ID] = fmt.Sprintf("%s, %s, revoked %v", token.Name, token.Role, token.RevokedAt)
	}
	for _, path := range []string{"targets", "applications", "audit"} {
		state[path] = w.REST(http.MethodGet, "/api/v1/"+path, "").Body
	}
	var health apiv1.Health
	w.REST(http.MethodGet, "/healthz", "").Decode(w.Host, &health)
	state["health"] = fmt.Sprintf("%s, pid %d", health.Status, health.PID)
	var plugin apiv1.Plugin
	w.REST(http.MethodGet, "/api/v1/plugins/process", "").Decode(w.Host, &plugin)
	state["plugin"] = fmt.Sprintf("%s, pid %d, %d restarts", plugin.State, plugin.PID, plugin.Restarts)
	for _, pid := range w.Processes() {
		state[fmt.Sprintf("process %d", pid)] = "runs"
	}
	maps.Copy(state, files(t, w.Home, "/tmp", ".log", "/apm.db", "-wal", "-shm", "/claims"))
	return state
}

// nothing returns a function that fails the test for all that has changed since.
func (w *world) nothing(t *testing.T) (changed func()) {
	t.Helper()
	before := w.state(t)
	return func() {
		t.Helper()
		if diff := cmp.Diff(before, w.state(t)); diff != "" {
			t.Errorf("what was not to change (-before +after):\n%s", diff)
		}
	}
}

// call is one request.
type call struct {
	method, path, body string
	headers            []string
}

// answered sends a request that is wrong, and fails the test unless the problem
// says what it must, and nothing happened.
func (w *world) answered(t *testing.T, c call, status int, want told) {
	t.Helper()
	changed := w.nothing(t)
	a := w.REST(c.method, c.path, c.body, c.headers...)
	changed()
	problem(t, w.Host, a, status, want)
}

// problem fails the test unless an answer is a whole problem that says what it must.
func problem(t *testing.T, h *harness.Host, a harness.Answer, status int, want told) {
	t.Helper()
	if a.Status != status {
		t.Errorf("status %d, want %d: %s", a.Status, status, a.Body)
	}
	presentable(t, a.Body)
	if kind := a.Header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("Content-Type %q", kind)
		return
	}
	p := a.Problem(h)
	if p.Status != a.Status || p.Code == "" || p.Title == "" || p.Detail == "" {
		t.Errorf("no whole problem: %s", a.Body)
	}
	said := []string{p.Detail, p.Remedy}
	for _, item := range p.Errors {
		where := item.Location
		if item.File != "" {
			where = fmt.Sprintf("%s:%d:%d", item.File, item.Line, item.Column)
		}
		said = append(said, strings.Join([]string{where, item.Message, item.Remedy}, "\n"))
	}
	text := strings.Join(said, "\n")
	presentable(t, text)
	want.in(t, text)
	if want.where != "" && !strings.Contains(p.Detail, want.where) && !slices.ContainsFunc(p.Errors, func(item apiv1.ProblemItem) bool {
		return item.Location == want.where || item.File != ""
	}) {
		t.Errorf("nothing is located at %s: %s", want.where, a.Body)
	}
}
