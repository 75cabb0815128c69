package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/engine"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
)

// The secrets of the components of these tests: of the one that runs, and of the
// one that is to.
const secretA, secretB = "canary-of-the-old", "canary of\nthe new: \"7\""

// gossips gives the engine a platform that says in every answer what it was told
// in confidence.
type gossips struct {
	*world
	mu      sync.Mutex
	fails   map[string]bool // by call: it is answered with an error
	secrets []string        // that it was told
}

func (g *gossips) wrap(p sdk.Platform, err error) (sdk.Platform, error) {
	if err != nil {
		return nil, err
	}
	inner, _ := p.(platform)
	return gossiper{platform: inner, g: g}, nil
}

func (g *gossips) Get(name string) (sdk.Platform, error) { return g.wrap(g.world.Get(name)) }

func (g *gossips) Await(ctx context.Context, name string) (sdk.Platform, error) {
	return g.wrap(g.world.Await(ctx, name))
}

// told is what the plugin says: what it was told.
func (g *gossips) told(specs ...[]byte) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, spec := range specs {
		for _, value := range deployment.SensitiveValues(spec, []string{"keys.*.token"}) {
			if !slices.Contains(g.secrets, value) {
				g.secrets = append(g.secrets, value)
			}
		}
	}
	return "I was told: " + strings.Join(g.secrets, " and ")
}

// errorOf is the answer of a call that is to fail.
func (g *gossips) errorOf(call string) error {
	told := g.told()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.fails[call] {
		return nil
	}
	delete(g.fails, call)
	return fmt.Errorf("call %s: %w", call, &sdk.Error{
		Code: sdk.Unavailable, Message: told, Retryable: true, Resource: told, Metadata: map[string]string{"by": told}, Err: errors.New(told),
	})
}

type gossiper struct {
	platform
	g *gossips
}

func (p gossiper) Resolve(ctx context.Context, r sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
	told := p.g.told(r.Target.Spec)
	release, _, err := p.platform.Resolve(ctx, r)
	release.View = map[string]string{"content": told}
	var ds diag.Diagnostics
	ds.Warnf([]string{"content"}, "%s", told)
	if strings.Contains(string(r.Target.Spec), "refuse") {
		ds.Errorf([]string{"content"}, "%s", told)
	}
	return release, ds, err
}

func (p gossiper) Snapshot(ctx context.Context, r sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	told := p.g.told(r.Target.Spec)
	result, err := p.platform.Snapshot(ctx, r)
	result.Snapshot.View = map[string]string{"content": told}
	return result, errors.Join(err, p.g.errorOf("snapshot"))
}

func (p gossiper) Plan(ctx context.Context, r sdk.PlanRequest) (sdk.Plan, error) {
	told := p.g.told(r.Target.Spec)
	plan, err := p.platform.Plan(ctx, r)
	plan.Steps = append(plan.Steps, sdk.Step{Resource: "r", Action: "update", Summary: told, Diff: told, Command: told})
	plan.NotRestored = []string{told}
	plan.Diagnostics.Warnf(nil, "%s", told)
	return plan, err
}

func (p gossiper) Deploy(ctx context.Context, r sdk.DeployRequest) (sdk.Handle, error) {
	p.g.told(r.Target.Spec)
	if err := p.g.errorOf("deploy"); err != nil {
		return sdk.Handle{}, err
	}
	return p.platform.Deploy(ctx, r)
}

func (p gossiper) Probe(ctx context.Context, r sdk.ProbeRequest) (sdk.ProbeResult, error) {
	told := p.g.told(r.Target.Spec)
	result, err := p.platform.Probe(ctx, r)
	for i := range result.Checks {
		result.Checks[i].Message = told
	}
	return result, err
}

func (p gossiper) Watch(ctx context.Context, r sdk.WatchRequest, sink sdk.Sink) error {
	told := p.g.told(r.Target.Spec)
	return p.platform.Watch(ctx, r, func(events ...sdk.Event) error {
		all := []sdk.Event{
			{Log: &sdk.LogLine{Line: told}},
			{Drift: &sdk.Drift{By: told, Message: told}},
			{Resource: &sdk.Resource{ID: "x", Reason: told, Message: told}},
			{State: &sdk.State{Message: told, Resources: []sdk.Resource{{ID: "x", Message: told}}}},
		}
		for _, event := range events {
			if o := event.Outcome; o != nil {
				said := *o
				said.Message, said.Outputs = told, map[string]string{"a": told}
				if o.Failure != nil {
					said.Failure = &sdk.Failure{Code: o.Failure.Code, Message: told, Suggestion: told, Events: []string{told}, Logs: []sdk.LogLine{{Line: told}}}
				}
				event.Outcome = &said
			}
			if event.State == nil {
				all = append(all, event)
			}
		}
		return sink(all...)
	})
}

