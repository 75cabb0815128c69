package fake_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

func lie(what string) faults { return faults{"lie": {"what": what}} }

func TestLieAboutSuccess(t *testing.T) {
	t.Parallel()
	r := with(t, lie("success"))
	o := r.accepted("op-1")
	events, err := r.watch(o)
	if err != nil || outcome(t, events).Result != sdk.ResultSucceeded {
		t.Errorf("watch: %+v %v", events, err)
	}
	if checks := r.probe(o).Checks; len(checks) == 0 || checks[0].Status != sdk.CheckUnhealthy {
		t.Errorf("checks %+v", checks)
	}
}

func TestLieAboutFailure(t *testing.T) {
	t.Parallel()
	r := with(t, lie("failure"))
	o := r.accepted("op-1")
	events, err := r.watch(o)
	if err != nil || outcome(t, events).Result != sdk.ResultFailed || outcome(t, events).Failure == nil {
		t.Errorf("watch: %+v %v", events, err)
	}
	if checks := r.probe(o).Checks; len(checks) == 0 || checks[0].Status != sdk.CheckHealthy {
		t.Errorf("checks %+v", checks)
	}
}

func TestLieAboutProgress(t *testing.T) {
	t.Parallel()
	r := with(t, lie("progress"))
	events, err := r.watch(r.accepted("op-1"))
	if err != nil {
		t.Fatal(err)
	}
	outcome(t, events)
	var fractions []float64
	for _, event := range events {
		if event.State != nil && event.State.Fraction > 0 {
			fractions = append(fractions, event.State.Fraction)
		}
	}
	if !slices.Equal(fractions, []float64{0.9, 0.2}) {
		t.Errorf("fractions %v", fractions)
	}
}

func TestLieAboutRevision(t *testing.T) {
	t.Parallel()
	honest := with(t, nil)
	o := honest.accepted("op-1")
	if _, err := honest.watch(o); err != nil {
		t.Fatal(err)
	}
	r := with(t, lie("revision"))
	other := r.accepted("op-1")
	events, err := r.watch(other)
	if err != nil {
		t.Fatal(err)
	}
	truth, said := honest.probe(o).Revision, r.probe(other).Revision
	if said == truth || said != outcome(t, events).Revision {
		t.Errorf("revision %q, outcome %q, in truth %q", said, outcome(t, events).Revision, truth)
	}
}

func TestUnfinished(t *testing.T) {
	t.Parallel()
	r := with(t, lie("unfinished"))
	events, err := r.watch(r.accepted("op-1"))
	for _, event := range events {
		if event.Outcome != nil {
			t.Errorf("an outcome: %+v", event.Outcome)
		}
	}
	if err == nil {
		t.Error("a broken stream was no error")
	}
}

// What the SDK would not let pass goes beneath it.
func TestLateEvents(t *testing.T) {
	t.Parallel()
	r := with(t, lie("late"))
	events, err := r.watch(r.accepted("op-1"))
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(events, func(event sdk.Event) bool { return event.Outcome != nil })
	if at < 0 || at == len(events)-1 {
		t.Errorf("nothing comes after the outcome: %+v", events)
	}
}

