package recordtest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record"
	"github.com/apm-deploy/apm/sdk"
)

// Only so many operations are remembered.
func testForgets(t *testing.T, place Place) {
	r := newRig(t, place)
	r.drives(func(ctx context.Context, w *record.Work) error {
		return w.End(ctx, sdk.Outcome{Result: sdk.ResultSucceeded})
	})
	for n := range 55 {
		id := fmt.Sprint("op-", n)
		r.accept(op(id, 1), "one")
		r.ends(id, sdk.ResultSucceeded)
	}
	s := r.read()
	if len(s.Operations) != 50 || s.Operation("op-4") != nil || s.Operation("op-5") == nil {
		t.Errorf("%d operations", len(s.Operations))
	}
	err := r.Watch(r.ctx(), sdk.WatchRequest{Operation: op("op-4", 1)}, func(...sdk.Event) error { return nil })
	r.refused("Watch of what is forgotten", err, sdk.ReasonNotFound)
}

// noise is content that does not get smaller.
func noise(seed uint64, size int) []byte {
	text := make([]byte, size)
	random := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // noise
	for i := range text {
		text[i] = byte(random.Uint32())
	}
	return text
}

const parts = cluster.Prefix + "record=content"

// A goal that no Secret can hold is split over several, is there for whoever goes on, and
// goes away when nothing needs it.
func testLargeGoal(t *testing.T, place Place) {
	r := newRig(t, place)
	r.drives(func(ctx context.Context, _ *record.Work) error { <-ctx.Done(); return ctx.Err() })
	large := noise(1, 3<<20)
	entry := record.Entry{Goal: large, Version: "v-large", Subject: subject}
	if err := r.enter(op("a", 1), entry); err != nil {
		t.Fatal(err)
	}
	if err := r.enter(op("a", 1), entry); err != nil { // the answer was lost
		t.Fatal(err)
	}
	r.fits(4)
	r.close()

	next := r.next()
	got := make(chan []byte, 1)
	next.drives(func(ctx context.Context, w *record.Work) error {
		o, err := w.Operation(ctx)
		if err != nil {
			return err
		}
		goal, err := w.Content(ctx, o.Goal)
		if err != nil {
			return err
		}
		got <- goal
		return next.put(ctx, w)
	})
	if _, err := next.Recover(next.ctx(), sdk.RecoverRequest{Operation: op("a", 2)}, nothing); err != nil {
		t.Fatal(err)
	}
	next.ends("a", sdk.ResultSucceeded)
	if goal := <-got; !bytes.Equal(goal, large) {
		t.Error("the goal is another")
	}

	// The same again, and then a small one: only the small one is needed after it has ended.
	next.drives(next.put)
	entry.Version = "v-again"
	if err := next.enter(op("b", 2), entry); err != nil {
		t.Fatal(err)
	}
	next.ends("b", sdk.ResultSucceeded)
	next.fits(4)
	next.accept(op("c", 2), "small")
	next.ends("c", sdk.ResultSucceeded)
	next.fits(4) // young parts may be of an operation that is being accepted
	next.age()
	next.accept(op("d", 2), "smaller")
	next.ends("d", sdk.ResultSucceeded)
	next.eventually("parts go away", func() bool { return len(next.secrets(parts)) == 0 })
	s := next.read()
	if goal, err := next.Content(next.ctx(), s.Serving.Goal); err != nil || string(goal) != "smaller" {
		t.Errorf("what runs: %q %v", goal, err)
	}
	if _, err := next.Content(next.ctx(), s.Operation("b").Goal); sdk.CodeOf(err) != sdk.NotFound {
		t.Errorf("what was forgotten: %v", err)
	}

	// What somebody changed is not taken.
	if err := next.enter(op("e", 2), entry); err != nil {
		t.Fatal(err)
	}
	next.ends("e", sdk.ResultSucceeded)
	secrets := next.cluster.Typed().CoreV1().Secrets(next.namespace)
	part := next.secrets(parts)[0]
	part.Data["part"][0]++
	if err := secrets.Delete(next.ctx(), part.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	part.ResourceVersion, part.UID = "", ""
	if _, err := secrets.Create(next.ctx(), &part, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := next.Content(next.ctx(), next.read().Serving.Goal); sdk.CodeOf(err) != sdk.FailedPrecondition {
		t.Errorf("what somebody changed: %v", err)
	}
}

// fits says whether all Secrets are within the limit of Kubernetes, and how many parts
// there are.
func (r *rig) fits(want int) {
	r.Helper()
	if n := len(r.secrets(parts)); n != want {
		r.Errorf("%d parts, want %d", n, want)
	}
	for _, s := range r.secrets(cluster.LabelComponent + "=" + identity.Hash()) {
		size := 0
		for _, data := range s.Data {
			size += len(data)
		}
		if size > corev1.MaxSecretSize {
			r.Errorf("Secret %s has %d bytes", s.Name, size)
		}
	}
}

// age makes all parts old.
func (r *rig) age() {
	r.Helper()
	for _, s := range r.secrets(parts) {
		_, err := r.cluster.Typed().CoreV1().Secrets(r.namespace).Patch(r.ctx(), s.Name, types.MergePatchType,
			[]byte(`{"metadata":{"annotations":{"`+cluster.Prefix+`used":"2001-01-01T00:00:00Z"}}}`), metav1.PatchOptions{})
		if err != nil {
			r.Fatal(err)
		}
	}
}

// Whatever operations leave behind, it fits.
func testBounded(t *testing.T, place Place) {
	r := newRig(t, place)
	var logs []sdk.LogLine
	var events []string
	for n := range 500 {
		text := fmt.Sprintf("%d %x", n, noise(uint64(n), 4000)) //nolint:gosec // small
		logs = append(logs, sdk.LogLine{Line: text})
		events = append(events, text)
	}
	r.drives(func(ctx context.Context, w *record.Work) error {
		return w.End(ctx, sdk.Outcome{Result: sdk.ResultFailed, Message: strings.Repeat("ü", 100_000), Failure: &sdk.Failure{
			Code: sdk.CodeCrashLoop, Message: "it crashes", Logs: logs, Events: events,
		}})
	})
	for n := range 12 {
		id := fmt.Sprint("op-", n)
		if err := r.enter(op(id, 1), record.Entry{Goal: noise(uint64(n), 120<<10), Version: "v"}); err != nil { //nolint:gosec // small
			t.Fatal(err)
		}
		out := r.ends(id, sdk.ResultFailed)
		f := out.Failure
		if len(out.Message) > 5000 || len(f.Logs) == 0 || len(f.Logs) > sdk.MaxFailureLogs || !strings.HasPrefix(f.Logs[len(f.Logs)-1].Line, "499 ") ||
			!strings.HasPrefix(f.Events[len(f.Events)-1], "499 ") {
			t.Fatalf("evidence: message of %d, %d lines, %d events", len(out.Message), len(f.Logs), len(f.Events))
		}
		r.fits(0)
	}
	if s := r.read(); len(s.Operations) != 12 {
		t.Errorf("%d operations are remembered", len(s.Operations))
	}
	r.drives(func(ctx context.Context, w *record.Work) error {
		return w.Do(ctx, func(_ *record.Record, o *record.Operation) error { return o.Note(noise(7, 2<<20)) })
	})
	r.accept(op("notes", 1), "one")
	if out := r.ends("notes", sdk.ResultFailed); !strings.Contains(out.Message, "does not fit") {
		t.Errorf("outcome %+v", out)
	}
}
