package recordtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record"
	"github.com/apm-deploy/apm/sdk"
)

func testAccept(t *testing.T, place Place) {
	r := newRig(t, place)
	r.accept(op("a", 2), "one")
	out := r.ends("a", sdk.ResultSucceeded)
	if out.Revision != "r-one" || out.Outputs["text"] != "v-one" {
		t.Errorf("outcome %+v", out)
	}
	r.accept(op("a", 2), "one")
	r.accept(op("a", 3), "one") // once more, by the next owner
	other := op("a", 3)
	other.RequestDigest = "another"
	r.refused("other content", r.try(other, "two"), sdk.ReasonOperationMismatch)
	r.refused("an epoch of before", r.try(op("b", 2), "two"), sdk.ReasonStaleEpoch)
	if n := r.effects("a") + r.effects("b"); n != 1 {
		t.Errorf("%d effects", n)
	}
	s := r.read()
	if s.Installation != "here" || s.Component != "web" || s.Epoch != 3 || s.Retain[0] != "kept by one" || len(s.Operations) != 1 ||
		s.Serving == nil || s.Serving.Version != "v-one" || s.Serving.Digest != "digest of v-one" || s.Serving.Replaced != "nothing" {
		t.Errorf("record %+v %+v", s, s.Serving)
	}
	if goal, err := r.Content(r.ctx(), s.Serving.Goal); err != nil || string(goal) != "one" {
		t.Errorf("what runs: %q %v", goal, err)
	}
}

// Two processes are asked for the same at the same time, as by a host that lost an answer:
// one of them does it, once.
func testRace(t *testing.T, place Place) {
	one := newRig(t, place)
	two := one.next()
	for n := range 5 {
		id := fmt.Sprint("op-", n)
		var both sync.WaitGroup
		for _, r := range []*rig{one, two} {
			both.Go(func() {
				if err := r.try(op(id, 1), "text"); err != nil {
					t.Errorf("Accept: %v", err)
				}
			})
		}
		both.Wait()
		one.ends(id, sdk.ResultSucceeded)
		two.ends(id, sdk.ResultSucceeded)
		if n := one.effects(id); n != 1 {
			t.Errorf("%s has %d effects", id, n)
		}
	}
	if s := two.read(); len(s.Operations) != 5 {
		t.Errorf("%d operations", len(s.Operations))
	}
	// Different operations at once: one begins, the other is told by whom it was refused.
	release := make(chan struct{})
	for _, r := range []*rig{one, two} {
		r.drives(func(ctx context.Context, w *record.Work) error {
			<-release
			return r.put(ctx, w)
		})
	}
	errs := make([]error, 2)
	var both sync.WaitGroup
	for i, r := range []*rig{one, two} {
		both.Go(func() { errs[i] = r.try(op(fmt.Sprint("different-", i), 1), "text") })
	}
	both.Wait()
	close(release)
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("one of two must begin: %v, %v", errs[0], errs[1])
	}
	for i, err := range errs {
		if err != nil {
			one.refused("the second", err, sdk.ReasonConflict)
			var e *sdk.Error
			if errors.As(err, &e) && e.By != fmt.Sprint("operation different-", 1-i) {
				t.Errorf("by %q", e.By)
			}
		} else {
			one.ends(fmt.Sprint("different-", i), sdk.ResultSucceeded)
		}
	}
}

// What cannot begin is not written down.
func testCheckRefuses(t *testing.T, place Place) {
	r := newRig(t, place)
	why := sdk.SnapshotStale("gone")
	_, err := r.Accept(r.ctx(), op("a", 1), record.Entry{}, func(context.Context, *record.Record) (string, error) { return "", why })
	if !errors.Is(err, why) {
		t.Errorf("Accept: %v", err)
	}
	if s := r.read(); s.Format != 0 {
		t.Errorf("record %+v", s)
	}
	r.refused("no id", r.try(op("", 1), "one"), sdk.ReasonInvalidSpec)
	err = r.enter(op("a", 1), record.Entry{Goal: make([]byte, sdk.MaxSnapshot+1)})
	r.refused("too large", err, sdk.ReasonInvalidSpec)
}

