package plugintest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// watchAgain: the outcome is told to everybody who asks, as often as he asks.
func watchAgain(b *bench) {
	r := b.deploy(b.v1())
	for range 3 {
		b.follow(r, ignore)
		if r.outcome.Result != sdk.ResultSucceeded {
			b.Errorf("Watch again: %+v", r.outcome)
		}
	}
	r.handle = sdk.Handle{}
	b.follow(r, ignore)
	// Closing Watch cancels nothing.
	target := b.v2()
	r = b.startDeploy(target, b.resolve(target), b.operation(sdk.OperationDeploy))
	if err := b.watch(b.ctx(), r, nil, func(sdk.Event) error { return errStop }); err != nil {
		b.Fatalf("Watch: %v", err)
	}
	b.finish(r)
}

// watchResume: with every token that the plugin gave, a new Watch goes on to the
// outcome.
func watchResume(b *bench) {
	r := b.deploy(b.v1())
	var tokens [][]byte
	for _, event := range r.events {
		if len(event.ResumeToken) > 0 && event.Outcome == nil {
			tokens = append(tokens, event.ResumeToken)
		}
	}
	if len(tokens) == 0 {
		b.Skip("the plugin sends no resume token")
	}
	all := len(r.events)
	for i, token := range tokens {
		r.events = nil
		err := b.watch(b.ctx(), r, token, ignore)
		switch {
		case sdk.ReasonOf(err) == sdk.ReasonResumeExpired:
			continue
		case err != nil:
			b.Errorf("resume %d of %d: %v", i, len(tokens), err)
		case r.outcome == nil || r.outcome.Result != sdk.ResultSucceeded:
			b.Errorf("resume %d of %d: outcome %+v", i, len(tokens), r.outcome)
		case len(r.events) > all+1:
			b.Errorf("resume %d of %d: %d events, the whole had %d", i, len(tokens), len(r.events), all)
		}
	}
}

func watchExpired(b *bench) {
	r := b.deploy(b.v1())
	err := b.watch(b.ctx(), r, []byte("a token that was never given"), ignore)
	b.wantRefused("Watch with an expired token", err, sdk.OutOfRange, sdk.ReasonResumeExpired)
	b.follow(r, ignore) // and without one it begins anew
}

func watchHeartbeat(b *bench) {
	r := b.lasting()
	beats := 0
	err := b.watch(b.ctx(), r, nil, func(event sdk.Event) error {
		if event.Heartbeat {
			beats++
		}
		if beats == 2 {
			return errStop
		}
		return nil
	})
	if err != nil || beats < 2 {
		b.Errorf("%d heartbeats on a silent stream: %v; does the plugin honour APM_PLUGIN_HEARTBEAT?", beats, err)
	}
}

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
	if b.config.ChangeLive == nil {
		b.Skip("needs somebody who changes what runs: give ChangeLive")
	}
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
	b.show(drift.By, drift.Message, drift.Revision)
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
	b.show(said.Description)
	b.showMap(said.Attributes)
}

// chattyLines is what SpecChatty writes at the least.
const chattyLines = 10_000

// slowReader: a reader that sleeps gets the outcome, and is told what it missed.
func slowReader(b *bench) {
	if b.config.SpecChatty == nil {
		b.Skip("needs a spec that writes 10,000 lines: give SpecChatty")
	}
	target := b.at("chatty", b.config.SpecChatty)
	r := b.startDeploy(target, b.resolve(target), b.operation(sdk.OperationDeploy))
	lines, dropped := uint64(0), uint64(0)
	pauses := 20
	b.follow(r, func(event sdk.Event) error {
		if event.Log != nil {
			lines++
		}
		dropped += event.DroppedLogLines
		if pauses > 0 {
			pauses--
			<-time.After(50 * time.Millisecond)
		}
		return b.promoteWhenUp(r, event, 100)
	})
	if r.outcome.Result != sdk.ResultSucceeded {
		b.Errorf("outcome %+v", r.outcome)
	}
	if lines == 0 || lines+dropped < chattyLines {
		b.Errorf("%d log lines arrived and %d were dropped: the rest of %d got lost without being counted", lines, dropped, chattyLines)
	}
	b.Logf("%d lines arrived, %d were dropped", lines, dropped)
}

func readLogs(b *bench) {
	r := b.deploy(b.v1())
	err := b.client.Logs(b.ctx(), sdk.LogsRequest{Target: r.target, Handle: r.handle, Tail: 10}, func(lines ...sdk.LogLine) error {
		if len(lines) > 10 {
			b.Errorf("%d lines of a tail of 10", len(lines))
		}
		return nil
	})
	if err != nil {
		b.Errorf("Logs: %v", err)
	}
	ctx, cancel := context.WithCancel(b.ctx())
	followed := make(chan error, 1)
	go func() {
		followed <- b.client.Logs(ctx, sdk.LogsRequest{Target: r.target, Handle: r.handle, Follow: true},
			func(...sdk.LogLine) error { return nil })
	}()
	cancel()
	if err := ends(b, "Logs that follow, after their context", followed); !errors.Is(err, context.Canceled) {
		b.Errorf("Logs that follow, after their context: %v", err)
	}
}
