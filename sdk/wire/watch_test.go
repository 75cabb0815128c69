package wire_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/wire"
)

func watchRequest() sdk.WatchRequest {
	return sdk.WatchRequest{Target: target(), Operation: sdk.Operation{ID: "op"}}
}

func state(message string) sdk.Event { return sdk.Event{State: &sdk.State{Message: message}} }
func drift(message string) sdk.Event { return sdk.Event{Drift: &sdk.Drift{Message: message}} }
func logLine(line string) sdk.Event  { return sdk.Event{Log: &sdk.LogLine{Line: line}} }
func resource(id, word string) sdk.Event {
	return sdk.Event{Resource: &sdk.Resource{ID: id, Message: word}}
}

func success() sdk.Event { return sdk.Event{Outcome: &sdk.Outcome{Result: sdk.ResultSucceeded}} }

// watching serves a platform that only watches.
func watching(t *testing.T, watch func(context.Context, sdk.WatchRequest, sdk.Sink) error, options ...wire.ServerOption) (*wire.Client, *logs) {
	t.Helper()
	return configured(t, &bare{watch: watch}, options...)
}

// An idle stream sends each event at once and by itself.
func TestWatchIdleSendsAtOnce(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	client, _ := watching(t, func(_ context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
		for i, event := range []sdk.Event{state("s"), resource("a", "1"), resource("a", "2"), logLine("l"), success()} {
			if i > 0 {
				<-arrived
			}
			if err := sink(event); err != nil {
				return err
			}
		}
		return nil
	})
	var sizes []int
	err := client.Watch(t.Context(), watchRequest(), func(batch ...sdk.Event) error {
		sizes = append(sizes, len(batch))
		if batch[0].ObservedAt.IsZero() {
			t.Error("the time was not filled in")
		}
		if batch[0].Outcome == nil {
			arrived <- struct{}{}
		}
		return nil
	})
	same(t, "error", nil, err)
	same(t, "batches", []int{1, 1, 1, 1, 1}, sizes)
}

// A slow reader gets full batches: what matters, whole and in order; of the rest
// the latest; and the number of lines that it missed.
func TestWatchUnderLoad(t *testing.T) {
	t.Parallel()
	const lines, handles = 20_000, 300
	sent := make(chan struct{})
	client, _ := watching(t, func(_ context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
		defer close(sent)
		if err := sink(state("first")); err != nil {
			return err
		}
		for i := range lines {
			events := []sdk.Event{logLine(fmt.Sprintf("%d %s", i, strings.Repeat("x", 500))), resource("pod-"+fmt.Sprint(i%3), fmt.Sprint(i))}
			if i%2 == 0 {
				events = append(events, state(fmt.Sprint(i)))
			}
			if i < handles {
				events = append(events, sdk.Event{Handle: &sdk.Handle{Version: uint32(i + 1)}}, drift(fmt.Sprint(i)),
					sdk.Event{Candidate: &sdk.Candidate{Percent: i}})
			}
			if err := sink(events...); err != nil {
				return err
			}
		}
		return sink(success())
	})
	var all []sdk.Event
	largest := 0
	err := client.Watch(t.Context(), watchRequest(), func(batch ...sdk.Event) error {
		<-sent // reads nothing before all was sent
		largest = max(largest, len(batch))
		all = append(all, cloned(batch)...)
		return nil
	})
	same(t, "error", nil, err)
	var gotLines, dropped uint64
	var gotHandles, gotDrifts, gotCandidates, states, resources int
	last := map[string]string{}
	lastLine := -1
	for _, event := range all {
		switch {
		case event.State != nil:
			states++
			last["state"] = event.State.Message
		case event.Resource != nil:
			resources++
			last[event.Resource.ID] = event.Resource.Message
		case event.Log != nil:
			gotLines++
			var n int
			if _, err := fmt.Sscan(event.Log.Line, &n); err != nil {
				t.Fatal(err)
			}
			if n <= lastLine {
				t.Fatalf("line %d after %d", n, lastLine)
			}
			lastLine = n
		case event.DroppedLogLines > 0:
			dropped += event.DroppedLogLines
		case event.Handle != nil:
			gotHandles++
			same(t, "handle", uint32(gotHandles), event.Handle.Version)
		case event.Drift != nil:
			same(t, "drift", fmt.Sprint(gotDrifts), event.Drift.Message)
			gotDrifts++
		case event.Candidate != nil:
			same(t, "candidate", gotCandidates, event.Candidate.Percent)
			gotCandidates++
		}
	}
	same(t, "first", "first", all[0].State.Message)
	if all[len(all)-1].Outcome == nil {
		t.Error("the outcome is not last")
	}
	same(t, "handles, drifts, candidates", []int{handles, handles, handles}, []int{gotHandles, gotDrifts, gotCandidates})
	same(t, "latest", map[string]string{
		"state": fmt.Sprint(lines - 2), "pod-0": fmt.Sprint(lines - 2), "pod-1": fmt.Sprint(lines - 1), "pod-2": fmt.Sprint(lines - 3),
	}, last)
	same(t, "lines and dropped", uint64(lines), gotLines+dropped)
	same(t, "last line", lines-1, lastLine)
	if dropped == 0 || states > lines/4 || resources > lines/2 {
		t.Errorf("nothing was coalesced: %d dropped, %d states, %d resources", dropped, states, resources)
	}
	same(t, "largest batch", 64, largest)
}

