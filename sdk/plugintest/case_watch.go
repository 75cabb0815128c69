package plugintest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// watchAgain: the outcome is told to everybody who asks, as often as he asks, also
// to several at once.
func watchAgain(b *bench) {
	r := b.deploy(b.v1())
	for range 3 {
		b.follow(r, ignore)
		b.succeeded("Watch again", r)
	}
	r.handle = sdk.Handle{}
	b.follow(r, ignore)
	b.succeeded("Watch again, without a handle", r)
	// Closing Watch cancels nothing.
	target := b.v2()
	r = b.startDeploy(target, b.resolve(target), b.operation(sdk.OperationDeploy))
	if err := b.watch(b.ctx(), r, nil, func(sdk.Event) error { return errStop }); err != nil {
		b.Fatalf("Watch: %v", err)
	}
	other, ctx := *r, b.ctx()
	second := make(chan error, 1)
	go func() { second <- b.watch(ctx, &other, nil, ignore) }()
	b.finish(r)
	if err := ends(b, "another Watch of the same operation", second); err != nil {
		b.Fatalf("another Watch of the same operation, at the same time: %v", err)
	}
	b.succeeded("another Watch of the same operation, at the same time", &other)
}

func (b *bench) succeeded(what string, r *run) {
	b.Helper()
	if r.outcome == nil || r.outcome.Result != sdk.ResultSucceeded {
		b.Errorf("%s: want the outcome SUCCEEDED, got %+v", what, r.outcome)
	}
}

// watchResume: with every token that the plugin gave, a new Watch goes on to the
// outcome. What is never dropped comes after it, and what came before it does not all
// come again.
func watchResume(b *bench) {
	r := b.deploy(b.v1())
	events := r.events
	tokens := 0
	for at, event := range events {
		if len(event.ResumeToken) == 0 || event.Outcome != nil {
			continue
		}
		tokens++
		r.events = nil
		err := b.watch(b.ctx(), r, event.ResumeToken, ignore)
		what := fmt.Sprintf("Watch with the token that stood after event %d of %d", at+1, len(events))
		switch {
		case sdk.ReasonOf(err) == sdk.ReasonResumeExpired:
			continue
		case err != nil:
			b.Errorf("%s: %v", what, err)
			continue
		}
		b.succeeded(what, r)
		if want, got := lastingEvents(events[at+1:]), lastingEvents(r.events); got < want {
			b.Errorf("%s: %d of the events that are never dropped follow, want %d: an event came before its token", what, got, want)
		}
		if want, got := told(events[at+1:]), told(r.events); got > want && got >= told(events) && told(events[:at+1]) > 0 {
			b.Errorf("%s: all %d events come again, want the %d after it", what, got, want)
		}
	}
	if tokens == 0 {
		b.Skip("the plugin sends no resume token")
	}
}

// lastingEvents counts what is never dropped.
func lastingEvents(events []sdk.Event) int {
	n := 0
	for _, event := range events {
		if event.Handle != nil || event.Candidate != nil || event.Drift != nil || event.Outcome != nil {
			n++
		}
	}
	return n
}

// told counts what is neither a State, which may stand for what was coalesced, nor a
// heartbeat.
func told(events []sdk.Event) int {
	n := 0
	for _, event := range events {
		if event.State == nil && !event.Heartbeat {
			n++
		}
	}
	return n
}

func watchExpired(b *bench) {
	r := b.deploy(b.v1())
	err := b.watch(b.ctx(), r, []byte("a token that was never given"), ignore)
	b.wantRefused("Watch with an expired token", err, sdk.OutOfRange, sdk.ReasonResumeExpired)
	b.follow(r, ignore) // and without one it begins anew
}

// watchHeartbeat waits for two heartbeats, or where the plugin cannot be told to
// send them faster for the first of the contract.
func watchHeartbeat(b *bench) {
	r := b.lasting()
	ctx, cancel := context.WithTimeout(b.ctx(), heartbeatLimit)
	defer cancel()
	start := time.Now()
	beats := 0
	err := b.watch(ctx, r, nil, func(event sdk.Event) error {
		if event.Heartbeat {
			beats++
		}
		if beats == 2 || beats == 1 && time.Since(start) > heartbeatLimit/2 {
			return errStop
		}
		return nil
	})
	if beats == 0 || err != nil {
		b.Errorf("a stream on which nothing happens: want a Heartbeat after 15 s of silence, or as often as APM_PLUGIN_HEARTBEAT=%v says, "+
			"got %d within %v: %v", heartbeatForTests, beats, time.Since(start).Round(time.Millisecond), err)
	}
}

// heartbeatLimit is a little more than the silence that the contract allows.
const heartbeatLimit = 18 * time.Second

func watchTarget(b *bench) {
	r := b.deploy(b.v1())
	ctx, cancel := context.WithCancel(b.ctx())
	defer cancel()
	first := true
	seen := false
	err := b.client.WatchTarget(ctx, sdk.WatchTargetRequest{Target: r.target, Handle: r.handle}, func(events ...sdk.Event) error {
		for _, event := range events {
			if first && event.State == nil && !event.Heartbeat {
				return fmt.Errorf("the first event is not a State: %+v", event)
			}
			first = first && event.Heartbeat
			if event.Outcome != nil {
				return errors.New("an outcome without an operation")
			}
			seen = seen || event.Heartbeat && !first
		}
		if seen {
			return errStop // it lives on beyond what it had to say
		}
		return nil
	})
	if !errors.Is(err, errStop) {
		b.Errorf("Watch without an operation: %v", err)
	}
}

// watchDrift: somebody else's change is told to those who watch, and by whom.
func watchDrift(b *bench) {
	r := b.deploy(b.v1())
	ctx, cancel := context.WithCancel(b.ctx())
	defer cancel()
	changed := false
	var drift *sdk.Drift
	err := b.client.WatchTarget(ctx, sdk.WatchTargetRequest{Target: r.target, Handle: r.handle}, func(events ...sdk.Event) error {
		for _, event := range events {
			if event.Drift != nil && !changed {
				return fmt.Errorf("drift before anybody changed anything: %+v", event.Drift)
			}
			if event.Drift != nil {
				drift = event.Drift
				return errStop
			}
		}
		if !changed {
			changed = true
			b.config.ChangeLive(b.T, b.target)
		}
		return nil
	})
	if !errors.Is(err, errStop) || drift == nil {
		b.Fatalf("no Drift within %v of somebody's change: %v", b.config.Timeout, err)
	}
	if drift.By == "" || drift.Message == "" {
		b.Errorf("Drift must say what changed and by whom (%q where the platform does not tell): %+v", "unknown", drift)
	}
	if drift.Undone {
		b.Errorf("nothing was rolled back, so that nothing was undone: %+v", drift)
	}
}

// healthIsTold: the host knows how the platform is as soon as it is configured.
func healthIsTold(b *bench) {
	ctx, cancel := context.WithCancel(b.ctx())
	defer cancel()
	var said sdk.Health
	err := b.client.Health(ctx, func(h sdk.Health) error {
		said = h
		return errStop
	})
	if !errors.Is(err, errStop) || said.State != sdk.HealthHealthy {
		b.Errorf("Health after Configure: %+v %v, want healthy", said, err)
	}
}
