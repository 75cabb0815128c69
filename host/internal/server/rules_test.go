package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/host/internal/server"
)

// TestEveryRouteHasARule: no route without a line in the table, no line without
// a route.
func TestEveryRouteHasARule(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	table := server.Rules()
	routes := h.server.Routes()
	for _, route := range routes {
		if _, ruled := table[route]; !ruled {
			t.Errorf("%s has no rule", route)
		}
	}
	for route := range table {
		if !slices.Contains(routes, route) {
			t.Errorf("%s is ruled and not served", route)
		}
	}
}

// TestRights asks for every route as everybody.
func TestRights(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	// What each is let through to: not 401, not 403.
	through := map[string][]string{
		"open":                  {"anonymous", "viewer", "deployer", "admin"},
		"viewer":                {"anonymous", "viewer", "deployer", "admin"},
		"viewer with a token":   {"viewer", "deployer", "admin"},
		"deployer with a token": {"deployer", "admin"},
		"admin with a token":    {"admin"},
	}
	tokens := map[string]string{"anonymous": "", "viewer": h.viewer, "deployer": h.deployer, "admin": h.admin}
	for route, ruling := range server.Rules() {
		allowed, known := through[ruling]
		if !known {
			t.Errorf("%s: rule %q is none of those known", route, ruling)
		}
		method, path, _ := strings.Cut(route, " ")
		path = strings.NewReplacer("{id}", "00000000-0000-0000-0000-000000000000", "{application}", "a", "{environment}", "e", "{platform}", "p", "*", "docs.css").Replace(path)
		for who, token := range tokens {
			got := h.do(call{method: method, path: path, token: token})
			refused := got.status == http.StatusUnauthorized || got.status == http.StatusForbidden
			if refused == slices.Contains(allowed, who) {
				t.Errorf("%s as %s: %d %s", route, who, got.status, got.body)
			}
			if refused && !strings.Contains(got.problem.Detail, "role") {
				t.Errorf("%s as %s does not name the role: %s", route, who, got.body)
			}
			if got.status >= 500 {
				t.Errorf("%s as %s: %d %s", route, who, got.status, got.body)
			}
		}
	}
}

func TestAnonymousIsOffByDefaultAndNotThroughAProxy(t *testing.T) {
	t.Parallel()
	closed := newHost(t, options{})
	if got := closed.do(call{path: "/api/v1/deployments"}); got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") == "" {
		t.Errorf("without anonymous: %d %v", got.status, got.header)
	}
	open := newHost(t, options{anonymous: true})
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-IP"} {
		if got := open.do(call{path: "/api/v1/deployments", header: map[string]string{name: "127.0.0.1"}}); got.status != http.StatusUnauthorized {
			t.Errorf("with %s: %d", name, got.status)
		}
	}
}

func TestChangesAreAudited(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	c := h.client(h.admin)
	_, err := c.RestartPlugin(t.Context(), "process")
	ok(t, err)
	audit, err := c.Audit(t.Context(), "", 1)
	ok(t, err)
	if len(audit.Records) != 1 || audit.Records[0].Action != "plugin.restart" || audit.Records[0].Object != "process" || audit.Records[0].Actor != "test admin" || audit.Next == "" {
		t.Errorf("audit: %+v", audit)
	}
	rest, err := c.Audit(t.Context(), audit.Next, 100)
	ok(t, err)
	if len(rest.Records) != 3 || rest.Next != "" { // the three tokens of the test
		t.Errorf("rest of the audit: %+v", rest)
	}
}