func (p gossiper) WatchTarget(ctx context.Context, r sdk.WatchTargetRequest, sink sdk.Sink) error {
	told := p.g.told(r.Target.Spec)
	return p.platform.WatchTarget(ctx, r, func(events ...sdk.Event) error {
		return sink(append(events, sdk.Event{Drift: &sdk.Drift{By: told, Message: told}}, sdk.Event{Log: &sdk.LogLine{Line: told}})...)
	})
}

func (p gossiper) Logs(ctx context.Context, r sdk.LogsRequest, send func(...sdk.LogLine) error) error {
	told := p.g.told(r.Target.Spec)
	return p.platform.Logs(ctx, r, func(lines ...sdk.LogLine) error { return send(append(lines, sdk.LogLine{Line: told})...) })
}

// What a plugin was told in confidence is not in what the host records and says,
// wherever the plugin says it: what the schema calls sensitive, also within blocks.
func TestWhatAPluginGivesAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	g := &gossips{world: r.world, fails: map[string]bool{}}
	r.platforms = g
	spec := func(content, secret, more string) string {
		quoted, _ := json.Marshal(secret)
		return `{"web":{"content":"` + content + `","keys":{"one":{"token":` + string(quoted) + `}}` + more + `}}`
	}
	var mu sync.Mutex
	said := map[string]string{}
	note := func(where string, what any) {
		text, isText := what.(string)
		if !isText {
			data, err := json.Marshal(what)
			if err != nil {
				t.Error(err)
			}
			text = string(data)
		}
		mu.Lock()
		defer mu.Unlock()
		said[where] += "\n" + text
	}
	heard, stop := r.bus.Subscribe("")
	var listening sync.WaitGroup
	listening.Go(func() {
		for event := range heard {
			note("bus "+string(event.Type), string(event.Data))
		}
	})
	r.run()
	first := r.await(r.start("v1", spec("a", secretA, "")).ID, 1)
	g.mu.Lock()
	g.fails["snapshot"], g.fails["deploy"] = true, true
	g.mu.Unlock()
	plan, err := r.engine.PlanStart(t.Context(), deployment.Request{Name: "shop", Version: "v2", Configuration: json.RawMessage(spec("b", secretB, ""))})
	if err != nil {
		t.Fatal(err)
	}
	note("plan", plan.Components)
	note("plan", plan.NotRestored)
	second := r.await(r.start("v2", spec("b", secretB, `,"fail":"EXITED"`)).ID, 2)
	back, err := r.engine.PlanRollback(t.Context(), first.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	note("plan of a rollback", back.Components)
	_, err = r.engine.Start(t.Context(), deployment.Request{Name: "shop", Version: "v3", Configuration: json.RawMessage(spec("refuse", secretB, ""))}, nil, tester, nil)
	note("refusal", fmt.Sprint(err))
	for _, d := range []*deployment.Deployment{first, second} {
		events, err := r.store.Events(t.Context(), d.ID, 0, 10000)
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range events {
			note("event "+string(event.Type), string(event.Data))
		}
		for i := range d.Components {
			c := d.Components[i]
			for _, evidence := range c.Evidence {
				data, err := r.store.Blob(t.Context(), evidence.Key)
				if err != nil {
					t.Fatal(err)
				}
				note("evidence", string(data))
			}
			c.Definition.Spec = nil
			note("component", c)
		}
		note("deployment", fmt.Sprint(d.Reason, d.Waiting))
		runs := d.Runs
		for i := range runs {
			for j := range runs[i].Steps {
				runs[i].Steps[j].GoalSpec = nil
			}
		}
		note("runs", runs)
		if err := r.engine.Logs(t.Context(), d.ID, deployment.LogQuery{Tail: 10}, func(_ string, lines ...deployment.LogLine) error {
			note("logs", lines)
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	r.stop()
	stop()
	listening.Wait()
	for _, where := range []string{"bus log", "event deployment.waiting", "event resource.status", "event operation.finished", "event target.drift", "event check.status", "evidence", "component", "deployment", "runs", "logs", "plan", "plan of a rollback", "refusal"} {
		if !strings.Contains(said[where], "[sensitive]") {
			t.Errorf("%s does not tell that something was taken out: %s", where, said[where])
		}
	}
	for where, text := range said {
		for _, secret := range []string{secretA, secretB} {
			for _, form := range deployment.SecretForms(secret) {
				if at := strings.Index(text, form); at >= 0 {
					t.Errorf("%s holds %q: …%s…", where, form, text[max(0, at-80):min(len(text), at+80)])
				}
			}
		}
	}
}

var _ engine.Platforms = (*gossips)(nil)
