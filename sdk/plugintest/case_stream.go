package plugintest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
)

// maxBatch is how many events a message of Watch has at most.
const maxBatch = 64

// stateFirst: whoever opens a stream without a token knows all after its first event.
func stateFirst(b *bench) {
	r := b.deploy(b.v1())
	var first *pluginv1.WatchEvent
	err := b.watchRaw(b.ctx(), r, func(response *pluginv1.WatchResponse) error {
		for _, event := range response.GetEvents() {
			if event.GetHeartbeat() == nil { // which may come while the plugin looks
				first = event
				return errStop
			}
		}
		return nil
	})
	if !errors.Is(err, errStop) {
		b.Fatalf("Watch without a token: want a State, got %v", err)
	}
	state := first.GetState()
	if state == nil {
		b.Fatalf("Watch without a token: the first event is not a State but %v", first)
	}
	if state.GetPhase() == pluginv1.Phase_PHASE_UNSPECIFIED {
		b.Errorf("the first State has no phase: %v", state)
	}
	if len(state.GetResources()) == 0 {
		b.Errorf("the first State of what runs is not full, it has no resources: %v", state)
	}
}

// lastTimeout bounds the end of a stream after its outcome.
const lastTimeout = 10 * time.Second

// outcomeLast reads on after the outcome.
func outcomeLast(b *bench) {
	r := b.deploy(b.v1())
	ctx, cancel := context.WithTimeout(b.ctx(), lastTimeout)
	defer cancel()
	ended := false
	err := b.watchRaw(ctx, r, func(response *pluginv1.WatchResponse) error {
		for _, event := range response.GetEvents() {
			if ended {
				return fmt.Errorf("an event came after the outcome: %v", event)
			}
			ended = event.GetOutcome() != nil
		}
		return nil
	})
	switch {
	case err != nil && ended && ctx.Err() != nil:
		b.Errorf("Watch: the stream is open %v after the outcome; it must end OK right after it", lastTimeout)
	case err != nil:
		b.Errorf("Watch: want the end of the stream with the status OK, after the outcome, got %v", err)
	case !ended:
		b.Error("Watch: the stream ended without an outcome")
	}
}

// progressForward: what people see as a bar never shrinks, whoever looks how often.
func progressForward(b *bench) {
	b.deploy(b.v1())
	target := b.v2()
	r := b.startDeploy(target, b.resolve(target), b.operation(sdk.OperationDeploy))
	highest := 0.0
	look := func(event sdk.Event) error {
		if event.State == nil {
			return nil
		}
		fraction := event.State.Fraction
		if math.IsNaN(fraction) || fraction < 0 || fraction > 1 {
			b.Errorf("State.fraction is %v, want 0 to 1", fraction)
		}
		if fraction < highest {
			b.Errorf("State.fraction went back from %v to %v within one operation", highest, fraction)
		}
		highest = max(highest, fraction)
		return nil
	}
	b.follow(r, func(event sdk.Event) error {
		return errors.Join(look(event), b.promoteWhenUp(r, event, 100))
	})
	b.succeeded("Deploy", r)
	b.follow(r, look)
	if highest == 0 {
		b.Log("State.fraction stays 0: people see no progress")
	}
}

// watchBatches: much is told in few messages, and none of them is too large.
func watchBatches(b *bench) {
	target := b.at("chatty", b.config.SpecChatty)
	r := b.startDeploy(target, b.resolve(target), b.operation(sdk.OperationDeploy))
	promoting := false
	err := b.watchRaw(b.ctx(), r, func(response *pluginv1.WatchResponse) error {
		events := response.GetEvents()
		if len(events) < 1 || len(events) > maxBatch {
			b.Errorf("a message of Watch has %d events, want 1 to %d", len(events), maxBatch)
		}
		for _, event := range events {
			candidate := event.GetCandidate()
			if candidate == nil {
				candidate = event.GetState().GetCandidate()
			}
			if handle := event.GetHandle(); handle != nil {
				r.handle = sdk.Handle{Version: handle.GetVersion(), State: handle.GetState()}
			}
			if candidate != nil && !promoting && r.operation.Staged {
				promoting = true
				if err := b.promote(r, 100); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		b.Errorf("Watch of a deploy that writes much: %v", err)
	}
}
