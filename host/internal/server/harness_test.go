package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/apm-deploy/apm/api/client"
	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/access"
	"github.com/apm-deploy/apm/host/internal/bus/memory"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/seal"
	"github.com/apm-deploy/apm/host/internal/server"
	"github.com/apm-deploy/apm/host/internal/store/sqlite"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp's own: one clock for the process, and one sweeper for each server
		// that looks every 10 s whether it was stopped.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

// hostName is the host of every test.
const hostName = "host-a"

// patience bounds every wait for what must happen.
const patience = time.Minute

var (
	noon   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	person = deployment.Actor{Kind: deployment.ActorToken, Name: "alice", Role: deployment.RoleDeployer}
	shop   = deployment.Target{Application: "my-app", Environment: "production"}
)

// host is a server on a loopback port with a real store, bus and access. Its
// engine accepts, and leaves the rest to the test.
type host struct {
	*testing.T
	store   *flaky
	bus     *memory.Bus
	access  *access.Access
	engine  *engine
	plugins *plugins
	server  *server.Server
	url     string
	epochs  map[deployment.Target]uint64

	admin, deployer, viewer string // tokens
}

// options are what a test wants otherwise.
type options struct {
	server    server.Config
	anonymous bool
}

// newHost starts one that ends with the test.
func newHost(t *testing.T, o options) *host {
	t.Helper()
	directory := t.TempDir()
	sealer, err := seal.Open(directory, false)
	ok(t, err)
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(directory, "apm.db"), Sealer: sealer, HostID: hostName})
	ok(t, err)
	h := &host{T: t, store: &flaky{Store: store}, bus: memory.New(), epochs: map[deployment.Target]uint64{}}
	h.access = access.New(h.store, access.Config{Anonymous: o.anonymous})
	h.plugins = &plugins{rings: make(chan struct{}, 1)}
	h.engine = &engine{host: h, lines: make(chan deployment.LogLine)}
	if o.server.Listen == "" {
		o.server.Listen = "localhost:0"
	}
	o.server.HostName = hostName
	h.server, err = server.New(o.server, server.Parts{
		Engine: h.engine, Store: h.store, Bus: h.bus, Authenticator: h.access, Tokens: h.access,
		Plugins: h.plugins, Applications: applications{},
	}, slog.New(slog.NewTextHandler(testWriter{t}, nil)))
	ok(t, err)
	ok(t, h.server.Listen(t.Context()))
	_, port, err := net.SplitHostPort(h.server.Addr().String())
	ok(t, err)
	h.url = "http://localhost:" + port
	served := make(chan error, 1)
	go func() { served <- h.server.Serve(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := h.server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := store.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	for role, token := range map[deployment.Role]*string{
		deployment.RoleAdmin: &h.admin, deployment.RoleDeployer: &h.deployer, deployment.RoleViewer: &h.viewer,
	} {
		_, secret, err := h.access.Create(t.Context(), "test "+string(role), role, 0, deployment.Actor{Kind: deployment.ActorHost, Name: hostName})
		ok(t, err)
		*token = secret
	}
	return h
}

// client returns a client with that token.
func (h *host) client(token string) *client.Client {
	h.Helper()
	c, err := client.New(client.Config{URL: h.url, Token: token})
	ok(h.T, err)
	h.Cleanup(c.Close)
	return c
}

// call is one request without a client's help.
type call struct {
	method, path, token, body string
	host, origin              string
	header                    map[string]string
}

// answer is what came back.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	problem v1.Problem // where it is one
}