// What may not be dropped makes the platform wait, in bounded memory.
func TestWatchHoldsThePlatformBack(t *testing.T) {
	t.Parallel()
	const drifts = 60_000
	var pushed atomic.Int64
	client, _ := watching(t, func(_ context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
		if err := sink(state("s")); err != nil {
			return err
		}
		for i := range drifts {
			if err := sink(drift(fmt.Sprint(i, strings.Repeat("x", 1000)))); err != nil {
				return err
			}
			pushed.Add(1)
		}
		return sink(success())
	})
	got, waited := 0, false
	err := client.Watch(t.Context(), watchRequest(), func(batch ...sdk.Event) error {
		if !waited {
			waited = true
			var before int64
			still := 0
			eventually(t, "the platform waits", func() bool {
				now := pushed.Load()
				if still++; now != before || now == 0 {
					before, still = now, 0
				}
				return still > 50
			})
			if before >= drifts/2 {
				t.Errorf("%d events were taken with nobody reading", before)
			}
		}
		for _, event := range batch {
			if event.Drift != nil {
				got++
			}
		}
		return nil
	})
	same(t, "error", nil, err)
	same(t, "drifts", drifts, got)
}

// A platform that waits for a reader is released when the reader leaves.
func TestWatchReleasesAWaitingPlatform(t *testing.T) {
	t.Parallel()
	left := make(chan error, 1)
	client, _ := watching(t, func(_ context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
		for {
			if err := sink(drift(strings.Repeat("x", 10_000))); err != nil {
				left <- err
				return err
			}
		}
	})
	err := client.Watch(t.Context(), watchRequest(), func(...sdk.Event) error { return errEnough })
	if !errors.Is(err, errEnough) {
		t.Errorf("error %v", err)
	}
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the platform was told %v", err)
	}
}

// The events of one Sink call stay together, and the token stands after them.
func TestWatchTokens(t *testing.T) {
	t.Parallel()
	many := make([]sdk.Event, 150)
	for i := range many {
		many[i] = drift(fmt.Sprint(i))
	}
	many[149].ResumeToken = []byte("after many")
	arrived := make(chan struct{}, 10)
	client, _ := watching(t, func(_ context.Context, r sdk.WatchRequest, sink sdk.Sink) error {
		same(t, "token given", "given", string(r.ResumeToken))
		if err := sink(drift("a"), drift("b"), sdk.Event{Drift: &sdk.Drift{Message: "c"}, ResumeToken: []byte("after c")}); err != nil {
			return err
		}
		<-arrived
		if err := sink(many...); err != nil {
			return err
		}
		for range 3 {
			<-arrived
		}
		return sink(success())
	})
	type batch struct {
		Size  int
		Token string
	}
	var got []batch
	request := watchRequest()
	request.ResumeToken = []byte("given")
	err := client.Watch(t.Context(), request, func(events ...sdk.Event) error {
		got = append(got, batch{len(events), string(events[len(events)-1].ResumeToken)})
		arrived <- struct{}{}
		return nil
	})
	same(t, "error", nil, err)
	same(t, "batches", []batch{{3, "after c"}, {64, ""}, {64, ""}, {22, "after many"}, {1, ""}}, got)
}

