package engine_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// faults is what can go wrong in a world. All of it is guarded by its mu.
type faults struct {
	calls   int // that were made, without Probe and Resolve
	goneAt  int // number of the call from which on the plugin is gone; 0: never
	goneFor int // number of calls that are not answered then
	lives   int // of the plugin: streams of one before end

	lost     map[string]int       // by call: carried out, but the answer is lost
	failing  map[string]sdk.Error // by call
	down     bool                 // what every version needs answers nobody
	drifts   []string             // components that somebody changed, in order
	order    []string             // operations in the order in which they began
	watchers int                  // streams of what runs that were opened
	refused  int                  // calls with a stale epoch
	// forbidden is a component whose rollback is refused.
	forbidden string
	unready   bool                          // the platform is started anew
	state     error                         // what is said of it then; nil: that it is in backoff
	unwell    bool                          // the platform is unhealthy, and its plugin answers
	impatient bool                          // Await does not wait
	panics    bool                          // Deploy breaks down after it has begun
	forgets   bool                          // what is cancelled leaves no trace, and the plugin dies of it
	silent    bool                          // Probe answers without a check
	strict    bool                          // Probe ends a little before its deadline; set before anything runs
	talks     bool                          // Watch sends far too much, also after the outcome
	lies      bool                          // operations are said to have succeeded, and nothing is done
	twist     func([]sdk.Event) []sdk.Event // changes what Watch sends
	lingers   bool                          // Watch goes on after the outcome
	stray     func(sdk.Sink)                // what goes on behind the next Watch that ends
	strays    sync.WaitGroup
	hangs     string    // a call that hangs until it is cancelled
	hung      time.Time // when it was
	snapless  bool      // the plugin is gone whenever a snapshot is to be taken
}

// answer is what every call begins with; a person waits for that of Resolve, so
// that it is not one of those that the plugin is gone at. Called under mu.
func (w *world) answer(call string) error {
	if call != "resolve" {
		if call != "probe" {
			w.calls++
		}
		if w.goneAt > 0 && w.calls >= w.goneAt && w.calls < w.goneAt+w.goneFor {
			w.lives++
			w.tell()
			return fmt.Errorf("call: %w", sdk.ErrPluginGone)
		}
	}
	if call == "snapshot" && w.snapless {
		return fmt.Errorf("call: %w", sdk.ErrPluginGone)
	}
	if err, fails := w.failing[call]; fails {
		return &err
	}
	return nil
}

// lose says whether the answer of a call that was carried out gets lost.
func (w *world) lose(call string) error {
	if w.lost[call] > 0 {
		w.lost[call]--
		w.lives++
		w.tell()
		return fmt.Errorf("call: %w", sdk.ErrPluginGone)
	}
	return nil
}

// hang is a call that hangs until it is cancelled, if it is this one.
func (w *world) hang(ctx context.Context, call string) {
	w.mu.Lock()
	hangs := w.hangs == call
	w.mu.Unlock()
	if !hangs {
		return
	}
	<-ctx.Done()
	w.with(func() { w.hung = time.Now() })
}

// babble is more than anybody wants to hear, before and after the event.
func babble(events []sdk.Event) []sdk.Event {
	long := strings.Repeat("long ", 20_000)
	var all []sdk.Event
	for i := range 1200 {
		all = append(all, sdk.Event{Resource: &sdk.Resource{ID: fmt.Sprint("r", i), Kind: "process", Name: "r", Health: sdk.ResourceReady}})
	}
	all = append(all, sdk.Event{Resource: &sdk.Resource{ID: "r1", Health: sdk.ResourceReady, Reason: "x", Message: long}})
	for _, event := range events {
		if event.Outcome != nil && event.Outcome.Failure != nil {
			outcome, failure := *event.Outcome, *event.Outcome.Failure
			failure.Message += long
			failure.Logs = slices.Repeat([]sdk.LogLine{{Line: long[:20_000]}}, 300)
			failure.Events = slices.Repeat([]string{long[:20_000]}, 300)
			outcome.Failure = &failure
			event.Outcome = &outcome
		}
		all = append(all, event)
	}
	return append(all,
		sdk.Event{Resource: &sdk.Resource{ID: "after the outcome", Health: sdk.ResourceFailed}},
		sdk.Event{Outcome: &sdk.Outcome{Result: sdk.ResultFailed, Message: "after all"}},
	)
}

