package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli"
)

// unready is a host whose platform has not started; it is asked so often until
// it has.
type unready struct {
	mu     sync.Mutex
	soon   bool // it says when to come again
	left   int
	asked  int
	keys   map[string]bool
	bodies []apiv1.StartRequest
}

func (u *unready) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked++
	u.left--
	if r.Method == http.MethodGet { // the platform's keys
		plugin := apiv1.Plugin{Platform: "process", State: "starting"}
		if u.left < 0 {
			plugin.State, plugin.Spec = "ready", []apiv1.SchemaKey{{Name: "file", Type: "string", Path: true}}
			u.left = 1
		}
		_ = json.NewEncoder(w).Encode(plugin)
		return
	}
	u.keys[r.Header.Get("Idempotency-Key")] = true
	var body apiv1.StartRequest
	_ = json.NewDecoder(r.Body).Decode(&body)
	u.bodies = append(u.bodies, body)
	if u.left >= 0 {
		if u.soon {
			w.Header().Set("Retry-After", "1")
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprint(w, `{"title":"Service Unavailable","status":503,"code":"unavailable","detail":"platform \"process\" is starting"}`)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(apiv1.Deployment{ID: "d1", Name: "shop", Status: "pending"})
}

// TestACommandWaitsForAPlatformThatStarts: it asks again, says so once, and what
// it asks is one request.
func TestACommandWaitsForAPlatformThatStarts(t *testing.T) {
	t.Parallel()
	for name, words := range map[string][]string{
		"start":  {"deploy", "start", "--name", "shop", "--version", "v1", "--platform", "process", "--set", "file=a.txt"},
		"remove": {"deploy", "remove", "shop", "--environment", "production", "--yes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := &unready{soon: true, left: 1, keys: map[string]bool{}}
			host := httptest.NewServer(u)
			t.Cleanup(host.Close)
			h := testHost{env: map[string]string{"APM_URL": host.URL, "APM_TOKEN": "apm_1.x"}}
			stdout, stderr := h.do(t, cli.ExitDone, words...)
			contains(t, stdout, "d1")
			contains(t, stderr, `platform "process" is starting; asking again for up to 15s`)
			if len(u.keys) != 1 || u.keys[""] {
				t.Errorf("keys %v", u.keys)
			}
			if want := map[string]int{"start": 2, "remove": 1}[name]; strings.Count(stderr, "asking again") != want {
				t.Errorf("want %d lines that it asks again:\n%s", want, stderr)
			}
			if name == "start" {
				var set struct{ File string }
				if err := json.Unmarshal(u.bodies[0].Configuration, &set); err != nil || !filepath.IsAbs(set.File) {
					t.Errorf("the path %q was not made absolute (%v)", set.File, err)
				}
			}
		})
	}
}

// TestACommandDoesNotWaitForWhatOnlyAPersonCanMend: the answer does not say when.
func TestACommandDoesNotWaitForWhatOnlyAPersonCanMend(t *testing.T) {
	t.Parallel()
	u := &unready{left: 1000, keys: map[string]bool{}}
	host := httptest.NewServer(u)
	t.Cleanup(host.Close)
	h := testHost{env: map[string]string{"APM_URL": host.URL, "APM_TOKEN": "apm_1.x"}}
	_, stderr := h.do(t, cli.ExitError, "deploy", "start", "--name", "shop", "--version", "v1")
	contains(t, stderr, `platform "process" is starting`)
	if strings.Contains(stderr, "asking again") || u.asked != 1 {
		t.Errorf("asked %d times:\n%s", u.asked, stderr)
	}
}