func TestWatchHeartbeat(t *testing.T) {
	t.Parallel()
	enough := make(chan struct{})
	client, _ := watching(t, func(ctx context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
		if err := sink(state("s"), sdk.Event{Heartbeat: true}); err != nil {
			return err
		}
		<-enough
		return sink(success())
	}, wire.WithHeartbeat(5*time.Millisecond))
	beats := 0
	err := client.Watch(t.Context(), watchRequest(), func(batch ...sdk.Event) error {
		if batch[0].Heartbeat {
			same(t, "alone", 1, len(batch))
			if beats++; beats == 3 {
				close(enough)
			}
		}
		return nil
	})
	same(t, "error", nil, err)
}

func TestWatchSilenceIsAHangingPlugin(t *testing.T) {
	t.Parallel()
	conn, _ := connect(t, &bare{watch: func(ctx context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
		if err := sink(state("s")); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}})
	client := conn.Client(wire.WithSilence(50 * time.Millisecond))
	if _, err := client.Configure(t.Context(), sdk.ConfigureRequest{}); err != nil {
		t.Fatal(err)
	}
	err := client.Watch(t.Context(), watchRequest(), func(...sdk.Event) error { return nil })
	if !errors.Is(err, sdk.ErrPluginGone) {
		t.Errorf("error %v", err)
	}
}

// An outcome belongs to an operation: on a stream without one it is a mistake of
// the plugin, and the stream goes on.
func TestWatchTargetHasNoOutcome(t *testing.T) {
	t.Parallel()
	platform := &full{}
	platform.watchTarget = func(ctx context.Context, _ sdk.WatchTargetRequest, sink sdk.Sink) error {
		if err := sink(state("s"), success(), drift("d")); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	client, out := configured(t, platform)
	err := client.WatchTarget(t.Context(), sdk.WatchTargetRequest{Target: target()}, func(batch ...sdk.Event) error {
		for _, event := range batch {
			if event.Outcome != nil {
				t.Error("an outcome arrived")
			}
			if event.Drift != nil {
				return errEnough
			}
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Error(err)
	}
	eventually(t, "log", func() bool { return strings.Contains(out.String(), "outcome on a stream without operation") })
}

// Cancelling a Watch ends the platform's watching, and is no error of the plugin.
func TestWatchCancel(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	client, _ := watching(t, func(ctx context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
		if err := sink(state("s")); err != nil {
			return err
		}
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	err := client.Watch(ctx, watchRequest(), func(...sdk.Event) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || errors.Is(err, sdk.ErrPluginGone) {
		t.Errorf("error %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the platform saw %v", err)
	}
}

// The plugin's own count of lost lines is added to ours.
func TestWatchAddsUpDroppedLines(t *testing.T) {
	t.Parallel()
	client, _ := watching(t, func(_ context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
		return sink(state("s"), sdk.Event{DroppedLogLines: 3}, sdk.Event{DroppedLogLines: 4}, logLine("l"), success())
	})
	var kinds []string
	err := client.Watch(t.Context(), watchRequest(), func(batch ...sdk.Event) error {
		for _, event := range batch {
			switch {
			case event.DroppedLogLines > 0:
				kinds = append(kinds, fmt.Sprint(event.DroppedLogLines))
			case event.Log != nil:
				kinds = append(kinds, "log")
			case event.Outcome != nil:
				kinds = append(kinds, "outcome")
			}
		}
		return nil
	})
	same(t, "error", nil, err)
	same(t, "kinds", []string{"7", "log", "outcome"}, kinds)
}

// A burst of log lines through Logs comes in several messages, whole.
func TestLogsAreSplit(t *testing.T) {
	t.Parallel()
	platform := &full{}
	lines := make([]sdk.LogLine, 5_000)
	for i := range lines {
		lines[i].Line = fmt.Sprint(i, strings.Repeat("x", 1000))
	}
	platform.logs = func(_ context.Context, _ sdk.LogsRequest, send func(...sdk.LogLine) error) error {
		return send(lines...)
	}
	client, _ := configured(t, platform)
	var got []sdk.LogLine
	messages := 0
	err := client.Logs(t.Context(), sdk.LogsRequest{Target: target()}, func(some ...sdk.LogLine) error {
		messages++
		got = append(got, some...)
		return nil
	})
	same(t, "error", nil, err)
	same(t, "lines", lines, got)
	if messages < 4 {
		t.Errorf("%d messages", messages)
	}
}

// cloned are events to keep.
func cloned(events []sdk.Event) []sdk.Event {
	kept := make([]sdk.Event, len(events))
	for i := range events {
		kept[i] = events[i].Clone()
	}
	return kept
}
