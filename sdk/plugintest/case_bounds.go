package plugintest

import (
	"context"
	"errors"
	"strings"

	"github.com/apm-deploy/apm/sdk"
)

// tooLarge sends what the host would never send.
func tooLarge(b *bench) {
	huge := b.target
	huge.Spec = make([]byte, sdk.MaxMessage+1)
	_, _, err := b.rude.Resolve(b.ctx(), sdk.ResolveRequest{Target: huge})
	if err == nil || errors.Is(err, sdk.ErrPluginGone) || errors.Is(err, context.DeadlineExceeded) {
		b.Errorf("a message of 16 MiB + 1: want a refusal, got %v", err)
	}
	operation := b.operation(sdk.OperationDeploy)
	_, err = b.rude.Deploy(b.ctx(), sdk.DeployRequest{
		Operation: operation, Target: b.target, Release: sdk.Release{Version: 1, State: make([]byte, sdk.MaxRelease+1)},
	})
	b.wantRefused("a release over its limit", err, sdk.InvalidArgument, anyReason)
	if _, err := b.client.Validate(b.ctx(), nil, nil); err != nil {
		b.Errorf("Validate after messages that were too large: %v", err)
	}
}

// panicking breaks one call of a platform.
type panicking struct{ inner }

func (panicking) Probe(context.Context, sdk.ProbeRequest) (sdk.ProbeResult, error) {
	panic("as the suite wants it")
}

func panics(b *bench) {
	s := b.suite.startWithin(b.T, func(p sdk.Platform) sdk.Platform { return panicking{inner{p}} })
	b.suite.configure(b.ctx(), b.T, s)
	_, err := s.client.Probe(b.ctx(), sdk.ProbeRequest{Target: b.target})
	b.wantRefused("a call that panics", err, sdk.Internal, sdk.ReasonPluginBug)
	if err != nil && strings.Contains(err.Error(), "goroutine") {
		b.Errorf("the stack belongs in the log: %v", err)
	}
	if !strings.Contains(s.logs(), "as the suite wants it") {
		b.Error("the panic is not in the log")
	}
	if _, err := s.client.Snapshot(b.ctx(), sdk.SnapshotRequest{Target: b.target}); err != nil {
		b.Errorf("Snapshot after a panic in Probe: %v", err)
	}
}

// talkative is a platform whose texts somebody else wrote, without regard for UTF-8.
type talkative struct{ inner }

const noUTF8 = "no UTF-8: \xff."

func (talkative) Probe(context.Context, sdk.ProbeRequest) (sdk.ProbeResult, error) {
	return sdk.ProbeResult{
		Checks:    []sdk.Check{{Name: noUTF8, Status: sdk.CheckHealthy, Message: noUTF8}},
		Addresses: map[string]string{noUTF8: noUTF8},
	}, nil
}

func (talkative) Snapshot(context.Context, sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	return sdk.SnapshotResult{}, sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, noUTF8)
}

func (talkative) Watch(_ context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
	return sink(
		sdk.Event{State: &sdk.State{Message: noUTF8, Resources: []sdk.Resource{{ID: "a", Name: noUTF8}}}},
		sdk.Event{Log: &sdk.LogLine{Line: noUTF8}},
		sdk.Event{Outcome: &sdk.Outcome{Result: sdk.ResultFailed, Failure: &sdk.Failure{Code: sdk.CodeOther, Events: []string{noUTF8}}}},
	)
}

func badMessages(b *bench) {
	repaired := strings.ToValidUTF8(noUTF8, "\uFFFD")
	s := b.suite.startWithin(b.T, func(p sdk.Platform) sdk.Platform { return talkative{inner{p}} })
	b.suite.configure(b.ctx(), b.T, s)
	probed, err := s.client.Probe(b.ctx(), sdk.ProbeRequest{Target: b.target})
	if err != nil || len(probed.Checks) != 1 || probed.Checks[0].Message != repaired || probed.Addresses[repaired] != repaired {
		b.Errorf("Probe with texts that are no UTF-8: want %q in their place, got %+v %v", repaired, probed, err)
	}
	if _, err := s.client.Snapshot(b.ctx(), sdk.SnapshotRequest{Target: b.target}); sdk.CodeOf(err) != sdk.NotFound || err.Error() != repaired {
		b.Errorf("an error whose text is no UTF-8: want %q, got %v", repaired, err)
	}
	var events []sdk.Event
	request := sdk.WatchRequest{Target: b.target, Operation: b.operation(sdk.OperationDeploy)}
	err = s.client.Watch(b.ctx(), request, func(some ...sdk.Event) error {
		for _, event := range some {
			if !event.Heartbeat {
				events = append(events, event.Clone())
			}
		}
		return nil
	})
	if err != nil || len(events) != 3 || events[0].State.Message != repaired || events[0].State.Resources[0].Name != repaired ||
		events[1].Log.Line != repaired || events[2].Outcome.Failure.Events[0] != repaired {
		b.Errorf("events with texts that are no UTF-8: want %q in their place, got %+v %v", repaired, events, err)
	}
}

// secretsStayInside does what shows most of a component. The suite listens to all
// other cases too, so that what any of them showed is found here.
func secretsStayInside(b *bench) {
	rollbackRestores(b)
	if b.suite.description.Capabilities.Plan {
		planChangesNothing(b)
	}
	if b.suite.description.Capabilities.Inventory {
		if _, err := b.client.Inventory(b.ctx(), ""); err != nil {
			b.Fatal(err)
		}
	}
	if b.config.ChangeLive != nil && b.suite.description.Capabilities.WatchTarget {
		watchDrift(b)
	}
	stateChanged(b)
	for _, where := range b.suite.tap.found() {
		b.Error(where + ": mark the attribute as sensitive, and show a digest or nothing in its place")
	}
	for number, secret := range b.config.Secrets {
		for _, logs := range b.suite.logs {
			line := lineWith(logs(), secret)
			if line == "" {
				continue
			}
			b.Errorf("secret %d of %d stands in the plugin's log: %s", number+1, len(b.config.Secrets),
				strings.ReplaceAll(oneLine(line), secret, "(the secret)"))
			break
		}
	}
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}
