package server_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestTheAnswerComesWhileTheRequestIsSent: a client that has not sent all of
// what is refused gets the answer all the same, and no reset.
func TestTheAnswerComesWhileTheRequestIsSent(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	for range 5 {
		got := h.do(call{method: http.MethodPost, path: "/api/v1/deployments", token: h.deployer, body: strings.Repeat("x", 8<<20)})
		if got.status != http.StatusRequestEntityTooLarge || !strings.Contains(got.problem.Detail, "4 MiB") {
			t.Errorf("a large body: %d %s", got.status, got.body)
		}
		got = h.do(call{path: "/api/v1/deployments", header: map[string]string{"X-Long": strings.Repeat("x", 4<<20)}})
		if got.status != http.StatusRequestHeaderFieldsTooLarge || !strings.Contains(got.problem.Detail, "16 KiB") {
			t.Errorf("a large header: %d %s", got.status, got.body)
		}
	}
}
