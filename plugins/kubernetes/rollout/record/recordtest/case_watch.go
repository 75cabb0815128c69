package recordtest

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record"
	"github.com/apm-deploy/apm/sdk"
)

// told renders events for comparison.
func told(events []sdk.Event) string {
	var all []string
	for _, e := range events {
		switch {
		case e.State != nil:
			all = append(all, "state")
		case e.Log != nil:
			all = append(all, e.Log.Line)
		case e.Candidate != nil:
			all = append(all, "candidate")
		case e.Resource != nil:
			all = append(all, e.Resource.Name)
		case e.DroppedLogLines > 0:
			all = append(all, fmt.Sprint("dropped ", e.DroppedLogLines))
		case e.Outcome != nil:
			all = append(all, "outcome")
		}
	}
	return strings.Join(all, ", ")
}

// A watch goes on behind any event, and misses nothing.
func testWatchGoesOn(t *testing.T, place Place) {
	r := newRig(t, place)
	r.drives(func(ctx context.Context, w *record.Work) error {
		if o, err := w.Operation(ctx); err != nil || o.Reached("drawn") {
			return r.put(ctx, w)
		}
		for n := range 3 {
			w.Printf("line %d", n)
		}
		return r.put(ctx, w)
	})
	o := staged(op("a", 1))
	r.accept(o, "one")
	r.watch("a", nil, isCandidate)
	if _, err := r.Promote(r.ctx(), sdk.PromoteRequest{Operation: o}); err != nil {
		t.Fatal(err)
	}
	r.ends("a", sdk.ResultSucceeded)
	all := r.watch("a", nil, nil)
	const want = "state, line 0, line 1, line 2, draw v-one, state, candidate, state, outcome"
	if got := told(all); got != want {
		t.Fatalf("told %s\nwant %s", got, want)
	}
	tokens := 0
	for i, e := range all {
		if len(e.ResumeToken) == 0 {
			continue
		}
		tokens++
		want := told(all[min(i+1, len(all)-1):]) // the Outcome comes in any case
		if got := told(r.watch("a", e.ResumeToken, nil)); got != want {
			t.Errorf("after event %d: %s, want %s", i, got, want)
		}
	}
	if tokens < 4 {
		t.Errorf("%d tokens", tokens)
	}
	for _, token := range []string{"x", "b x 0 0 0", "a x -1 0 0", "a 0", "a x 9 0 0"} {
		err := r.Watch(r.ctx(), sdk.WatchRequest{Operation: o, ResumeToken: []byte(token)}, func(...sdk.Event) error { return nil })
		if sdk.CodeOf(err) != sdk.OutOfRange || sdk.ReasonOf(err) != sdk.ReasonResumeExpired {
			t.Errorf("token %q: %v", token, err)
		}
	}
}

// Another process tells the steps, from where a token of the first one stands and behind
// a State; lines were the first one's.
func testWatchElsewhere(t *testing.T, place Place) {
	r := newRig(t, place)
	r.accept(staged(op("a", 1)), "one")
	seen := r.watch("a", nil, isCandidate)
	token := seen[len(seen)-1].ResumeToken
	other := r.next()
	got := make(chan string, 1)
	go func() { got <- told(other.watch("a", token, nil)) }()
	if _, err := r.Promote(r.ctx(), sdk.PromoteRequest{Operation: staged(op("a", 1))}); err != nil {
		t.Fatal(err)
	}
	r.ends("a", sdk.ResultSucceeded)
	text := <-got
	if !strings.HasPrefix(text, "state") || !strings.HasSuffix(text, "outcome") || strings.Contains(text, "draw") || strings.Contains(text, "candidate") {
		t.Errorf("told %s", text)
	}
}

