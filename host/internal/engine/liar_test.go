package engine_test

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/engine"
	"github.com/apm-deploy/apm/sdk"
)

// A plugin that goes on talking after the outcome changes nothing any more, and
// one that talks without end fills nothing.
func TestPluginThatTalksTooMuch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.world.talks = true
	r.run()
	d := r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	if d.Status != deployment.Completed {
		t.Fatalf("%s: %.200s", d.Status, d.Reason)
	}
	web := d.Component("web")
	if len(web.Resources) > 1000 {
		t.Errorf("%d resources", len(web.Resources))
	}
	for _, resource := range web.Resources {
		if resource.ID == "after the outcome" {
			t.Errorf("believed what came after the outcome: %+v", resource)
		}
		if len(resource.Message)+len(resource.Reason) > 8<<10 {
			t.Errorf("resource %s has a message of %d bytes", resource.ID, len(resource.Message))
		}
	}
	for _, check := range web.Checks {
		if len(check.Message) > 4<<10 {
			t.Errorf("check %s has a message of %d bytes", check.Name, len(check.Message))
		}
	}
	events, err := r.store.Events(t.Context(), d.ID, 0, 10000)
	if err != nil || len(events) > 1500 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// The same for a plugin whose last word is long.
func TestFailureThatTalksTooMuch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	r.world.with(func() { r.world.talks = true })
	d := r.await(r.start("v2", `{"web":{"content":"b","fail":"EXITED"}}`).ID, 2)
	if len(d.Reason) > 5<<10 || !strings.Contains(d.Reason, "it exits with EXITED") {
		t.Errorf("a reason of %d bytes: %.100s", len(d.Reason), d.Reason)
	}
	data, err := r.store.Blob(t.Context(), d.Runs[0].Failure.Evidence)
	if err != nil || len(data) > 1<<20 {
		t.Errorf("evidence of %d bytes, %v", len(data), err)
	}
}

