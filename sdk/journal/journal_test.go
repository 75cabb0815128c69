package journal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/journal"
)

func TestAccept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.accept(op("a", 2), "one")
	out := r.ends("a", sdk.ResultSucceeded)
	if out.Revision != "r-one" || out.Outputs["text"] != "one" {
		t.Errorf("outcome %+v", out)
	}
	r.accept(op("a", 3), "one") // once more, by the next owner
	other := op("a", 3)
	other.RequestDigest = "another"
	r.refused("other content", r.try(other, "two"), sdk.ReasonOperationMismatch)
	r.refused("an epoch of before", r.try(op("b", 2), "two"), sdk.ReasonStaleEpoch)
	if got := r.effects(); got != "[a one]" {
		t.Errorf("effects %s", got)
	}
	s, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	if s.Installation != "here" || s.Component != "web" || s.Epoch != 3 || s.Retain[0] != "kept by one" || len(s.Operations) != 1 ||
		s.Serving == nil || s.Serving.Version != "v-one" || s.Serving.Digest != "one" || s.Serving.Replaced != "nothing" {
		t.Errorf("record %+v %+v", s, s.Serving)
	}
}

// What cannot begin is not written down.
func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	why := sdk.SnapshotStale("gone")
	_, err := r.Accept(r.ctx(), op("a", 1), journal.Entry[goal]{}, func(*record) (string, error) { return "", why })
	if !errors.Is(err, why) {
		t.Errorf("Accept: %v", err)
	}
	if s, err := r.Read(); err != nil || s.Format != 0 {
		t.Errorf("record %+v %v", s, err)
	}
}

func TestStaged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
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
	if got := r.effects(); got != "[]" {
		t.Errorf("effects before Promote: %s", got)
	}
	if _, err := r.Promote(r.ctx(), sdk.PromoteRequest{Operation: o, Percent: 100}); err != nil {
		t.Fatal(err)
	}
	r.ends("a", sdk.ResultSucceeded)
	if _, err := r.Promote(r.ctx(), sdk.PromoteRequest{Operation: o, Percent: 100}); err != nil {
		t.Errorf("Promote again: %v", err)
	}
	if got := r.effects(); got != "[a one]" {
		t.Errorf("effects %s", got)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	o := staged(op("a", 1))
	r.accept(o, "one")
	r.watch("a", nil, isCandidate)
	no := errors.New("not now")
	if err := r.Cancel(r.ctx(), sdk.CancelRequest{Operation: o}, func(*operation) error { return no }); !errors.Is(err, no) {
		t.Errorf("Cancel that is refused: %v", err)
	}
	discarded := ""
	err := r.Cancel(r.ctx(), sdk.CancelRequest{Operation: o}, func(o *operation) error { discarded += o.Goal.Text; return nil })
	if err != nil || discarded != "one" {
		t.Errorf("Cancel: %v, discarded %q", err, discarded)
	}
	r.ends("a", sdk.ResultCancelled)
	if err := r.Cancel(r.ctx(), sdk.CancelRequest{Operation: o}, func(*operation) error { t.Error("again"); return nil }); err != nil {
		t.Error(err)
	}
	if got := r.effects(); got != "[]" {
		t.Errorf("effects %s", got)
	}
}

// A rollback, and a deploy of a later owner, take the place of what is under way.
func TestTakesItsPlace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.accept(staged(op("a", 1)), "one")
	r.watch("a", nil, isCandidate)
	r.accept(staged(op("b", 2)), "two")
	r.ends("a", sdk.ResultCancelled)
	r.watch("b", nil, isCandidate)
	back := staged(op("c", 2))
	back.Kind = sdk.OperationRollback
	r.accept(back, "") // is not staged, and removes
	r.ends("b", sdk.ResultCancelled)
	r.ends("c", sdk.ResultSucceeded)
	if s, err := r.Read(); err != nil || s.Operation("c").Staged || !s.Operation("c").Rollback {
		t.Errorf("the rollback is written as %+v, %v", s.Operation("c"), err)
	}
}