func TestMistakenOperation(t *testing.T) {
	t.Parallel()
	block := faults{"mistake": {"what": "operation", "version": "v2"}}
	r := with(t, block)
	first := r.accepted("op-1")
	if _, err := r.watch(first); err != nil {
		t.Fatal(err)
	}
	r.write("two")
	second := r.request("op-2", r.target("web", "v2", map[string]any{"takes": "1h"}))
	if err := r.deploy(second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(second.handle.State, first.handle.State) {
		t.Errorf("handle %q, want that of the other operation %q", second.handle.State, first.handle.State)
	}
	if events, err := r.watch(second); err != nil || outcome(t, events).Result != sdk.ResultSucceeded {
		t.Errorf("the outcome of the other operation: %+v %v", events, err)
	}
	r = r.with(faults{"mistake": {"what": "operation"}})
	inFlight, err := r.Client().Drain(r.ctx(), time.Millisecond)
	if err != nil || !slices.ContainsFunc(inFlight, func(id string) bool { return strings.Contains(id, "never-given") }) {
		t.Errorf("in flight: %q %v", inFlight, err)
	}
}

func TestMistakenComponent(t *testing.T) {
	t.Parallel()
	r := with(t, faults{"mistake": {"what": "component", "component": "web"}})
	o := r.request("op-1", r.target("db", "v1", nil))
	if err := r.deploy(o); err != nil {
		t.Fatal(err)
	}
	if _, err := r.watch(o); err != nil {
		t.Fatal(err)
	}
	result, err := r.Client().Probe(r.ctx(), sdk.ProbeRequest{Target: r.target("web", "v1", nil)})
	if err != nil || result.Revision != r.probe(o).Revision {
		t.Errorf("the answer for web is %+v %v, want that for db", result, err)
	}
}

func TestOversize(t *testing.T) {
	t.Parallel()
	r := with(t, faults{
		"probe":    {"kind": "oversize", "call": "probe", "times": 1},
		"watch":    {"kind": "oversize", "call": "watch", "times": 1},
		"small":    {"kind": "oversize", "call": "snapshot", "bytes": 1000},
		"describe": {"kind": "error", "call": "logs", "code": "INTERNAL"},
	})
	target := r.target("web", "v1", nil)
	probe := func() error {
		_, err := r.Client().Probe(r.ctx(), sdk.ProbeRequest{Target: target})
		return err
	}
	if err := probe(); err == nil {
		t.Error("an answer of more than 16 MiB passed")
	}
	if err := probe(); err != nil {
		t.Errorf("the next answer: %v", err)
	}
	o := r.accepted("op-1")
	if _, err := r.watch(o); err == nil {
		t.Error("an event of more than 16 MiB passed")
	}
	if _, err := r.watch(o); err != nil {
		t.Errorf("the next Watch: %v", err)
	}
	if _, err := r.Client().Snapshot(r.ctx(), sdk.SnapshotRequest{Target: target}); err != nil {
		t.Errorf("an answer within the limit: %v", err)
	}
}

func TestGarble(t *testing.T) {
	t.Parallel()
	r := with(t, faults{
		"probe": {"kind": "garble", "call": "probe", "times": 1},
		"watch": {"kind": "garble", "call": "watch", "times": 1},
	})
	o := r.accepted("op-1")
	_, err := r.watch(o)
	if err == nil {
		t.Error("events that are no UTF-8 passed")
	}
	if _, err := r.watch(o); err != nil {
		t.Errorf("the next Watch: %v", err)
	}
	if _, err := r.Client().Probe(r.ctx(), sdk.ProbeRequest{Target: o.Target}); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("an answer that is no UTF-8: %v", err)
	}
	r.probe(o)
}

func TestFloodOfEvents(t *testing.T) {
	t.Parallel()
	r := with(t, faults{"flood": {"what": "events", "rate": 20000, "for": "500ms", "resources": 50000, "bytes": 100}})
	start := time.Now()
	events, err := r.watch(r.accepted("op-1"))
	if err != nil || outcome(t, events).Result != sdk.ResultSucceeded {
		t.Fatalf("%d events, %v", len(events), err)
	}
	if len(events) < 10000 || time.Since(start) < 400*time.Millisecond {
		t.Errorf("%d events within %s", len(events), time.Since(start))
	}
}

func TestFloodOfLines(t *testing.T) {
	t.Parallel()
	r := with(t, faults{"flood": {"what": "lines", "rate": 10000, "for": "300ms", "bytes": 100}})
	events, err := r.watch(r.accepted("op-1"))
	if err != nil {
		t.Fatal(err)
	}
	lines := uint64(0)
	for _, event := range events {
		if event.Log != nil {
			lines++
		}
		lines += event.DroppedLogLines
	}
	if lines != 3000 {
		t.Errorf("%d lines came or were counted, want 3000", lines)
	}
}

func TestFloodOfLogs(t *testing.T) {
	t.Parallel()
	r := with(t, faults{
		"stderr": {"kind": "flood", "what": "stderr", "call": "configure", "bytes": 300_000},
		"log":    {"kind": "flood", "what": "log", "call": "configure", "rate": 1000, "for": "100ms", "bytes": 10},
	})
	eventually(t, func() error {
		text := r.Logs()
		if n := strings.Count(text, "flood flood"); n == 0 || len(text) < 300_000 {
			return fmt.Errorf("%d bytes on standard error", len(text))
		}
		if n := strings.Count(text, `"@message":"flood"`); n != 100 {
			return fmt.Errorf("%d log lines", n)
		}
		return nil
	})
}

func eventually(t *testing.T, holds func() error) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for err := errors.New("not yet"); err != nil; {
		if err = holds(); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(err)
		}
	}
}
