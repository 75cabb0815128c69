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
	if err == nil || errors.Is(err, sdk.ErrPluginGone) {
		b.Errorf("a message of 16 MiB + 1: want a refusal, got %v", err)
	}
	operation := b.operation(sdk.OperationDeploy)
	_, err = b.rude.Deploy(b.ctx(), sdk.DeployRequest{
		Operation: operation, Target: b.target, Release: sdk.Release{Version: 1, State: make([]byte, sdk.MaxRelease+1)},
	})
	b.wantRefused("a release over its limit", err, sdk.InvalidArgument, sdk.ReasonOf(err))
	if _, err := b.client.Validate(b.ctx(), nil, nil); err != nil {
		b.Errorf("Validate after messages that were too large: %v", err)
	}
}

// panicking breaks one call of a platform.
type panicking struct{ sdk.Platform }

func (panicking) Probe(context.Context, sdk.ProbeRequest) (sdk.ProbeResult, error) {
	panic("as the suite wants it")
}

func panics(b *bench) {
	s := b.suite.startWithin(b.T, func(p sdk.Platform) sdk.Platform { return panicking{p} })
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

func secretsStayInside(b *bench) {
	if len(b.config.Secrets) == 0 {
		b.Skip("needs something to look for: give Secrets")
	}
	rollbackRestores(b)
	if b.suite.description.Capabilities.Plan {
		planChangesNothing(b)
	}
	stateChanged(b)
	if b.suite.description.Capabilities.Inventory {
		items, err := b.client.Inventory(b.ctx(), "")
		if err != nil {
			b.Fatal(err)
		}
		for _, item := range items {
			b.show(item.Description)
		}
	}
	for _, secret := range b.config.Secrets {
		for _, text := range b.texts {
			if strings.Contains(text, secret) {
				b.Errorf("a secret is shown: %q", oneLine(text))
			}
		}
		if strings.Contains(b.logs(), secret) {
			b.Error("a secret is in the plugin's log")
		}
	}
}
