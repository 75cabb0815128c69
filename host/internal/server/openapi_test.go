package server_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/server"
)

var update = flag.Bool("update", false, "write api/v1/openapi.yaml")

// TestOpenAPIIsCommitted holds the committed document against the generated
// one. `go test ./internal/server -run OpenAPI -update` writes it.
func TestOpenAPIIsCommitted(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	got, err := h.server.OpenAPI()
	ok(t, err)
	path := filepath.Join("..", "..", "..", "api", "v1", "openapi.yaml")
	if *update {
		ok(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	ok(t, err)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("api/v1/openapi.yaml is not what the types make; write it with -update (-committed +generated):\n%s", diff)
	}
	if served := h.do(call{path: "/openapi.yaml"}); served.status != http.StatusOK || string(served.body) != string(got) {
		t.Errorf("served: %d", served.status)
	}
}

// TestOpenAPIDescribesEveryOperation: each operation has an id, a summary, a
// description, its answers, and no parameter without a word.
func TestOpenAPIDescribesEveryOperation(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	served := h.do(call{path: "/openapi.json"})
	var spec struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			OperationID string   `json:"operationId"`
			Summary     string   `json:"summary"`
			Description string   `json:"description"`
			Tags        []string `json:"tags"`
			Parameters  []struct {
				Name        string `json:"name"`
				In          string `json:"in"`
				Description string `json:"description"`
			} `json:"parameters"`
			Responses map[string]any `json:"responses"`
		} `json:"paths"`
	}
	ok(t, json.Unmarshal(served.body, &spec))
	if !strings.HasPrefix(spec.OpenAPI, "3.1") {
		t.Errorf("version %q", spec.OpenAPI)
	}
	described := map[string]bool{}
	for path, methods := range spec.Paths {
		for method, op := range methods {
			route := strings.ToUpper(method) + " " + path
			described[route] = true
			if op.OperationID == "" || op.Summary == "" || op.Description == "" || len(op.Tags) != 1 || len(op.Responses) < 2 {
				t.Errorf("%s is not described: %+v", route, op)
			}
			for _, p := range op.Parameters {
				if p.Description == "" && p.In != "path" {
					t.Errorf("%s: parameter %s is not described", route, p.Name)
				}
			}
		}
	}
	for route := range server.Rules() {
		if strings.Contains(route, " /api/") && !described[route] {
			t.Errorf("%s is not in the document", route)
		}
	}
}

func TestDocsPageLoadsNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	for path, contentType := range map[string]string{
		"/docs": "text/html", "/docs/docs.js": "text/javascript", "/docs/docs.css": "text/css",
	} {
		got := h.do(call{path: path})
		if got.status != http.StatusOK || !strings.HasPrefix(got.header.Get("Content-Type"), contentType) {
			t.Errorf("%s: %d %s", path, got.status, got.header.Get("Content-Type"))
		}
		for _, elsewhere := range []string{"https://", "http://", "//cdn", "@import"} {
			if strings.Contains(string(got.body), elsewhere) {
				t.Errorf("%s has %q in it", path, elsewhere)
			}
		}
		if policy := got.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("%s: policy %q", path, policy)
		}
	}
}
