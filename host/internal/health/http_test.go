package health_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/health"
)

// application answers the paths of the tests.
func application() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Version", "v2.0.0")
		w.Header().Add("Set-Cookie", "session=hunter2")
		_, _ = io.WriteString(w, "all is well")
	})
	mux.HandleFunc("/down", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "hunter2", http.StatusServiceUnavailable) })
	mux.HandleFunc("/empty", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/ok?token=hunter2", http.StatusFound)
	})
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat(".", 64<<10)+"end")
	})
	mux.HandleFunc("/edge", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat(".", 64<<10-3)+"end")
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	})
	mux.HandleFunc("/stalled", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/asked", func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.Method != http.MethodPost || r.Host != "shop.example" || r.Header.Get("X-Key") != "k" || user != "u" || password != "hunter2" || r.URL.Query().Get("q") != "1" {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	return mux
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(application())
	t.Cleanup(server.Close)
	address := strings.TrimPrefix(server.URL, "http://")
	tests := map[string]struct {
		check   deployment.HTTPCheck
		timeout time.Duration
		want    want
	}{
		"default is 200":            {deployment.HTTPCheck{URL: "/ok"}, 0, want{status: deployment.Healthy, says: []string{"GET http://" + address + "/ok: status 200"}}},
		"status in the list":        {deployment.HTTPCheck{URL: "/empty", Status: []int{200, 204}}, 0, want{status: deployment.Healthy}},
		"status not in the list":    {deployment.HTTPCheck{URL: "/empty", Status: []int{201, 200}}, 0, want{status: deployment.Unhealthy, says: []string{"status 204 No Content, expected 200 or 201"}}},
		"5xx":                       {deployment.HTTPCheck{URL: "/down"}, 0, want{status: deployment.Unhealthy, says: []string{"status 503 Service Unavailable, expected 200"}, conceals: []string{"hunter2"}}},
		"5xx that is expected":      {deployment.HTTPCheck{URL: "/down", Status: []int{503}}, 0, want{status: deployment.Healthy}},
		"redirect is not followed":  {deployment.HTTPCheck{URL: "/moved"}, 0, want{status: deployment.Unhealthy, says: []string{"status 302", "redirects are not followed (to /ok?…)"}, conceals: []string{"hunter2"}}},
		"redirect that is expected": {deployment.HTTPCheck{URL: "/moved", Status: []int{302}}, 0, want{status: deployment.Healthy}},
		"body matches":              {deployment.HTTPCheck{URL: "/ok", Body: "is w(el){1}l$"}, 0, want{status: deployment.Healthy}},
		"body does not match":       {deployment.HTTPCheck{URL: "/ok", Body: "^ok$"}, 0, want{status: deployment.Unhealthy, says: []string{`body does not match "^ok$" in its first 11 bytes`}}},
		"body at 64 KiB":            {deployment.HTTPCheck{URL: "/edge", Body: "end$"}, 0, want{status: deployment.Healthy}},
		"body behind 64 KiB":        {deployment.HTTPCheck{URL: "/long", Body: "end"}, 0, want{status: deployment.Unhealthy, says: []string{"first 65536 bytes"}}},
		"body is not RE2":           {deployment.HTTPCheck{URL: "/ok", Body: "(?=x)"}, 0, want{status: deployment.Unknown, says: []string{"body:", "RE2"}}},
		"body cut off":              {deployment.HTTPCheck{URL: "/cut", Body: "half"}, 0, want{status: deployment.Unhealthy, says: []string{"connection closed"}}},
		"body stalls":               {deployment.HTTPCheck{URL: "/stalled", Body: "x"}, 100 * time.Millisecond, want{status: deployment.Unhealthy, says: []string{"within the timeout", "reading the answer"}}},
		"body not asked for":        {deployment.HTTPCheck{URL: "/stalled"}, 0, want{status: deployment.Healthy}},
		"header matches":            {deployment.HTTPCheck{URL: "/ok", Header: map[string]string{"x-version": `^v2\.`}}, 0, want{status: deployment.Healthy}},
		"header does not match":     {deployment.HTTPCheck{URL: "/ok", Header: map[string]string{"X-Version": "^v3"}}, 0, want{status: deployment.Unhealthy, says: []string{`header X-Version does not match "^v3"`}}},
		"header with a secret":      {deployment.HTTPCheck{URL: "/ok", Header: map[string]string{"Set-Cookie": "^x"}}, 0, want{status: deployment.Unhealthy, conceals: []string{"hunter2"}}},
		"header missing":            {deployment.HTTPCheck{URL: "/ok", Header: map[string]string{"X-Other": "."}}, 0, want{status: deployment.Unhealthy, says: []string{"header X-Other is missing"}}},
		"header is not RE2":         {deployment.HTTPCheck{URL: "/ok", Header: map[string]string{"X-Other": "["}}, 0, want{status: deployment.Unknown, says: []string{"header.X-Other:"}}},
		"slow":                      {deployment.HTTPCheck{URL: "/ok", Latency: 1}, 0, want{status: deployment.Degraded, says: []string{"status 200, but it took", "more than 1ns"}}},
		"fast":                      {deployment.HTTPCheck{URL: "/ok", Latency: time.Minute}, 0, want{status: deployment.Healthy}},
		"slow and wrong":            {deployment.HTTPCheck{URL: "/down", Latency: 1}, 0, want{status: deployment.Unhealthy}},
		"hangs":                     {deployment.HTTPCheck{URL: "/hangs"}, 100 * time.Millisecond, want{status: deployment.Unhealthy, says: []string{"within the timeout", "waiting for the answer"}}},
		"request as defined": {
			deployment.HTTPCheck{URL: "http://u:hunter2@${address}/asked?q=1", Method: "POST", Headers: map[string]string{"Host": "shop.example", "X-Key": "k"}},
			0,
			want{status: deployment.Healthy, says: []string{"POST http://" + address + "/asked?…"}, conceals: []string{"hunter2", "q=1"}},
		},
		"address in expressions":     {deployment.HTTPCheck{URL: "/ok", Header: map[string]string{"X-Version": "${address}"}}, 0, want{status: deployment.Unhealthy, says: []string{`127\\.0`}}},
		"header that cannot be sent": {deployment.HTTPCheck{URL: "/ok", Headers: map[string]string{"X-Key": "hunter2\r\nX: y"}}, 0, want{status: deployment.Unknown, says: []string{`headers: "X-Key"`}, conceals: []string{"hunter2"}}},
		"no address in a header":     {deployment.HTTPCheck{URL: "/ok", Headers: map[string]string{"Host": "${addresses.no}"}}, 0, want{status: deployment.Unknown, says: []string{"headers.Host: no address named"}}},
		"no address in the url":      {deployment.HTTPCheck{URL: "http://${addresses.no}/"}, 0, want{status: deployment.Unknown, says: []string{"url: no address named"}}},
		"no address in a body":       {deployment.HTTPCheck{URL: "/ok", Body: "${addresses.no}"}, 0, want{status: deployment.Unknown, says: []string{"body: no address named"}}},
		"method not valid":           {deployment.HTTPCheck{URL: "/ok", Method: "GE T"}, 0, want{status: deployment.Unknown, says: []string{"method:"}}},
		"url not valid":              {deployment.HTTPCheck{URL: "http://u:hunter2/x@h/"}, 0, want{status: deployment.Unknown, says: []string{"url: not a valid URL"}, conceals: []string{"hunter2"}}},
		"url of another scheme":      {deployment.HTTPCheck{URL: "ftp://h/"}, 0, want{status: deployment.Unknown, says: []string{"http:// or https://"}}},
		"url without a host":         {deployment.HTTPCheck{URL: "http:///x"}, 0, want{status: deployment.Unknown, says: []string{"a host"}}},
		"refused":                    {deployment.HTTPCheck{URL: "http://u:hunter2@" + closed(t) + "/?t=hunter2"}, 0, want{status: deployment.Unhealthy, says: []string{"connection refused"}, conceals: []string{"hunter2"}}},
		"TLS asked of a plain port":  {deployment.HTTPCheck{URL: "https://" + address}, 0, want{status: deployment.Unhealthy, says: []string{"TLS: the server does not speak TLS"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.HasPrefix(test.check.URL, "/") {
				test.check.URL = "http://${address}" + test.check.URL
			}
			if test.timeout == 0 {
				test.timeout = time.Minute
			}
			test.want.check(t, health.New(health.Config{}).Look(t.Context(), deployment.CheckDefinition{
				Type: "http", Timeout: test.timeout, HTTP: &test.check,
			}, map[string]string{"http": address}))
		})
	}
}

func TestHTTPBrokenServers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		serve func(net.Conn)
		says  string
	}{
		"closes at once": {func(conn net.Conn) { _ = conn.Close() }, "connection"},
		"resets": {func(conn net.Conn) {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_, _ = conn.Read(make([]byte, 1))
			_ = conn.Close()
		}, "connection reset"},
		"is no HTTP": {func(conn net.Conn) {
			_, _ = conn.Write([]byte("220 mail ready\r\n\r\n"))
			_, _ = conn.Read(make([]byte, 4096))
			_ = conn.Close()
		}, "malformed HTTP"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want{status: deployment.Unhealthy, says: []string{test.says}}.check(t, health.New(health.Config{}).Look(t.Context(),
				deployment.CheckDefinition{Type: "http", Timeout: time.Minute, HTTP: &deployment.HTTPCheck{URL: "http://" + listen(t, test.serve)}}, nil))
		})
	}
}

