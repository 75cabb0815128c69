package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/journal"
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
		case e.Outcome != nil:
			all = append(all, "outcome")
		}
	}
	return strings.Join(all, ", ")
}

// A watch goes on behind any event, in another process too, and misses nothing.
func TestWatchGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.drives(func(ctx context.Context, w *work) error {
		for n := range 3 {
			if err := w.Printf("line %d", n); err != nil {
				return err
			}
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
	const want = "state, line 0, line 1, line 2, draw one, state, candidate, outcome"
	if got := told(all); got != want {
		t.Fatalf("told %s\nwant %s", got, want)
	}
	other := r.next()
	for i, e := range all {
		if len(e.ResumeToken) == 0 {
			continue
		}
		want := told(all[min(i+1, len(all)-1):]) // the Outcome comes in any case
		if got := told(other.watch("a", e.ResumeToken, nil)); got != want {
			t.Errorf("after event %d: %s, want %s", i, got, want)
		}
	}
	for _, token := range []string{"x", "b 0 0", "a -1 0", "a 0 -1", "a 0", "a 4 0"} {
		err := r.Watch(r.ctx(), sdk.WatchRequest{Operation: o, ResumeToken: []byte(token)}, func(...sdk.Event) error { return nil })
		if sdk.CodeOf(err) != sdk.OutOfRange || sdk.ReasonOf(err) != sdk.ReasonResumeExpired {
			t.Errorf("token %q: %v", token, err)
		}
	}
}

// Lines come while the work goes on, and the end of a watch ends nothing.
func TestWatchFollows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	proceed := make(chan bool)
	r.drives(func(ctx context.Context, w *work) error {
		if err := w.Printf("begun"); err != nil {
			return err
		}
		w.Tell()
		<-proceed
		return r.put(ctx, w)
	})
	r.accept(op("a", 1), "one")
	r.watch("a", nil, func(e sdk.Event) bool { return e.Log != nil })
	proceed <- true
	r.ends("a", sdk.ResultSucceeded)
}

func TestLogs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	logs := func(q sdk.LogsRequest) string {
		t.Helper()
		var lines []string
		err := r.Logs(r.ctx(), q, func(some ...sdk.LogLine) error {
			for _, line := range some {
				lines = append(lines, line.Line)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(lines, ", ")
	}
	if got := logs(sdk.LogsRequest{}); got != "" {
		t.Errorf("of nothing: %s", got)
	}
	for n, text := range []string{"one", "two"} {
		r.accept(op(text, uint64(n)), text)
		r.ends(text, sdk.ResultSucceeded)
	}
	r.accept(staged(op("three", 9)), "three")
	r.watch("three", nil, isCandidate)
	for want, q := range map[string]sdk.LogsRequest{
		"draw three": {Resource: resource, Tail: 5}, "draw two": {Previous: true}, "": {Resource: "another"},
	} {
		if got := logs(q); got != want {
			t.Errorf("%+v: %q, want %q", q, got, want)
		}
	}
	enough := errors.New("enough")
	proceed := make(chan bool)
	r.drives(func(ctx context.Context, w *work) error {
		<-proceed
		return errors.Join(w.Printf("more"), r.put(ctx, w))
	})
	r.accept(op("four", 10), "four")
	began := false
	err := r.Logs(r.ctx(), sdk.LogsRequest{Follow: true}, func(lines ...sdk.LogLine) error {
		if !began {
			began = true
			close(proceed)
		}
		for _, line := range lines {
			if line.Line == "draw four" {
				return enough
			}
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("Logs that follow: %v", err)
	}
	r.ends("four", sdk.ResultSucceeded)
}

func TestHandle(t *testing.T) {
	t.Parallel()
	h := journal.HandleOf("a")
	if id, err := journal.OperationOf(h); id != "a" || err != nil {
		t.Errorf("%q %v", id, err)
	}
	if id, err := journal.OperationOf(sdk.Handle{}); id != "" || err != nil {
		t.Errorf("of none: %q %v", id, err)
	}
	h.Version++
	if _, err := journal.OperationOf(h); sdk.CodeOf(err) != sdk.FailedPrecondition {
		t.Errorf("of a newer plugin: %v", err)
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	own := sdk.SnapshotStale("gone")
	for name, tc := range map[string]struct {
		err  error
		code sdk.Code
		fail string
	}{
		"ours":         {own, sdk.FailedPrecondition, sdk.CodeOther},
		"disk is full": {fmt.Errorf("write: %w", syscall.ENOSPC), sdk.FailedPrecondition, sdk.CodeQuotaExceeded},
		"no right":     {fmt.Errorf("open: %w", os.ErrPermission), sdk.PermissionDenied, sdk.CodePermissionDenied},
		"newer":        {journal.ErrNewer, sdk.FailedPrecondition, sdk.CodeOther},
		"other":        {os.ErrClosed, sdk.Unavailable, sdk.CodeOther},
	} {
		got := journal.Answer("try", tc.err)
		if sdk.CodeOf(got) != tc.code || !errors.Is(got, tc.err) {
			t.Errorf("%s: %s %v", name, sdk.CodeOf(got), got)
		}
		if got := journal.FileFailure(tc.err); got.Code != tc.fail {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for _, err := range []error{nil, context.Canceled} {
		if got := journal.Answer("try", err); !errors.Is(got, err) || sdk.CodeOf(got) == sdk.Unavailable {
			t.Errorf("%v became %v", err, got)
		}
	}
}

// After a crash there is the old content or the new, and nobody else reads it.
func TestWriteFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, text := range []string{"one", "two"} {
		if err := journal.WriteFile(dir+"/file", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(dir + "/file"); err != nil || !bytes.Equal(got, []byte(text)) {
			t.Errorf("%s %v", got, err)
		}
	}
	if info, err := os.Stat(dir + "/file"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v %v", left, err)
	}
	if err := journal.WriteFile(dir+"/none/file", nil); err == nil {
		t.Error("no error")
	}
}
