package scenario_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// web is an HTTP server of the test's own whose answer can be changed.
type web struct {
	mu     sync.Mutex
	status int
	body   string
	kind   string
	pause  time.Duration
}

func (w *web) change(mutate func(*web)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	mutate(w)
}

func (w *web) ServeHTTP(answer http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	status, body, kind, pause := w.status, w.body, w.kind, w.pause
	w.mu.Unlock()
	if pause > 0 {
		select {
		case <-time.After(pause):
		case <-r.Context().Done():
		}
	}
	answer.Header().Set("Content-Type", kind)
	answer.WriteHeader(status)
	_, _ = answer.Write([]byte(body))
}

// served serves on an address of its own until the test ends or stop is called.
func served(t *testing.T, serve func(net.Listener)) (address string, stop func()) {
	t.Helper()
	address = harness.FreeAddress(t)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	go serve(listener)
	t.Cleanup(func() { _ = listener.Close() })
	return address, func() { _ = listener.Close() }
}

// grpcHealth is a gRPC server that answers for the service "orders".
func grpcHealth(t *testing.T) (address string, state *health.Server) {
	t.Helper()
	state = health.NewServer()
	state.SetServingStatus("orders", grpc_health_v1.HealthCheckResponse_SERVING)
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, state)
	t.Cleanup(server.Stop)
	address, _ = served(t, func(l net.Listener) { _ = server.Serve(l) })
	return address, state
}

// request is a start of v1 with checks of the request, each of them quick.
func request(t *testing.T, checks ...map[string]any) apiv1.StartRequest {
	t.Helper()
	for _, check := range checks {
		for key, value := range map[string]any{"interval": "50ms", "timeout": "1s", "passes": 2, "failures": 2} {
			if check[key] == nil {
				check[key] = value
			}
		}
	}
	text, err := json.Marshal(checks)
	if err != nil {
		t.Fatal(err)
	}
	return apiv1.StartRequest{Name: "shop", Version: "v2", HealthChecks: text, Policy: json.RawMessage(`{"bake":"200ms"}`)}
}

