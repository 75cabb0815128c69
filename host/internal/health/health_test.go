package health_test

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/health"
)

func TestMain(m *testing.M) {
	if os.Getenv(envStarved) != "" {
		os.Exit(lookWithoutDescriptors()) //nolint:forbidigo // here the test binary is another process
	}
	// A proxy of the environment would answer every check by itself.
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		if err := os.Setenv(name, "http://127.0.0.1:1"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// want is an observation without its times.
type want struct {
	status   deployment.Health
	says     []string // parts of the message
	conceals []string // never in the message
}

func (w want) check(t *testing.T, got deployment.Observation) {
	t.Helper()
	if diff := cmp.Diff(w.status, got.Status); diff != "" {
		t.Errorf("status (-want +got):\n%s\nmessage: %s", diff, got.Message)
	}
	for _, part := range w.says {
		if !strings.Contains(got.Message, part) {
			t.Errorf("message %q does not say %q", got.Message, part)
		}
	}
	for _, secret := range w.conceals {
		if strings.Contains(got.Message, secret) {
			t.Errorf("message %q holds the secret %q", got.Message, secret)
		}
	}
	if got.At.IsZero() {
		t.Error("the observation has no time")
	}
	if (got.Latency > 0) != (got.Status != deployment.Unknown) {
		t.Errorf("latency is %v of a check that is %s", got.Latency, got.Status)
	}
}

// listen accepts connections and hands each to serve, which owns it.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serve(conn)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String()
}

// silent accepts connections and never says anything.
func silent(t *testing.T) string {
	t.Helper()
	var held []net.Conn
	t.Cleanup(func() { // after the one of listen
		for _, conn := range held {
			_ = conn.Close()
		}
	})
	return listen(t, func(conn net.Conn) { held = append(held, conn) })
}

// closed is an address where nothing listens.
func closed(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	open := listen(t, func(conn net.Conn) { _ = conn.Close() })
	tests := map[string]struct {
		text      string
		addresses map[string]string
		want      want
	}{
		"the only one":             {"${address}", map[string]string{"admin": open}, want{status: deployment.Healthy}},
		"the one named http":       {"${address}", map[string]string{"admin": closed(t), "http": open}, want{status: deployment.Healthy}},
		"by name":                  {"${addresses.admin}", map[string]string{"admin": open, "http": closed(t)}, want{status: deployment.Healthy}},
		"by name with a dash":      {"${addresses.admin-2}", map[string]string{"admin-2": open}, want{status: deployment.Healthy}},
		"literal":                  {open, nil, want{status: deployment.Healthy}},
		"none known":               {"${address}", nil, want{status: deployment.Unknown, says: []string{"address: no address known"}}},
		"several, none named http": {"${address}", map[string]string{"a": open, "b": open}, want{status: deployment.Unknown, says: []string{`no address named "http"`, "a, b", "${addresses.NAME}"}}},
		"unknown name":             {"${addresses.grpc}", map[string]string{"http": open}, want{status: deployment.Unknown, says: []string{`no address named "grpc"`, "http"}}},
		"reported empty":           {"${address}", map[string]string{"http": ""}, want{status: deployment.Unknown}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.want.check(t, health.New(health.Config{}).Look(t.Context(), deployment.CheckDefinition{
				Type: "tcp", TCP: &deployment.TCPCheck{Address: test.text},
			}, test.addresses))
		})
	}
}

func TestTCP(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		address string
		want    want
	}{
		"accepted":              {silent(t), want{status: deployment.Healthy, says: []string{"accepts connections"}}},
		"refused":               {closed(t), want{status: deployment.Unhealthy, says: []string{"connection refused", "nothing listens"}}},
		"no port":               {"127.0.0.1", want{status: deployment.Unknown, says: []string{"not host:port"}}},
		"port out of range":     {"127.0.0.1:99999", want{status: deployment.Unknown, says: []string{"address"}}},
		"host that is not real": {"no-such-host.invalid:80", want{says: []string{`"no-such-host.invalid"`}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := health.New(health.Config{}).Look(t.Context(), deployment.CheckDefinition{
				Type: "tcp", Timeout: time.Minute, TCP: &deployment.TCPCheck{Address: test.address},
			}, nil)
			if test.want.status == "" {
				// Without a resolver nobody could look; with one the name is not there.
				test.want.status = got.Status
				if got.Status != deployment.Unhealthy && got.Status != deployment.Unknown {
					t.Errorf("status is %s", got.Status)
				}
			}
			test.want.check(t, got)
		})
	}
}

func TestDefinition(t *testing.T) {
	t.Parallel()
	tests := map[string]deployment.CheckDefinition{
		"no type":                  {},
		"unknown type":             {Type: "postgres"},
		"type without settings":    {Type: "http", TCP: &deployment.TCPCheck{Address: "127.0.0.1:1"}},
		"tcp without its settings": {Type: "tcp"},
	}
	for name, definition := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want{status: deployment.Unknown, says: []string{"cannot be asked"}}.
				check(t, health.New(health.Config{}).Look(t.Context(), definition, nil))
		})
	}
}

func TestShutdownIsUnknown(t *testing.T) {
	t.Parallel()
	address := silent(t)
	definitions := map[string]deployment.CheckDefinition{
		"http": {Type: "http", HTTP: &deployment.HTTPCheck{URL: "http://" + address}},
		"grpc": {Type: "grpc", GRPC: &deployment.GRPCCheck{Address: address}},
		"tcp":  {Type: "tcp", TCP: &deployment.TCPCheck{Address: closed(t)}},
	}
	contexts := map[string]func() (context.Context, context.CancelFunc){
		"before": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return ctx, cancel
		},
		"while it waits": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 50*time.Millisecond)
		},
	}
	for kind, definition := range definitions {
		for when, start := range contexts {
			if kind == "tcp" && when != "before" {
				continue
			}
			t.Run(kind+" "+when, func(t *testing.T) {
				definition.Timeout = time.Minute
				ctx, cancel := start()
				defer cancel()
				want{status: deployment.Unknown, says: []string{"stopped looking"}}.
					check(t, health.New(health.Config{}).Look(ctx, definition, nil))
			})
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	got := health.New(health.Config{Now: func() time.Time { return at }}).Look(t.Context(), deployment.CheckDefinition{}, nil)
	if diff := cmp.Diff(at, got.At); diff != "" {
		t.Errorf("time (-want +got):\n%s", diff)
	}
}

// A host that was paused beyond the timeout did not look: what it missed is no
// reason to roll back.
func TestAPausedHostKnowsNothing(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, tc := range map[string]struct {
		after time.Duration // that the clock shows when the timeout has passed
		want  deployment.Health
	}{
		"in time":            {60 * time.Millisecond, deployment.Unhealthy},
		"a little late":      {900 * time.Millisecond, deployment.Unhealthy},
		"after a long pause": {20 * time.Second, deployment.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			times := []time.Time{start, start.Add(tc.after)}
			checker := health.New(health.Config{Now: func() time.Time {
				now := times[0]
				times = times[min(1, len(times)-1):]
				return now
			}})
			got := checker.Look(t.Context(), deployment.CheckDefinition{
				Type: "http", Timeout: 50 * time.Millisecond, HTTP: &deployment.HTTPCheck{URL: "http://" + listener.Addr().String()},
			}, nil)
			if got.Status != tc.want {
				t.Errorf("%+v, want %s", got, tc.want)
			}
		})
	}
}
