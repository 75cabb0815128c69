package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/bus/memory"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/engine"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
)

// rig is an engine on a real store before a fake world.
type rig struct {
	t      *testing.T
	world  *world
	store  history
	engine *engine.Engine
	stop   func() // the engine, as a clean stop of the host does
	policy deployment.Policy
	wrap   func(history) engine.Store
	bus    *memory.Bus
	now    func() time.Time
	lease  time.Duration
	renew  time.Duration // 0: a third of lease
	limit  time.Duration // of the stages that a test is about
	// platforms are those of the engine; nil: the world's.
	platforms engine.Platforms

	directory string
	shut      func()

	mu     sync.Mutex
	caught []string // what the log says of plugins that break the contract
}

// logged is how often the log says that a plugin broke the rule.
func (r *rig) logged(rule string) (times int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.caught {
		if strings.Contains(line, "reason=PLUGIN_BUG") && strings.Contains(line, "rule="+rule) {
			times++
		}
	}
	return times
}

// definitions makes a definition of a request without files: the configuration
// is a map from component to its spec and dependencies.
type definitions struct{ policy deployment.Policy }

type componentConfig struct {
	spec
	DependsOn []string `json:"depends_on"`
	Steps     []int    `json:"steps"`
	NoChecks  bool     `json:"no_checks"`
	Startup   int      `json:"startup"`  // ms
	Timeout   int      `json:"timeout"`  // ms
	Pause     int      `json:"pause"`    // ms between steps; 0: 50
	Interval  int      `json:"interval"` // ms between two looks; 0: 50
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
			Name: name, Platform: "fake", DependsOn: c.DependsOn, Spec: raw, Sensitive: []string{"keys.*.token"},
			Promotion: deployment.Promotion{Steps: []int{100}},
			Monitor:   deployment.Monitor{Interval: 50 * time.Millisecond, Timeout: 20 * time.Second},
		}
		if len(c.Steps) > 0 {
			component.Promotion = deployment.Promotion{Steps: c.Steps, Pause: 50 * time.Millisecond}
		}
		if c.Pause > 0 {
			component.Promotion.Pause = time.Duration(c.Pause) * time.Millisecond
		}
		if c.Interval > 0 {
			component.Monitor.Interval = time.Duration(c.Interval) * time.Millisecond
		}
		if c.Timeout > 0 {
			component.Monitor.Timeout = time.Duration(c.Timeout) * time.Millisecond
		}
		if !c.NoChecks {
			component.Checks = []deployment.CheckDefinition{{
				Type: "http", Name: "home", Interval: 20 * time.Millisecond, Timeout: time.Second, Passes: 2, Failures: 2,
				Startup: time.Duration(c.Startup) * time.Millisecond,
				HTTP:    &deployment.HTTPCheck{URL: "http://${address}/"},
			}}
		}
		definition.Components = append(definition.Components, component)
	}
	return definition, nil, nil
}

func (definitions) Locate(context.Context, deployment.Request, *deployment.Definition, string, diag.Diagnostics) []deployment.Problem {
	return nil
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := bareRig(t)
	if raced {
		r.open(origin{ram: newRAM()})
	} else {
		r.open(origin{directory: fresh()})
	}
	return r
}

// bareRig is a rig whose store is not open yet.
func bareRig(t *testing.T) *rig {
	t.Helper()
	policy := deployment.DefaultPolicy()
	policy.Bake = 60 * time.Millisecond
	policy.Timeouts = deployment.Timeouts{Preparing: 10 * time.Second, Deploying: 20 * time.Second, Verifying: 10 * time.Second, RollingBack: 20 * time.Second}
	return &rig{t: t, world: newWorld(), directory: t.TempDir(), policy: policy, bus: memory.New(), now: time.Now, lease: 10 * time.Second, stop: func() {}, wrap: func(s history) engine.Store { return s }}
}

// run starts an engine; one that ran before is stopped first.
func (r *rig) run() *rig {
	r.t.Helper()
	r.stop()
	r.engine = engine.New(r.config("host", r.wrap(r.store)))
	stop := r.goOn(r.engine)
	r.stop = func() {
		stop()
		r.stop = func() {}
	}
	return r
}

// config is an engine's, with times that suit tests.
func (r *rig) config(host string, s engine.Store) engine.Config {
	var platforms engine.Platforms = r.world
	if r.platforms != nil {
		platforms = r.platforms
	}
	return engine.Config{
		Store: s, Platforms: platforms, Definitions: definitions{policy: r.policy}, Checker: r.world,
		Bus: r.bus, Log: slog.New(strict{r}), Host: host, LeaseTTL: r.lease, Renew: r.renew,
		Poll: 150 * time.Millisecond, Retry: 100 * time.Millisecond, Silence: 5 * time.Second, Now: r.now,
	}
}