// do sends a request on a fresh connection.
func (h *host) do(c call) answer {
	h.Helper()
	if c.method == "" {
		c.method = http.MethodGet
	}
	var body io.Reader
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(h.Context(), c.method, h.url+c.path, body)
	ok(h.T, err)
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.origin != "" {
		req.Header.Set("Origin", c.origin)
	}
	for name, value := range c.header {
		req.Header.Set(name, value)
	}
	if c.host != "" {
		req.Host = c.host
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	ok(h.T, err)
	defer res.Body.Close()
	return read(h.T, res)
}

// read reads an answer.
func read(t *testing.T, res *http.Response) answer {
	t.Helper()
	content, err := io.ReadAll(res.Body)
	ok(t, err)
	a := answer{status: res.StatusCode, header: res.Header, body: content}
	if res.Header.Get("Content-Type") == "application/problem+json" {
		ok(t, json.Unmarshal(content, &a.problem))
	}
	return a
}

// accept accepts a deployment of my-app in production.
func (h *host) accept(version string) *deployment.Deployment {
	h.Helper()
	d, err := h.engine.Start(h.Context(), deployment.Request{Name: shop.Application, Version: version, Environment: shop.Environment}, nil, person, nil)
	ok(h.T, err)
	return d
}

// commit stores the deployment as it is, with events of those types and
// payloads, and rings.
func (h *host) commit(d *deployment.Deployment, events ...deployment.Event) {
	h.Helper()
	change := deployment.Change{Target: d.Target, Epoch: h.epoch(d.Target), Deployment: d}
	for _, e := range events {
		d.Seq++
		e.DeploymentID, e.Seq, e.Time = d.ID, d.Seq, noon.Add(time.Duration(d.Seq)*time.Second)
		change.Events = append(change.Events, e)
	}
	d.Status, d.Reason = d.Derive()
	for i := range d.Components {
		d.Components[i].Status, d.Components[i].Reason = d.DeriveComponent(&d.Components[i])
	}
	ok(h.T, h.store.Commit(h.Context(), change))
	h.bus.Ring(d.ID)
}

// state changes the target's.
func (h *host) state(target deployment.Target, mutate func(*deployment.TargetState)) {
	h.Helper()
	state, err := h.store.State(h.Context(), target)
	ok(h.T, err)
	mutate(&state)
	ok(h.T, h.store.Commit(h.Context(), deployment.Change{Target: target, Epoch: h.epoch(target), State: &state}))
}

// epoch returns that of the target's lease.
func (h *host) epoch(target deployment.Target) uint64 {
	h.Helper()
	if h.epochs[target] == 0 {
		leases, err := h.store.Claim(h.Context(), hostName, time.Hour)
		ok(h.T, err)
		for _, lease := range leases {
			h.epochs[lease.Target] = lease.Epoch
		}
	}
	return h.epochs[target]
}

// complete takes a deployment to its good end.
func (h *host) complete(d *deployment.Deployment) {
	h.Helper()
	r := d.Run()
	r.LockedAt = r.RequestedAt.Add(time.Second)
	h.commit(d, event(deployment.EventStatus, deployment.StatusPayload{Run: 1, Status: deployment.Preparing}))
	r.PreparedAt, r.DeployedAt = r.LockedAt.Add(time.Second), r.LockedAt.Add(2*time.Second)
	r.EndedAt, r.Result, r.Why = r.RequestedAt.Add(time.Minute), deployment.Completed, "every check passed"
	d.EndedAt, d.EndedBy = r.EndedAt, hostName
	h.commit(d, event(deployment.EventStatus, deployment.StatusPayload{Run: 1, Status: deployment.Completed}))
	h.state(d.Target, func(s *deployment.TargetState) {
		s.Holder, s.Current, s.Version = "", d.ID, d.Version
		s.Components = map[string]deployment.Running{"web": {Platform: "process", Deployment: d.ID, Version: d.Version}}
	})
}

// event returns an event with its payload.
func event(kind deployment.EventType, payload any) deployment.Event {
	data, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	return deployment.Event{Type: kind, Data: data}
}

// flaky is a store that can be away.
type flaky struct {
	*sqlite.Store
	away atomic.Bool
}

func (f *flaky) Health(ctx context.Context) error {
	if f.away.Load() {
		return deployment.ErrUnavailable
	}
	return f.Store.Health(ctx)
}

func (f *flaky) List(ctx context.Context, filter deployment.Filter) (deployment.Page, error) {
	if f.away.Load() {
		return deployment.Page{}, fmt.Errorf("list: %w", deployment.ErrUnavailable)
	}
	return f.Store.List(ctx, filter)
}

func (f *flaky) Events(ctx context.Context, id string, after uint64, limit int) ([]deployment.Event, error) {
	if f.away.Load() {
		return nil, fmt.Errorf("events: %w", deployment.ErrUnavailable)
	}
	return f.Store.Events(ctx, id, after, limit)
}

// testWriter logs into the test.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// ok ends the test on an error.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// another returns a second server for the same host, which does not listen yet.
func (h *host) another(listen string) *server.Server {
	h.Helper()
	s, err := server.New(server.Config{Listen: listen}, server.Parts{
		Engine: h.engine, Store: h.store, Bus: h.bus, Authenticator: h.access, Tokens: h.access,
		Plugins: &plugins{}, Applications: applications{},
	}, slog.New(slog.DiscardHandler))
	ok(h.T, err)
	return s
}

// pid is that of the test.
func pid() int { return os.Getpid() }