// Wherever the last process was when it ended, the next one goes on, and does nothing
// twice that was written down.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	for name, crash := range map[string]func(w *work) error{
		"accepted": func(*work) error { return nil },
		"a step": func(w *work) error {
			return w.Do(context.Background(), func(_ *record, o *operation) error { o.Reach("drawn"); return nil })
		},
		"served, not ended": func(w *work) error {
			return w.Do(context.Background(), func(s *record, o *operation) error { s.Serve(o, o.Goal.Text); return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := newRig(t)
			stopped := make(chan error, 1)
			first.drives(func(ctx context.Context, w *work) error {
				stopped <- crash(w)
				<-ctx.Done()
				return ctx.Err()
			})
			first.accept(op("a", 1), "one")
			if err := <-stopped; err != nil {
				t.Fatal(err)
			}
			first.close()
			if s, err := first.Read(); err != nil || s.Active() == nil {
				t.Fatalf("after Close: %+v %v", s, err)
			}
			r := first.next()
			recovery, err := r.Recover(r.ctx(), sdk.RecoverRequest{Operation: op("a", 2)}, nil)
			if err != nil || recovery.Status != sdk.RecoverRunning || string(recovery.Handle.State) != "a" {
				t.Fatalf("Recover: %+v %v", recovery, err)
			}
			r.ends("a", sdk.ResultSucceeded)
			if got := r.effects(); got != "[a one]" {
				t.Errorf("effects %s", got)
			}
			recovery, err = r.Recover(r.ctx(), sdk.RecoverRequest{Operation: op("a", 2)}, nil)
			if err != nil || recovery.Status != sdk.RecoverFinished || recovery.Outcome.Outputs["text"] != "one" {
				t.Errorf("Recover of what ended: %+v %v", recovery, err)
			}
		})
	}
}

// After Recover no call of an earlier owner lands, nor does a step of one who drives on.
func TestFenced(t *testing.T) {
	t.Parallel()
	first := newRig(t)
	stopped, steps := make(chan *work), make(chan error)
	first.drives(func(ctx context.Context, w *work) error {
		stopped <- w
		err := <-steps
		steps <- w.Do(ctx, func(*record, *operation) error { return errors.New("it was let in") })
		return err
	})
	first.accept(op("a", 1), "one")
	<-stopped
	second := first.next()
	recovery, err := second.Recover(second.ctx(), sdk.RecoverRequest{Operation: op("b", 2)}, func() string { return "" })
	if err != nil || recovery.Status != sdk.RecoverNotStarted {
		t.Fatalf("Recover: %+v %v", recovery, err)
	}
	steps <- journal.ErrUnwanted
	if err := <-steps; !errors.Is(err, journal.ErrUnwanted) {
		t.Errorf("a step of the earlier owner: %v", err)
	}
	second.refused("Accept by the earlier owner", first.try(op("b", 1), "two"), sdk.ReasonStaleEpoch)
}

func TestRecoverUnknown(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		content string // of the state file; "" for none
		trace   string
		want    sdk.RecoverStatus
	}{
		"nothing":          {"", "", sdk.RecoverNotStarted},
		"traces, no stamp": {"", "there is a text on the board", sdk.RecoverUnknown},
		"broken":           {`{"format":`, "", sdk.RecoverUnknown},
		"newer":            {`{"format": 99}`, "", sdk.RecoverUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if tc.content != "" {
				r.write("state.json", tc.content)
			}
			for range 2 { // the first must not make the second know better
				recovery, err := r.Recover(r.ctx(), sdk.RecoverRequest{Operation: op("a", 1)}, func() string { return tc.trace })
				if err != nil || recovery.Status != tc.want || (recovery.Message == "") != (tc.want == sdk.RecoverNotStarted) {
					t.Errorf("Recover: %+v %v", recovery, err)
				}
				if tc.want == sdk.RecoverNotStarted {
					break // it is written down now
				}
			}
		})
	}
	r := newRig(t)
	r.write("state.json", `{"format": 99}`)
	if err := r.try(op("a", 1), "one"); !errors.Is(err, journal.ErrNewer) || sdk.CodeOf(err) != sdk.FailedPrecondition {
		t.Errorf("Accept: %v", err)
	}
}

func (r *rig) write(name, content string) {
	r.Helper()
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o600); err != nil {
		r.Fatal(err)
	}
}