func TestHTTPAsksOnAFreshConnection(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.RemoteAddr)
	}))
	t.Cleanup(server.Close)
	checker := health.New(health.Config{})
	for range 3 {
		want{status: deployment.Healthy}.check(t, checker.Look(t.Context(),
			deployment.CheckDefinition{Type: "http", HTTP: &deployment.HTTPCheck{URL: server.URL}}, nil))
	}
	mu.Lock()
	defer mu.Unlock()
	unique := map[string]bool{}
	for _, from := range asked {
		unique[from] = true
	}
	if diff := cmp.Diff([]int{3, 3}, []int{len(asked), len(unique)}); diff != "" {
		t.Errorf("requests and connections (-want +got):\n%s", diff)
	}
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(application())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())

	strict := httptest.NewUnstartedServer(application())
	strict.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	strict.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}
	strict.StartTLS()
	t.Cleanup(strict.Close)

	port := server.URL[strings.LastIndex(server.URL, ":"):]
	tests := map[string]struct {
		roots *x509.CertPool
		url   string
		want  want
	}{
		"trusted":            {trusted, server.URL + "/ok", want{status: deployment.Healthy}},
		"unknown authority":  {x509.NewCertPool(), server.URL + "/ok", want{status: deployment.Unhealthy, says: []string{"TLS: the certificate is signed by an unknown authority"}}},
		"another name":       {trusted, "https://localhost" + port + "/ok", want{status: deployment.Unhealthy, says: []string{"TLS: the certificate is for another name"}}},
		"refused handshake":  {trusted, strict.URL + "/ok", want{status: deployment.Unhealthy, says: []string{"TLS: the server refused the handshake"}}},
		"silent in the dark": {trusted, "https://" + silent(t), want{status: deployment.Unhealthy, says: []string{"shaking hands by TLS"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := time.Minute
			if name == "silent in the dark" {
				timeout = 100 * time.Millisecond
			}
			test.want.check(t, health.New(health.Config{RootCAs: test.roots}).Look(t.Context(), deployment.CheckDefinition{
				Type: "http", Timeout: timeout, HTTP: &deployment.HTTPCheck{URL: test.url},
			}, nil))
		})
	}
}

// TestSecretsOfACheckAreInNoAnswer: neither in one that passes, nor in the error
// of a connection.
func TestSecretsOfACheckAreInNoAnswer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(application())
	t.Cleanup(server.Close)
	const secret = "canary 93c1/x"
	c := health.New(health.Config{})
	for _, url := range []string{
		server.URL + "/ok/canary%2093c1%2Fx", server.URL + "/down?canary%2093c1%2Fx", "http://127.0.0.1:1/canary%2093c1%2Fx", "http://canary 93c1/x",
	} {
		got := c.Look(t.Context(), deployment.CheckDefinition{
			Type: "http", Name: "hook", Secrets: []string{secret}, HTTP: &deployment.HTTPCheck{URL: url, Body: secret},
		}, nil)
		if strings.Contains(got.Message, "canary") || got.Message == "" {
			t.Errorf("%s: %s", url, got.Message)
		}
	}
}
