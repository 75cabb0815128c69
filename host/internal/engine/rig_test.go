package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/bus/memory"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/engine"
	"github.com/apm-deploy/apm/host/internal/seal"
	"github.com/apm-deploy/apm/host/internal/store"
	"github.com/apm-deploy/apm/host/internal/store/sqlite"
)

// rig is an engine on a real store before a fake world.
type rig struct {
	t      *testing.T
	world  *world
	store  store.Store
	engine *engine.Engine
	stop   func() // the engine, as a clean stop of the host does
	policy deployment.Policy
	wrap   func(store.Store) engine.Store
	defs   definitions
}

// definitions makes a definition of a request without files: the configuration
// is a map from component to its spec and dependencies.
type definitions struct{ policy deployment.Policy }

type componentConfig struct {
	spec
	DependsOn []string `json:"depends_on"`
	Steps     []int    `json:"steps"`
	NoChecks  bool     `json:"no_checks"`
}

func (d definitions) Define(_ context.Context, r deployment.Request, _ *deployment.Definition) (deployment.Definition, []deployment.Problem, error) {
	var components map[string]componentConfig
	if err := json.Unmarshal(r.Configuration, &components); err != nil {
		return deployment.Definition{}, nil, err
	}
	definition := deployment.Definition{
		Application: r.Name, Environment: "test", Version: r.Version, Policy: d.policy,
		Source: deployment.Source{Request: r},
	}
	if len(r.Policy) > 0 {
		if err := json.Unmarshal(r.Policy, &definition.Policy); err != nil {
			return deployment.Definition{}, nil, err
		}
	}
	for name, c := range components {
		raw, _ := json.Marshal(c.spec)
		component := deployment.ComponentDefinition{
			Name: name, Platform: "fake", DependsOn: c.DependsOn, Spec: raw,
			Promotion: deployment.Promotion{Steps: []int{100}},
			Monitor:   deployment.Monitor{Interval: 10 * time.Millisecond, Timeout: 20 * time.Second},
		}
		if len(c.Steps) > 0 {
			component.Promotion = deployment.Promotion{Steps: c.Steps, Pause: 20 * time.Millisecond}
		}
		if !c.NoChecks {
			component.Checks = []deployment.CheckDefinition{{
				Type: "http", Name: "home", Interval: 5 * time.Millisecond, Timeout: time.Second, Passes: 2, Failures: 2,
				HTTP: &deployment.HTTPCheck{URL: "http://${address}/"},
			}}
		}
		definition.Components = append(definition.Components, component)
	}
	return definition, nil, nil
}

func newRig(t *testing.T) *rig {
	t.Helper()
	policy := deployment.DefaultPolicy()
	policy.Bake = 60 * time.Millisecond
	policy.Timeouts = deployment.Timeouts{Preparing: 10 * time.Second, Deploying: 20 * time.Second, Verifying: 10 * time.Second, RollingBack: 20 * time.Second}
	r := &rig{t: t, world: newWorld(), policy: policy, stop: func() {}, wrap: func(s store.Store) engine.Store { return s }}
	directory := t.TempDir()
	sealer, err := seal.Open(directory, false)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(directory, "apm.db"), Sealer: sealer, HostID: "host"})
	if err != nil {
		t.Fatal(err)
	}
	r.store = s
	t.Cleanup(func() {
		r.stop()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// run starts an engine; one that ran before is stopped first.
func (r *rig) run() *rig {
	r.t.Helper()
	r.stop()
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("APM_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	r.engine = engine.New(engine.Config{
		Store: r.wrap(r.store), Platforms: r.world, Definitions: definitions{policy: r.policy}, Checker: r.world,
		Bus: memory.New(), Log: log, Host: "host", LeaseTTL: 10 * time.Second,
		Poll: 20 * time.Millisecond, Retry: 100 * time.Millisecond, Silence: 5 * time.Second,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.engine.Run(ctx)
	}()
	r.stop = func() {
		cancel()
		<-done
		r.stop = func() {}
	}
	return r
}

var tester = deployment.Actor{Kind: deployment.ActorToken, Name: "tester", Role: deployment.RoleDeployer}

// start accepts a deployment of components, given as JSON.
func (r *rig) start(version, components string) *deployment.Deployment {
	r.t.Helper()
	d, err := r.engine.Start(r.t.Context(), deployment.Request{
		Name: "shop", Version: version, Configuration: json.RawMessage(components),
	}, nil, tester, nil)
	if err != nil {
		r.t.Fatalf("start %s: %v", version, err)
	}
	return d
}

// await waits until the deployment's last run has ended.
func (r *rig) await(id string, runs int) *deployment.Deployment {
	r.t.Helper()
	return r.until(id, fmt.Sprintf("%d runs ended", runs), func(d *deployment.Deployment) bool {
		return len(d.Runs) >= runs && !d.Run().Open()
	})
}

// until polls the store.
func (r *rig) until(id, what string, holds func(*deployment.Deployment) bool) *deployment.Deployment {
	r.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		d, err := r.store.Deployment(r.t.Context(), id)
		if err == nil && holds(d) {
			return d
		}
		if time.Now().After(deadline) {
			state, _ := json.MarshalIndent(d, "", " ")
			r.t.Fatalf("not %s in time (%v): %s", what, err, state)
		}
		<-tick.C
	}
}

// path is the way of a deployment's status, from its events.
func (r *rig) path(id string) (path []string) {
	r.t.Helper()
	events, err := r.store.Events(r.t.Context(), id, 0, 10000)
	if err != nil {
		r.t.Fatal(err)
	}
	for i, e := range events {
		if e.Seq != uint64(i+1) {
			r.t.Errorf("event %d has seq %d", i+1, e.Seq)
		}
		if e.Type == deployment.EventStatus {
			var p deployment.StatusPayload
			if err := json.Unmarshal(e.Data, &p); err != nil {
				r.t.Fatal(err)
			}
			path = append(path, string(p.Status))
		}
	}
	return path
}