// linger goes on with what is nobody's business any more, until it is hung up.
func linger(ctx context.Context, sink sdk.Sink) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := sink(sdk.Event{Heartbeat: true}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// A plugin that says that all went well, and did nothing, is not believed: without
// checks that pass nothing is completed, and what ran before goes on.
func TestLyingSuccess(t *testing.T) {
	t.Parallel()
	for name, components := range map[string]string{
		"with checks of its own only": `{"web":{"content":"a","no_checks":true,"timeout":1500}}`,
		"with checks of the host":     `{"web":{"content":"a","timeout":1500}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.world.lies = true
			r.run()
			id := r.start("v1", components).ID
			d := r.until(id, "ended", func(d *deployment.Deployment) bool { return d.Status.Terminal() })
			if d.Status != deployment.RolledBack || !strings.Contains(d.Reason, "check process failed") {
				t.Errorf("%s: %s; %+v", d.Status, d.Reason, d.Runs[0].Failure)
			}
			if r.state().Current == id && r.state().Version == "v1" && len(r.state().Components) > 0 {
				t.Errorf("recorded as running: %+v", r.state())
			}
			if slices.Contains(r.path(id), string(deployment.Completed)) {
				t.Errorf("was completed: %v", r.path(id))
			}
		})
	}
}

// Progress that goes backwards, or is none, is never shown, and the plugin is
// caught once.
func TestProgressThatGoesBackwards(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.world.twist = func(events []sdk.Event) []sdk.Event {
		var all []sdk.Event
		for _, event := range events {
			if event.State == nil {
				all = append(all, event)
				continue
			}
			for _, fraction := range []float64{0.6, 0.2, math.NaN(), -3, math.Inf(1), 0.7, 0.1} {
				state := *event.State
				state.Fraction = fraction
				all = append(all, sdk.Event{State: &state})
			}
		}
		return all
	}
	seen, stop := r.bus.Subscribe("")
	var shown []float64
	var listening sync.WaitGroup
	listening.Go(func() {
		for event := range seen {
			var p deployment.ProgressPayload
			if event.Type == deployment.EventProgress && json.Unmarshal(event.Data, &p) == nil {
				shown = append(shown, p.Percentage)
			}
		}
	})
	r.run()
	d := r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	r.stop()
	if d.Status != deployment.Completed || d.Run().Step("web").Operation().Fraction != 0.7 {
		t.Fatalf("%s: %s; at %v", d.Status, d.Reason, d.Run().Step("web").Operation().Fraction)
	}
	stop()
	listening.Wait()
	if len(shown) == 0 || !slices.IsSorted(shown) {
		t.Errorf("shown was %v", shown)
	}
	if got := r.engine.Misdeeds("fake")[engine.MisdeedBackwards]; got != 5 {
		t.Errorf("caught %d times", got)
	}
	if n := r.logged(string(engine.MisdeedBackwards)); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// A stream that never ends is hung up after the outcome: the deployment goes on
// at once, whatever else is sent.
func TestStreamThatGoesOnAfterTheOutcome(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.world.lingers = true
	r.world.twist = func(events []sdk.Event) []sdk.Event {
		if events[len(events)-1].Outcome == nil {
			return events
		}
		return append(events, sdk.Event{Resource: &sdk.Resource{ID: "ghost", Health: sdk.ResourceFailed}})
	}
	r.run()
	d := r.await(r.start("v1", `{"web":{"content":"a","timeout":15000}}`).ID, 1)
	if d.Status != deployment.Completed || len(d.Component("web").Resources) > 1 {
		t.Errorf("%s: %s; %+v", d.Status, d.Reason, d.Component("web").Resources)
	}
	if counts := r.engine.Misdeeds("fake"); counts[engine.MisdeedAfter] != 1 || r.logged(string(engine.MisdeedAfter)) != 1 {
		t.Errorf("%v, logged %d times", counts, r.logged(string(engine.MisdeedAfter)))
	}
}

// Events of an operation that is not the one that counts any more are dropped:
// here those of the first, while its successor runs.
func TestEventsOfAnEarlierOperation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	release := make(chan struct{})
	var once sync.Once
	r.world.twist = func(events []sdk.Event) []sdk.Event {
		if outcome := events[len(events)-1].Outcome; outcome != nil && outcome.Result == sdk.ResultFailed {
			once.Do(func() {
				r.world.with(func() {
					r.world.stray = func(sink sdk.Sink) {
						<-release
						_ = sink(sdk.Event{Outcome: &sdk.Outcome{Result: sdk.ResultFailed, Message: "from the grave"}})
					}
				})
			})
		}
		return events
	}
	r.run()
	id := r.start("v1", `{"web":{"content":"a","fail":"OOM_KILLED","environment":true}}`).ID
	r.waits(id, deployment.WaitEnvironment)
	r.world.with(func() { r.world.mended = true })
	r.until(id, "a second operation", func(d *deployment.Deployment) bool { return len(d.Run().Step("web").Operations) > 1 })
	close(release)
	d := r.await(id, 1)
	r.world.strays.Wait()
	if d.Status != deployment.Completed {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
	for rule, count := range r.engine.Misdeeds("fake") {
		if count > 0 { // on the wire no event can come behind its stream: it is no rule for a plugin
			t.Errorf("%s: %d", rule, count)
		}
	}
}

// What is no UTF-8 is replaced, wherever a plugin says it.
func TestTextThatIsNone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const bad = "\xff\xfe\x80"
	junk := strings.Repeat("\x80", 10<<10) // no rune begins in it
	r.world.twist = func(events []sdk.Event) []sdk.Event {
		return append([]sdk.Event{
			{Log: &sdk.LogLine{Resource: bad, Line: junk, Stream: bad}},
			{Resource: &sdk.Resource{ID: bad, Kind: bad, Name: bad, Revision: bad, Reason: bad, Message: junk, Health: sdk.ResourceReady}},
			{Drift: &sdk.Drift{By: bad, Message: junk, Revision: bad}},
			{State: &sdk.State{Message: junk, Resources: []sdk.Resource{{ID: bad, Message: bad, Health: sdk.ResourceReady}}}},
		}, events...)
	}
	r.run()
	d := r.await(r.start("v1", `{"web":{"content":"a","fail":"EXITED`+`"}}`).ID, 2)
	events, err := r.store.Events(t.Context(), d.ID, 0, 10000)
	if err != nil {
		t.Fatal(err)
	}
	held := false
	for _, event := range events {
		if held = held || strings.Contains(string(event.Data), "\uFFFD"); !utf8.Valid(event.Data) {
			t.Errorf("%s is no UTF-8: %q", event.Type, event.Data)
		}
	}
	if !held || !strings.Contains(d.Reason, "EXITED") {
		t.Errorf("%s: %s; what was replaced is told: %v", d.Status, d.Reason, held)
	}
	for _, resource := range d.Component("web").Resources {
		if !utf8.ValidString(resource.ID + resource.Message) {
			t.Errorf("%+v", resource)
		}
	}
}