// What the driver shows is told as what differs; what is gone is told once; lines that
// nobody has read in time are counted.
func testPicture(t *testing.T, place Place) {
	r := newRig(t, place)
	go1 := make(chan struct{})
	tree := func(names ...string) (all []sdk.Resource) {
		for _, name := range names {
			id, health, _ := strings.Cut(name, ":")
			resource := sdk.Resource{ID: id, Name: name, Health: sdk.ResourceReady}
			if health == "bad" {
				resource.Health = sdk.ResourceDegraded
			}
			all = append(all, resource)
		}
		return all
	}
	r.drives(func(ctx context.Context, w *record.Work) error {
		w.Show(sdk.State{Phase: sdk.PhaseProgressing, Message: "first", Resources: tree("a", "b")})
		<-go1
		w.Show(sdk.State{Phase: sdk.PhaseProgressing, Message: "first", Resources: tree("a:bad", "c")})
		for n := range 20_000 {
			w.Say(sdk.LogLine{Line: fmt.Sprint(n), Time: time.Now()})
		}
		return r.put(ctx, w)
	})
	r.accept(op("a", 1), "one")
	seen := r.watch("a", nil, func(e sdk.Event) bool { return e.State != nil && e.State.Message == "first" })
	first := seen[len(seen)-1]
	if len(first.State.Resources) != 2 || first.State.Resources[0].ID != "a" {
		t.Fatalf("state %+v", first.State)
	}
	close(go1)
	r.ends("a", sdk.ResultSucceeded)
	rest := r.watch("a", first.ResumeToken, nil)
	var resources []string
	var dropped uint64
	lines := 0
	for _, e := range rest {
		switch {
		case e.State != nil:
			t.Errorf("a State, although nothing of it is new: %+v", e.State)
		case e.Resource != nil:
			resources = append(resources, fmt.Sprint(e.Resource.ID, e.Resource.Health))
		case e.Log != nil:
			lines++
		}
		dropped += e.DroppedLogLines
	}
	sort.Strings(resources)
	want := fmt.Sprint([]string{fmt.Sprint("a", sdk.ResourceDegraded), fmt.Sprint("b", sdk.ResourceGone), fmt.Sprint("c", sdk.ResourceReady)})
	if got := fmt.Sprint(resources); got != want {
		t.Errorf("resources %s, want %s", got, want)
	}
	// Who looks back at earlier operations takes nothing from the one under way.
	for n := range 3 {
		id := fmt.Sprint("later-", n)
		r.drives(r.put)
		r.accept(op(id, 1), "more")
		r.ends(id, sdk.ResultSucceeded)
	}
	r.accept(staged(op("last", 1)), "last")
	r.watch("last", nil, isCandidate)
	for _, id := range []string{"a", "later-0", "later-1"} {
		r.ends(id, sdk.ResultSucceeded)
	}
	if got := told(r.watch("last", nil, func(e sdk.Event) bool { return e.Log != nil || e.Candidate != nil })); !strings.Contains(got, "draw v-last") {
		t.Errorf("the lines of the operation under way are gone: %s", got)
	}
	if lines == 0 || dropped == 0 || uint64(lines)+dropped != 20_001 { // and what put said
		t.Errorf("%d lines and %d dropped", lines, dropped)
	}
}

func testInventory(t *testing.T, place Place) {
	r := newRig(t, place)
	list := func(installation string) string {
		items, err := r.book.Inventory(r.ctx(), r.namespace, installation, func(namespace string, s *record.Record) string { return namespace + " " + s.Component })
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, i := range items {
			text += fmt.Sprintln(i.InstallationID, i.Application, i.Environment, i.Component, i.Version, i.Epoch, i.OperationID, i.Description)
		}
		return text
	}
	if got := list(""); got != "" {
		t.Errorf("of nothing: %s", got)
	}
	r.accept(op("a", 1), "one")
	r.ends("a", sdk.ResultSucceeded)
	if got := list("here"); got != "here shop test web v-one 1 a "+r.namespace+" web\n" {
		t.Errorf("what runs: %q", got)
	}
	r.accept(staged(op("b", 2)), "two")
	r.watch("b", nil, isCandidate)
	if got := list(""); got != "here shop test web v-one 2 b "+r.namespace+" web\n" {
		t.Errorf("what is under way: %q", got)
	}
	if got := list("elsewhere"); got != "" {
		t.Errorf("of another installation: %s", got)
	}
	r.accept(back(op("c", 2)), "")
	r.ends("c", sdk.ResultSucceeded)
	if got := list(""); got != "" {
		t.Errorf("of what is removed: %s", got)
	}
}

func (r *rig) eventually(what string, holds func() bool) {
	r.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			r.Fatalf("%s: not within %s", what, patience)
		}
	}
}