func testStaged(t *testing.T, place Place) {
	r := newRig(t, place)
	o := staged(op("a", 1))
	r.accept(o, "one")
	seen := r.watch("a", nil, isCandidate)
	if c := seen[len(seen)-1]; c.Candidate != nil && (c.Candidate.Revision != "r-one" || c.Candidate.Addresses["http"] == "") {
		t.Errorf("candidate %+v", c.Candidate)
	}
	r.refused("a deploy beside it", r.try(op("b", 1), "two"), sdk.ReasonConflict)
	if _, err := r.Promote(r.ctx(), sdk.PromoteRequest{Operation: op("c", 1)}); sdk.CodeOf(err) != sdk.NotFound {
		t.Errorf("Promote of what is not known: %v", err)
	}
	if n := r.effects("a"); n != 0 {
		t.Errorf("%d effects before Promote", n)
	}
	other := r.next() // promotes, and so drives on
	if _, err := other.Promote(r.ctx(), sdk.PromoteRequest{Operation: o, Percent: 100}); err != nil {
		t.Fatal(err)
	}
	r.ends("a", sdk.ResultSucceeded)
	if _, err := r.Promote(r.ctx(), sdk.PromoteRequest{Operation: o, Percent: 100}); err != nil {
		t.Errorf("Promote again: %v", err)
	}
	if n := r.effects("a"); n != 1 {
		t.Errorf("%d effects", n)
	}
}

func testCancel(t *testing.T, place Place) {
	r := newRig(t, place)
	o := staged(op("a", 1))
	r.accept(o, "one")
	r.watch("a", nil, isCandidate)
	no := errors.New("not now")
	if err := r.Cancel(r.ctx(), sdk.CancelRequest{Operation: o}, func(*record.Operation) error { return no }); !errors.Is(err, no) {
		t.Errorf("Cancel that is refused: %v", err)
	}
	if r.read().Active().Cancelling {
		t.Error("Cancel that is refused is written down")
	}
	if err := r.Cancel(r.ctx(), sdk.CancelRequest{Operation: o}, nil); err != nil {
		t.Errorf("Cancel: %v", err)
	}
	r.ends("a", sdk.ResultCancelled)
	err := r.Cancel(r.ctx(), sdk.CancelRequest{Operation: o}, func(*record.Operation) error { t.Error("again"); return nil })
	if err != nil {
		t.Error(err)
	}
	if n := r.effects("a"); n != 0 {
		t.Errorf("%d effects", n)
	}
}

// The driver is woken, and ends the operation as it sees fit.
func testCancelDriver(t *testing.T, place Place) {
	r := newRig(t, place)
	r.drives(func(ctx context.Context, w *record.Work) error {
		for {
			o, err := w.Operation(ctx)
			if err != nil {
				return err
			}
			if o.Cancelling {
				return w.End(ctx, sdk.Outcome{Result: sdk.ResultCancelled, Message: "undone"})
			}
			if _, err := w.Pause(ctx, patience); err != nil {
				return err
			}
		}
	})
	r.accept(op("a", 1), "one")
	if err := r.Cancel(r.ctx(), sdk.CancelRequest{Operation: op("a", 1)}, func(*record.Operation) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if out := r.ends("a", sdk.ResultCancelled); out.Message != "undone" {
		t.Errorf("outcome %+v", out)
	}
}

// A rollback, and a deploy of a later owner, take the place of what is under way.
func testTakesItsPlace(t *testing.T, place Place) {
	r := newRig(t, place)
	r.accept(staged(op("a", 1)), "one")
	r.watch("a", nil, isCandidate)
	r.accept(staged(op("b", 2)), "two")
	r.ends("a", sdk.ResultCancelled)
	r.watch("b", nil, isCandidate)
	r.accept(staged(back(op("c", 2))), "") // is not staged, and removes
	r.ends("b", sdk.ResultCancelled)
	r.ends("c", sdk.ResultSucceeded)
	s := r.read()
	if o := s.Operation("c"); o.Staged || !o.Rollback || s.Serving != nil {
		t.Errorf("the rollback is written as %+v", o)
	}
}
