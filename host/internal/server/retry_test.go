package server_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/apm-deploy/apm/api/client"
	v1 "github.com/apm-deploy/apm/api/v1"
)

// TestRetryAfter: it is told where asking again may help, in whole seconds.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	for name, want := range map[string]string{"unready": "2", "mend-me": ""} {
		got := h.do(call{method: http.MethodPost, path: "/api/v1/deployments", token: h.deployer, body: `{"name":"` + name + `","version":"1"}`})
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") != want {
			t.Errorf("%s: %d, Retry-After %q, want %q", name, got.status, got.header.Get("Retry-After"), want)
		}
		_, err := h.client(h.deployer).Start(t.Context(), v1.StartRequest{Name: name, Version: "1"}, "")
		if p := client.AsProblem(err); p == nil || p.RetryAfter != map[string]time.Duration{"2": 2 * time.Second}[want] {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.store.away.Store(true)
	for _, path := range []string{"/api/v1/deployments", "/metrics"} {
		if got := h.do(call{path: path}); got.header.Get("Retry-After") != "2" {
			t.Errorf("%s while the store is away: %d, Retry-After %q", path, got.status, got.header.Get("Retry-After"))
		}
	}
}
