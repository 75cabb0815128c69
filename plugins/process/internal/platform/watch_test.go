package platform_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

func (b *bed) watchTarget(to sdk.Target, token []byte) (<-chan sdk.Event, func()) {
	events := make(chan sdk.Event, 100000)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	p := b.Platform
	go func() {
		defer close(done)
		_ = p.WatchTarget(ctx, sdk.WatchTargetRequest{Target: to, ResumeToken: token}, func(all ...sdk.Event) error {
			for _, event := range all {
				events <- event
			}
			return nil
		})
	}()
	return events, func() { cancel(); <-done }
}

func untilEvent(t *testing.T, events <-chan sdk.Event, what string, matches func(sdk.Event) bool) sdk.Event {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case event := <-events:
			if matches(event) {
				return event
			}
		case <-deadline:
			t.Fatalf("no %s within %s", what, patience)
		}
	}
}

func TestWatchTargetGoesOnAcrossRemovalAndKill(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	to := target("v1", nil)
	events, stop := b.watchTarget(to, nil)
	defer stop()
	serves := func(version string) func(sdk.Event) bool {
		return func(e sdk.Event) bool {
			return e.Resource != nil && e.Resource.Kind == "process" && e.Resource.Revision == version && e.Resource.Health == sdk.ResourceReady ||
				e.State != nil && strings.Contains(e.State.Message, version)
		}
	}
	untilEvent(t, events, "empty state", func(e sdk.Event) bool { return e.State != nil && len(e.State.Resources) == 0 })
	b.settled("v1", b.app("version=v1"))
	untilEvent(t, events, "v1", serves("v1"))
	b.killShim()
	untilEvent(t, events, "v1 again", serves("v1"))
	get(t, b.public, "/exit")
	failed := untilEvent(t, events, "failed process", func(e sdk.Event) bool { return e.Resource != nil && e.Resource.Health == sdk.ResourceFailed }).Resource
	if failed.Reason != sdk.CodeExited || !strings.Contains(failed.Message, "code 9") {
		t.Errorf("resource %+v", failed)
	}
	restarted := untilEvent(t, events, "restarted process", func(e sdk.Event) bool {
		return e.Resource != nil && e.Resource.Kind == "process" && e.Resource.Health == sdk.ResourceReady
	}).Resource
	if restarted.Restarts != 1 {
		t.Errorf("resource %+v, want 1 restart", restarted)
	}
	b.rollback(to, sdk.Snapshot{Empty: true}).outcome()
	untilEvent(t, events, "gone", func(e sdk.Event) bool { return e.Resource != nil && e.Resource.Health == sdk.ResourceGone })
}

// An operation that ends just as somebody asks for it is not taken for one that
// never was.
func TestWatchOfWhatJustEnds(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.app("version=v1")
	s["replicas"] = 0 // it ends at once
	for n := range 30 {
		to, r := b.resolve(fmt.Sprint("v", n), s)
		op := b.operation(sdk.OperationDeploy, false)
		if _, err := b.Deploy(t.Context(), sdk.DeployRequest{Operation: op, Target: to, Release: r}); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		var askers sync.WaitGroup
		for range 40 {
			askers.Go(func() {
				for {
					select {
					case <-ended:
						return
					default:
					}
					short, stop := context.WithCancel(t.Context())
					err := b.Platform.Watch(short, sdk.WatchRequest{Operation: op, Target: to}, func(...sdk.Event) error {
						stop() // and ask again
						return nil
					})
					stop()
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Errorf("Watch of operation %d: %v", n, err)
						return
					}
				}
			})
		}
		b.watch(op, to, sdk.Handle{}).outcome()
		close(ended)
		askers.Wait()
	}
}

func TestResume(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	w := b.deploy("v1", b.app("version=v1"), true)
	w.candidate(0)
	w.promote(100)
	w.outcome()
	// Of what was there at the first look only the last event has a token.
	at := len(w.all) / 2
	for len(w.all[at].ResumeToken) == 0 {
		at++ // the outcome has one
	}
	middle := w.all[at].ResumeToken
	var first []string
	for _, later := range w.all[at+1:] {
		first = append(first, string(later.ResumeToken))
	}
	b.Platform = b.configured("inst-1") // tokens live on across the plugin
	var second []string
	err := b.Watch(t.Context(), sdk.WatchRequest{Operation: w.op, Target: w.target, ResumeToken: middle}, func(events ...sdk.Event) error {
		for _, event := range events {
			second = append(second, string(event.ResumeToken))
		}
		return nil
	})
	if err != nil || strings.Join(first, " ") != strings.Join(second, " ") {
		t.Errorf("resumed %v %v, want %v", second, err, first)
	}
	for _, token := range []string{"nonsense", "0000000000000000:1", strings.Split(string(middle), ":")[0] + ":999999"} {
		err := b.Watch(t.Context(), sdk.WatchRequest{Operation: w.op, Target: w.target, ResumeToken: []byte(token)}, func(...sdk.Event) error { return nil })
		wantCode(t, err, sdk.OutOfRange, sdk.ReasonResumeExpired)
	}
	unknown := w.op
	unknown.ID = "unknown"
	err = b.Watch(t.Context(), sdk.WatchRequest{Operation: unknown, Target: w.target}, func(...sdk.Event) error { return nil })
	wantCode(t, err, sdk.NotFound, sdk.ReasonNotFound)
}