// What goes wrong with the work ends the operation, with what it said.
func TestDriveFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		drive func(w *work) error
		code  string
	}{
		"error": {func(*work) error { return errors.New("canary") }, sdk.CodeOther},
		"panic": {func(*work) error { panic("canary") }, sdk.CodeOther},
		"in a step": {func(w *work) error {
			return w.Do(context.Background(), func(*record, *operation) error { return fmt.Errorf("canary: %w", os.ErrPermission) })
		}, sdk.CodePermissionDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.drives(func(_ context.Context, w *work) error {
				for n := range 2 * sdk.MaxFailureLogs {
					if err := w.Printf("line %d\nof two", n); err != nil {
						return err
					}
				}
				return tc.drive(w)
			})
			r.accept(op("a", 1), "one")
			out := r.ends("a", sdk.ResultFailed)
			f := out.Failure
			if f == nil || f.Code != tc.code || f.Resource != resource || !strings.Contains(out.Message, "canary") {
				t.Fatalf("outcome %+v %+v", out, f)
			}
			if len(f.Logs) != sdk.MaxFailureLogs || f.Logs[len(f.Logs)-1].Line != `line 199\nof two` || f.Logs[0].Resource != resource {
				t.Errorf("%d lines, the last %+v", len(f.Logs), f.Logs[len(f.Logs)-1])
			}
		})
	}
}

// Whoever returns in the middle of an operation would leave it there for good.
func TestDriveReturnsTooEarly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.drives(func(ctx context.Context, w *work) error {
		return w.Do(ctx, func(_ *record, o *operation) error { o.Reach("drawn"); return nil })
	})
	r.accept(op("a", 1), "one")
	if out := r.ends("a", sdk.ResultFailed); !strings.Contains(out.Message, "in the middle") {
		t.Errorf("outcome %+v", out)
	}
}

// A step that changes nothing is not written, and wakes nobody.
func TestDoNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	done := make(chan string)
	r.drives(func(ctx context.Context, w *work) error {
		changed := w.Changed()
		if err := w.Do(ctx, func(*record, *operation) error { return nil }); err != nil {
			return err
		}
		woken, _ := w.Pause(ctx, time.Millisecond)
		select {
		case <-changed:
			done <- "it was written"
		default:
			done <- fmt.Sprint(woken)
		}
		return w.Do(ctx, r.settle)
	})
	r.accept(op("a", 1), "one")
	if got := <-done; got != "false" {
		t.Error(got)
	}
	r.ends("a", sdk.ResultSucceeded)
}

// Only so many operations are remembered, and their lines with them.
func TestForgets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n := range 55 {
		id := fmt.Sprint("op-", n)
		r.accept(op(id, 1), "one")
		r.ends(id, sdk.ResultSucceeded)
	}
	s, err := r.Read()
	if err != nil || len(s.Operations) != 50 || s.Operation("op-4") != nil || s.Operation("op-5") == nil {
		t.Errorf("%d operations, %v", len(s.Operations), err)
	}
	if logs, err := filepath.Glob(filepath.Join(r.dir, "logs", "*")); err != nil || len(logs) != 50 {
		t.Errorf("%d logs, %v", len(logs), err)
	}
	err = r.Watch(r.ctx(), sdk.WatchRequest{Operation: op("op-4", 1)}, func(...sdk.Event) error { return nil })
	r.refused("Watch of what is forgotten", err, sdk.ReasonNotFound)
}

func TestInventory(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	list := func(installation string) string {
		items, err := r.book.Inventory(r.ctx(), installation, filepath.Join(filepath.Dir(filepath.Dir(r.dir)), "*", ".apm"),
			func(dir string, s *record) string { return filepath.Base(filepath.Dir(dir)) })
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
	if got := list("here"); got != "here shop test web v-one 1 a web\n" {
		t.Errorf("what runs: %q", got)
	}
	r.accept(staged(op("b", 2)), "two")
	r.watch("b", nil, isCandidate)
	if got := list(""); got != "here shop test web v-one 2 b web\n" {
		t.Errorf("what is under way: %q", got)
	}
	if got := list("elsewhere"); got != "" {
		t.Errorf("of another installation: %s", got)
	}
	back := op("c", 2)
	back.Kind = sdk.OperationRollback
	r.accept(back, "")
	r.ends("c", sdk.ResultSucceeded)
	if got := list(""); got != "" {
		t.Errorf("of what is removed: %s", got)
	}
}