// supersede ends the open operation of a component as somebody else's change
// does, and says whether there was one.
func (w *world) supersede(component, by string) (done bool) {
	w.with(func() {
		for _, op := range w.ops {
			if op.component == component && op.outcome == nil {
				op.outcome = &sdk.Outcome{Result: sdk.ResultSuperseded, SupersededBy: by, Message: "image changed"}
				done = true
			}
		}
	})
	return done
}

// change is somebody changing what runs as a component, behind our back.
func (w *world) change(component, content string) {
	w.with(func() {
		r := *w.running[component]
		r.spec.Content = content
		w.running[component] = &r
		w.drifts = append(w.drifts, component)
	})
}

// begun are the operations in the order in which the platform began them.
func (w *world) begun() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.order...)
}

// die ends every stream of the plugin. Called under mu.
func (w *world) die() {
	w.lives++
	w.tell()
}

// clone is another world in which everything is as in this one, at rest.
func (w *world) clone() *world {
	w.mu.Lock()
	defer w.mu.Unlock()
	other := newWorld()
	for name, r := range w.running {
		now := *r
		other.running[name] = &now
	}
	for id, op := range w.ops {
		known := *op
		other.ops[id] = &known
	}
	maps.Copy(other.epochs, w.epochs)
	maps.Copy(other.failing, w.failing)
	other.effects = slices.Clone(w.effects)
	return other
}

// counts returns the number of calls and of those refused for their epoch.
func (w *world) counts() (calls, refused int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls, w.refused
}

// open says whether the platform has an operation on the component that has not
// ended.
func (w *world) open(component string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, op := range w.ops {
		if op.component == component && op.outcome == nil {
			return true
		}
	}
	return false
}

// WatchTarget sends what runs, and each change that somebody else makes.
func (p platform) WatchTarget(ctx context.Context, r sdk.WatchTargetRequest, sink sdk.Sink) error {
	p.mu.Lock()
	life, told := p.lives, len(p.drifts)
	standing := append([]string(nil), p.drifts...)
	p.watchers++
	p.mu.Unlock()
	name := r.Target.Component
	first := []sdk.Event{{State: &sdk.State{Resources: []sdk.Resource{
		{ID: name + "-1", Kind: "process", Name: name, Health: sdk.ResourceReady},
	}}}}
	for n, component := range standing { // for those who were not there
		if component == name {
			first = append(first, mallory(n))
		}
	}
	if err := sink(first...); err != nil {
		return err
	}
	for {
		p.mu.Lock()
		changed, alive, drifts := p.changed, p.lives == life, p.drifts
		p.mu.Unlock()
		if !alive {
			return fmt.Errorf("watch: %w", sdk.ErrPluginGone)
		}
		for ; told < len(drifts); told++ {
			if drifts[told] != name {
				continue
			}
			if err := sink(mallory(told)); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func mallory(n int) sdk.Event {
	return sdk.Event{Drift: &sdk.Drift{By: "mallory", Message: fmt.Sprintf("content changed (%d)", n)}}
}

// Logs sends the last line of a component.
func (p platform) Logs(_ context.Context, r sdk.LogsRequest, send func(...sdk.LogLine) error) error {
	line := "a last line"
	if r.Previous {
		line = "the line before it died"
	}
	return send(sdk.LogLine{Resource: r.Target.Component + "-1", Line: line, Previous: r.Previous})
}

// goAstray lets something of the plugin hold on to a sink that is no more its own.
func (w *world) goAstray(sink sdk.Sink) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if stray := w.stray; stray != nil {
		w.stray = nil
		w.strays.Go(func() { stray(sink) })
	}
}