// Lines that were written before anybody watched the operation are told, and those
// that are gone are counted: again to everybody who begins anew.
func TestLinesBeforeTheFirstLook(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, lines := range []int{300, 40000} {
		b := newBed(t)
		to, release := b.resolve("v1", b.app("version=v1", fmt.Sprintf("lines=%d", lines)))
		op := b.operation(sdk.OperationDeploy, true)
		handle, err := b.Deploy(t.Context(), sdk.DeployRequest{Operation: op, Target: to, Release: release})
		if err != nil {
			t.Fatal(err)
		}
		b.watch(op, to, handle).candidate(0) // all is written
		got, dropped := 0, uint64(0)
		var token []byte
		err = b.Watch(ctx, sdk.WatchRequest{Operation: op, Target: to, Handle: handle}, func(events ...sdk.Event) error {
			for _, event := range events {
				dropped += event.DroppedLogLines
				if event.Log != nil {
					got++
				}
				if event.ResumeToken != nil {
					token = event.ResumeToken
				}
			}
			if uint64(got)+dropped >= uint64(lines) && token != nil {
				return cancelled(b, op, to)
			}
			return nil
		})
		if err != nil || uint64(got)+dropped < uint64(lines) || (dropped > 0) != (lines > 16384) {
			t.Errorf("%v; %d lines and %d dropped of %d", err, got, dropped, lines)
		}
		again := 0
		err = b.Watch(ctx, sdk.WatchRequest{Operation: op, Target: to, Handle: handle, ResumeToken: token}, func(events ...sdk.Event) error {
			for _, event := range events {
				if event.Log != nil {
					again++
				}
			}
			return nil
		})
		if err != nil || again >= got {
			t.Errorf("%v; %d lines again after the token of the last", err, again)
		}
	}
}

// TestFloodOfLines has an instance write more than the ring holds to a reader
// that stands still: lines are counted as dropped, the rest arrives.
func TestFloodOfLines(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	const lines = 60000
	w := b.deploy("v1", b.app("version=v1"), true)
	op, to := w.op, w.target
	address := w.candidate(0).Addresses["http"]
	got, dropped, candidate := 0, uint64(0), false
	var outcome *sdk.Outcome
	var once sync.Once
	err := b.Watch(t.Context(), sdk.WatchRequest{Operation: op, Target: to}, func(events ...sdk.Event) error {
		once.Do(func() { // the reader stands still until all was written
			get(t, address, fmt.Sprintf("/flood?lines=%d", lines))
			w.until("end of the flood", func(e sdk.Event) bool { return e.Log != nil && e.Log.Line == "flood ends" })
		})
		for _, event := range events {
			switch {
			case event.Log != nil:
				got++
				if event.Log.Line == "flood ends" {
					return cancelled(b, op, to)
				}
			case event.DroppedLogLines > 0:
				dropped += event.DroppedLogLines
			case event.Candidate != nil, event.State != nil && event.State.Candidate != nil:
				candidate = true
			case event.Outcome != nil:
				outcome = event.Outcome
			}
		}
		return nil
	})
	if err != nil || outcome == nil || outcome.Result != sdk.ResultCancelled || !candidate {
		t.Fatalf("%v, outcome %+v, candidate %v", err, outcome, candidate)
	}
	if dropped == 0 || uint64(got)+dropped < lines {
		t.Errorf("%d lines and %d dropped, want %d in all", got, dropped, lines)
	}
	files, err := filepath.Glob(filepath.Join(b.dir(), "logs", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Size() > 64<<10 {
			t.Errorf("%s is larger than log_size: %v %v", file, info.Size(), err)
		}
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.app("version=v1", "lines=5")
	s["replicas"] = 2
	b.settled("v1", s)
	to := target("v1", nil)
	read := func(request sdk.LogsRequest) []sdk.LogLine {
		t.Helper()
		request.Target = to
		var all []sdk.LogLine
		if err := b.Logs(t.Context(), request, func(lines ...sdk.LogLine) error {
			all = append(all, lines...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return all
	}
	eventually(t, "all lines are there", func() bool { return len(read(sdk.LogsRequest{})) == 2*7 })
	if lines := read(sdk.LogsRequest{Resource: "process-1-2"}); len(lines) != 7 || lines[0].Resource != "process-1-2" {
		t.Errorf("of one instance: %v", lines)
	}
	if lines := read(sdk.LogsRequest{Tail: 3}); len(lines) != 3 {
		t.Errorf("tail: %v", lines)
	}
	streams := map[string]int{}
	for _, line := range read(sdk.LogsRequest{}) {
		streams[line.Stream]++
		if line.Time.IsZero() || line.Previous {
			t.Errorf("line %+v", line)
		}
	}
	if streams["stdout"] != 12 || streams["stderr"] != 2 {
		t.Errorf("streams %v", streams)
	}
	if lines := read(sdk.LogsRequest{Since: time.Now()}); len(lines) != 0 {
		t.Errorf("since now: %v", lines)
	}
	if lines := read(sdk.LogsRequest{Previous: true}); len(lines) != 0 {
		t.Errorf("previous: %v", lines)
	}
	ctx, cancel := context.WithCancel(t.Context())
	follow := make(chan sdk.LogLine, 1000)
	done := make(chan error, 1)
	go func() {
		done <- b.Platform.Logs(ctx, sdk.LogsRequest{Target: to, Follow: true, Tail: 1}, func(lines ...sdk.LogLine) error {
			for _, line := range lines {
				follow <- line
			}
			return nil
		})
	}()
	<-follow // the tail
	get(t, b.public, "/exit")
	for line := range follow {
		if strings.Contains(line.Line, "starting v1") {
			break
		}
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("following ended without an error")
	}
	eventually(t, "lines of the run that ended", func() bool {
		lines := read(sdk.LogsRequest{Previous: true})
		return len(lines) == 7 && lines[0].Previous
	})
}
