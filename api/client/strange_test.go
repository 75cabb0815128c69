package client_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apm-deploy/apm/api/client"
)

// TestAHostThatDoesNotAnswerIsAskedOnce: to wait three times as long helps nobody.
func TestAHostThatDoesNotAnswerIsAskedOnce(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	transport := &http.Transport{ResponseHeaderTimeout: 50 * time.Millisecond}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := client.New(client.Config{URL: server.URL, HTTP: &http.Client{Transport: transport}})
	ok(t, err)
	_, err = c.Get(t.Context(), "d1")
	var broke *url.Error
	if !errors.As(err, &broke) || !broke.Timeout() || calls.Load() != 1 {
		t.Errorf("asked %d times: %v", calls.Load(), err)
	}
}

// TestAServerThatIsNoHost answers everything, in its own way.
func TestAServerThatIsNoHost(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"well": http.StatusOK, "not found": http.StatusNotFound, "away": http.StatusBadGateway} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := ask(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				_, _ = w.Write([]byte("<html>Welcome</html>"))
			})
			_, err := c.Get(t.Context(), "d1")
			if err == nil || !strings.Contains(err.Error(), "apm") || !strings.Contains(err.Error(), "check") {
				t.Errorf("%v", err)
			}
		})
	}
}