// TestKindsOfChecks asks by every kind of check, all of them given in a request,
// and lets each turn bad and good again.
func TestKindsOfChecks(t *testing.T) {
	t.Parallel()
	h, _, _ := shop(t, "v1")
	h.Artifact("v2")
	site := &web{status: 204}
	text := &web{status: 200, body: "state: ready", kind: "text/plain"}
	fast := &web{status: 200}
	url := func(w *web) string {
		address, _ := served(t, func(l net.Listener) { _ = http.Serve(l, w) })
		return "http://" + address
	}
	orders, state := grpcHealth(t)
	socket, closeSocket := served(t, func(net.Listener) {})

	d := h.DeployRequest(request(t,
		map[string]any{"type": "http", "name": "status", "url": url(site), "status": []int{204, 301}},
		map[string]any{"type": "http", "name": "body", "url": url(text), "body": "^state: (ready|busy)$", "header": map[string]string{"Content-Type": "^text/"}},
		map[string]any{"type": "http", "name": "latency", "url": url(fast), "latency": "250ms"},
		map[string]any{"type": "grpc", "name": "orders", "address": orders, "service": "orders"},
		map[string]any{"type": "tcp", "name": "socket", "address": socket},
	))
	d = h.Ends(d.ID, harness.End{Status: "completed", Path: harness.Forward})
	kinds := map[string]string{
		"status": "http", "body": "http", "latency": "http", "orders": "grpc", "socket": "tcp",
		"healthz": "http", // of the file
	}
	for name, kind := range kinds {
		if c := checkNamed(t, d, name); c.Type != kind || c.Status != "healthy" || c.Component != "web" || c.Message == "" {
			t.Errorf("check %s: %+v", name, c)
		}
	}

	seq := d.Seq
	becomes := func(name, status string, words ...string) {
		t.Helper()
		e := h.Await(d.ID, seq, func(e apiv1.Event) bool {
			return e.Type == "check.status" && harness.Field(e, "name") == name && harness.Field(e, "status") == status
		})
		seq = e.Seq
		for _, word := range words {
			if message := harness.Field(e, "message"); !strings.Contains(message, word) {
				t.Errorf("check %s becomes %s: %q does not tell of %q", name, status, message, word)
			}
		}
	}
	site.change(func(w *web) { w.status = 200 })
	becomes("status", "unhealthy", "status 200", "204")
	site.change(func(w *web) { w.status = 301 })
	becomes("status", "healthy")
	text.change(func(w *web) { w.body = "state: lost" })
	becomes("body", "unhealthy", "body", "^state: (ready|busy)$")
	text.change(func(w *web) { w.body = "state: busy" })
	becomes("body", "healthy")
	text.change(func(w *web) { w.kind = "application/json" })
	becomes("body", "unhealthy", "Content-Type", "^text/")
	fast.change(func(w *web) { w.pause = 350 * time.Millisecond })
	becomes("latency", "degraded", "250ms")
	state.SetServingStatus("orders", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	becomes("orders", "unhealthy", "NOT_SERVING")
	closeSocket()
	becomes("socket", "unhealthy", "refused")
	seen(t, h, "the target is unhealthy", func(target apiv1.Target) bool { return target.Health == "unhealthy" })
	if got := h.Get(d.ID); got.Status != "completed" {
		t.Errorf("it is %s: %s", got.Status, got.Reason)
	}
}

// TestCheckOfARequestDecides rolls back by a check that only the request has.
func TestCheckOfARequestDecides(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t, "v1")
	h.Artifact("v2")
	orders, state := grpcHealth(t)
	start := request(t, map[string]any{"type": "grpc", "name": "orders", "address": orders, "service": "orders"})
	start.Policy = json.RawMessage(`{"bake":"10m"}`)
	d := h.DeployRequest(start)
	h.Await(d.ID, 0, harness.Status("verifying"))
	state.SetServingStatus("orders", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	h.Ends(d.ID, harness.End{
		Status: "rolled_back", Reason: `^back on v1: component web: check orders failed 2 times in a row: .*NOT_SERVING`,
		Path: []string{"preparing", "deploying", "verifying", "rolling_back", "rolled_back"},
	})
	h.Serves(address, "v1")
}

// TestCheckOfARequestReplaces one of the file that has its type and name.
func TestCheckOfARequestReplaces(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t, "v1")
	h.Artifact("v2")
	h.Sicken("web", "v2") // which the check of the file would see
	d := h.DeployRequest(request(t, map[string]any{"type": "http", "name": "healthz", "url": "http://${address}/"}))
	d = h.Ends(d.ID, harness.End{Status: "completed", Path: harness.Forward})
	if c := checkNamed(t, d, "healthz"); !strings.Contains(c.Message, fmt.Sprintf("http://%s/:", address)) {
		t.Errorf("the check: %+v", c)
	}
	h.Serves(address, "v2")
}

// TestDegradedFailsNothing waits for a version that answers slowly: it is
// neither promoted nor rolled back.
func TestDegradedFailsNothing(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t, "v1")
	h.Artifact("v2")
	slow := &web{status: 200, pause: 200 * time.Millisecond}
	slowly, _ := served(t, func(l net.Listener) { _ = http.Serve(l, slow) })
	d := h.DeployRequest(request(t, map[string]any{"type": "http", "name": "latency", "url": "http://" + slowly, "latency": "100ms"}))
	h.Await(d.ID, 0, harness.With("check.status", "status", "degraded"))
	if got := h.Get(d.ID); got.Status != "deploying" || got.Failure != nil {
		t.Errorf("it is %s: %s", got.Status, got.Reason)
	}
	h.Serves(address, "v1")
	slow.change(func(w *web) { w.pause = 0 })
	h.Ends(d.ID, harness.End{Status: "completed", Path: harness.Forward})
	h.Serves(address, "v2")
}