// goOn runs an engine and returns what stops it.
func (r *rig) goOn(e *engine.Engine) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = e.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// strict is a log in which an error fails the test: the engine logs one where
// its own rules are broken.
type strict struct{ r *rig }

func (s strict) Enabled(context.Context, slog.Level) bool { return true }

func (s strict) Handle(_ context.Context, r slog.Record) error {
	attributes := ""
	r.Attrs(func(a slog.Attr) bool {
		attributes += " " + a.String()
		return true
	})
	switch {
	case r.Level >= slog.LevelError:
		s.r.t.Errorf("engine: %s%s", r.Message, attributes)
	case r.Level >= slog.LevelWarn && strings.Contains(attributes, "rule="):
		s.r.mu.Lock()
		s.r.caught = append(s.r.caught, attributes)
		s.r.mu.Unlock()
	case os.Getenv("APM_TEST_LOG") != "":
		s.r.t.Logf("engine: %s%s", r.Message, attributes)
	}
	return nil
}

func (s strict) WithAttrs([]slog.Attr) slog.Handler { return s }
func (s strict) WithGroup(string) slog.Handler      { return s }

var shop = deployment.Target{Application: "shop", Environment: "test"}

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

// startWith is start with a policy, given as JSON over the rig's.
func (r *rig) startWith(version, components, policy string) *deployment.Deployment {
	r.t.Helper()
	d, err := r.engine.Start(r.t.Context(), deployment.Request{
		Name: "shop", Version: version, Configuration: json.RawMessage(components), Policy: json.RawMessage(policy),
	}, nil, tester, nil)
	if err != nil {
		r.t.Fatalf("start %s: %v", version, err)
	}
	return d
}

// wish stores a command as the engine of any host does, and waits for nobody.
func (r *rig) wish(id string, kind deployment.CommandKind, version string) {
	command := deployment.Command{
		ID: fmt.Sprint(kind, "-", id), DeploymentID: id, Target: deployment.Target{Application: "shop", Environment: "test"},
		Kind: kind, Actor: tester, At: time.Now().UTC(), TargetVersion: version,
	}
	err := r.store.Command(r.t.Context(), command, deployment.AuditRecord{
		At: command.At, Actor: tester, Action: "deployment." + string(kind), Object: id,
	})
	if err != nil {
		r.t.Errorf("wish %s: %v", kind, err)
	}
}

// poll waits until the condition holds.
func (r *rig) poll(what string, holds func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			r.t.Errorf("waited for %s in vain", what)
			return
		}
		<-tick.C
	}
}

// patience is how long a test waits on a loaded machine.
const patience = time.Minute

// await waits until the deployment's last run has ended.
func (r *rig) await(id string, runs int) *deployment.Deployment {
	r.t.Helper()
	return r.until(id, fmt.Sprintf("%d runs ended", runs), func(d *deployment.Deployment) bool {
		return len(d.Runs) >= runs && !d.Run().Open()
	})
}

// until looks into the store at every ring, and now and then besides.
func (r *rig) until(id, what string, holds func(*deployment.Deployment) bool) *deployment.Deployment {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	bell, stop := r.bus.Doorbell(id)
	defer stop()
	tick := time.NewTicker(50 * time.Millisecond)
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
		select {
		case <-bell:
		case <-tick.C:
		}
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

// payloads returns the payloads of a deployment's events of one type, in order.
func payloads[T any](r *rig, id string, kind deployment.EventType) (all []T) {
	r.t.Helper()
	events, err := r.store.Events(r.t.Context(), id, 0, 10000)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range events {
		if e.Type != kind {
			continue
		}
		var p T
		if err := json.Unmarshal(e.Data, &p); err != nil {
			r.t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// seqOf returns the seq of the first event that holds, 0 if none does.
func (r *rig) seqOf(id string, holds func(deployment.Event) bool) uint64 {
	r.t.Helper()
	events, err := r.store.Events(r.t.Context(), id, 0, 10000)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range events {
		if holds(e) {
			return e.Seq
		}
	}
	return 0
}

// fails says that the next calls of one kind are answered with an error, or no
// more with the code "".
func (r *rig) fails(call string, code sdk.Code) {
	r.world.with(func() {
		delete(r.world.failing, call)
		if code != "" {
			r.world.failing[call] = *sdk.Errorf(code, sdk.ReasonUnspecified, "as told")
		}
	})
}

// state is what is recorded of the target.
func (r *rig) state() deployment.TargetState {
	r.t.Helper()
	state, err := r.store.State(r.t.Context(), deployment.Target{Application: "shop", Environment: "test"})
	if err != nil {
		r.t.Fatal(err)
	}
	return state
}

// waits waits until the deployment waits for something of that kind.
func (r *rig) waits(id string, kind deployment.WaitKind) *deployment.Deployment {
	r.t.Helper()
	return r.until(id, "waiting for "+string(kind), func(d *deployment.Deployment) bool {
		return d.Waiting != nil && d.Waiting.Kind == kind
	})
}
