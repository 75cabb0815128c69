package cli_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/access"
	bus "github.com/apm-deploy/apm/host/internal/bus/memory"
	"github.com/apm-deploy/apm/host/internal/config"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/engine"
	"github.com/apm-deploy/apm/host/internal/health"
	"github.com/apm-deploy/apm/host/internal/seal"
	"github.com/apm-deploy/apm/host/internal/server"
	"github.com/apm-deploy/apm/host/internal/store/sqlite"
)

const configText = `
plugin "memory" {
  path = "/nonexistent"
  dev  = true
}
deployment {
  default_platform    = "memory"
  default_environment = "test"
  applications        = ["app.hcl"]
  memory {
    monitor { interval = "50ms" }
  }
}
`

const appText = `
application "shop" {
  policy {
    bake = "0s"
  }
  component "web" {
    spec { content = "shop ${version}" }
  }
}
`

// testHost is a whole host, but for its platform, on a loopback port.
type testHost struct {
	env map[string]string // of a command line that reaches it as admin
	dir string

	processes *plugins
}

// newHost starts one that ends with the test.
func newHost(t *testing.T) testHost {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"config.hcl": configText, "app.hcl": appText} {
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	settings, err := config.Load(filepath.Join(dir, "config.hcl"))
	check(t, err)
	sealer, err := seal.Open(dir, false)
	check(t, err)
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, "apm.db"), Sealer: sealer, HostID: "test"})
	check(t, err)
	platform, doorbell, log := newMemory(), bus.New(), slog.New(slog.DiscardHandler)
	rights := access.New(store, access.Config{Anonymous: true})
	check(t, rights.EnsureLocal(t.Context(), dir, deployment.Actor{Kind: deployment.ActorHost, Name: "test"}))
	run := engine.New(engine.Config{
		Store: store, Platforms: platform, Definitions: config.NewApplications(settings, platform),
		Checker: health.New(health.Config{}), Bus: doorbell, Log: log, Host: "test", Poll: 50 * time.Millisecond,
	})
	processes := &plugins{state: "ready"}
	serve, err := server.New(server.Config{Listen: "localhost:0", HostName: "test"}, server.Parts{
		Engine: run, Store: store, Bus: doorbell, Authenticator: rights, Tokens: rights, Plugins: processes, Applications: processes,
	}, log)
	check(t, err)
	check(t, serve.Listen(t.Context()))

	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 2)
	go func() { ended <- serve.Serve(ctx) }()
	go func() { ended <- run.Run(ctx) }()
	t.Cleanup(func() {
		grace, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		err := serve.Shutdown(grace)
		stop()
		check(t, errors.Join(err, <-ended, <-ended, store.Close()))
	})
	token, err := access.ReadFile(dir)
	check(t, err)
	_, port, err := net.SplitHostPort(serve.Addr().String())
	check(t, err)
	return testHost{processes: processes, env: map[string]string{"APM_URL": "http://localhost:" + port, "APM_TOKEN": token}, dir: dir}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// plugins are what the server is told of plugins and applications.
type plugins struct {
	mu    sync.Mutex
	state string
	// silent is a plugin that has told no version.
	silent bool
	// restart are the states after a restart, and next those that are left of them,
	// one at each look.
	restart []string
	next    []string
	upgrade func() (apiv1.PluginUpgrade, error)
}

// with changes what is told.
func (p *plugins) with(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *plugins) one() apiv1.Plugin {
	p.mu.Lock()
	defer p.mu.Unlock()
	reason := ""
	if p.state != "ready" {
		reason = "exit status 7"
	}
	version := "1.0.0"
	if p.silent {
		version = ""
	}
	return apiv1.Plugin{
		Platform: "memory", Plugin: "memory", Version: version, Path: "/nonexistent", State: p.state, Reason: reason, PID: 42, Capabilities: []string{"plan", "cancel", "logs"},
		Spec:   []apiv1.SchemaKey{{Name: "content", Type: "string", Required: true, Description: "What it is."}, {Name: "file", Type: "string", Path: true}},
		Schema: &apiv1.PluginSchema{Spec: memorySpec},
	}
}

func (p *plugins) Plugins(context.Context) ([]apiv1.Plugin, error) {
	return []apiv1.Plugin{p.one()}, nil
}

func (p *plugins) Plugin(_ context.Context, name string) (apiv1.Plugin, error) {
	if name != "memory" {
		return apiv1.Plugin{}, &deployment.Error{Code: deployment.NotFound, Message: "there is no platform " + name}
	}
	now := p.one()
	p.with(func() {
		if len(p.next) > 0 {
			p.state, p.next = p.next[0], p.next[1:]
		}
	})
	return now, nil
}

func (p *plugins) Restart(context.Context, string) error {
	p.with(func() { p.state, p.next = "draining", append([]string(nil), p.restart...) })
	return nil
}

func (p *plugins) Upgrade(context.Context, string) (apiv1.PluginUpgrade, error) { return p.upgrade() }

func (*plugins) Resolve(name string) (string, error) { return name, nil }

func (*plugins) Changes() (<-chan struct{}, func()) { return nil, func() {} }

func (*plugins) Applications(context.Context) ([]apiv1.Application, error) {
	return []apiv1.Application{{Name: "one", Components: []string{"web"}}, {Name: "two", Components: []string{"web", "worker"}}}, nil
}

// memorySpec is more than the platform in memory knows, for what only reads it.
var memorySpec = apiv1.SchemaBlock{
	Attributes: []apiv1.SchemaKey{
		{Name: "content", Type: "string", Required: true, Description: "What it is. Nobody asks why."},
		{Name: "exits", Type: "bool", Default: "false"},
		{Name: "old", Type: "bool", Deprecated: true},
	},
	Blocks: []apiv1.SchemaNested{
		{Name: "port", Nesting: "map", Block: apiv1.SchemaBlock{Attributes: []apiv1.SchemaKey{{Name: "listen", Type: "string", Required: true}, {Name: "tls", Type: "bool"}}}},
		{Name: "build", Nesting: "single", Block: apiv1.SchemaBlock{
			Description: "How it is made.",
			Attributes:  []apiv1.SchemaKey{{Name: "cached", Type: "bool", Default: "true"}},
			Blocks:      []apiv1.SchemaNested{{Name: "stage", Nesting: "map", Block: apiv1.SchemaBlock{Attributes: []apiv1.SchemaKey{{Name: "quick", Type: "bool"}}}}},
		}},
		{Name: "mount", Nesting: "list", Block: apiv1.SchemaBlock{Attributes: []apiv1.SchemaKey{{Name: "source", Type: "string", Path: true}}}},
	},
}
