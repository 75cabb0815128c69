package engine

import (
	"context"
	"slices"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// probe asks the plugin to look, by the platform's interval.
func (k *checkup) probe(ctx context.Context) {
	for {
		k.lookOnce(ctx)
		if ctx.Err() != nil || !sleep(ctx, max(k.interval, 10*time.Millisecond)) {
			return
		}
	}
}

// lookOnce is one Probe. What could not be looked at is unknown.
func (k *checkup) lookOnce(ctx context.Context) {
	now := func() time.Time { return k.o.engine.Now().UTC() }
	defer k.tell()
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.probedOnce = k.probedOnce || ctx.Err() == nil
	}()
	p, err := k.reach(ctx)
	var result sdk.ProbeResult
	if err == nil {
		bounded, cancel := context.WithTimeout(ctx, max(k.interval, 10*time.Second))
		result, err = p.Probe(bounded, sdk.ProbeRequest{Target: k.target, Handle: toHandle(k.handle)})
		cancel()
	}
	if err != nil && ending(ctx) {
		<-ctx.Done() // it was cut short by the end of the stage: that is no finding
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		k.mu.Lock()
		names := make([]string, 0, len(k.fromProbe))
		for name := range k.fromProbe {
			names = append(names, name)
		}
		k.mu.Unlock()
		if len(names) == 0 {
			names = append(names, "probe")
		}
		for _, name := range names {
			k.hear(probeCheck(sdk.Check{Name: name, Type: "probe"}), deployment.Observation{
				Status: deployment.Unknown, Message: "could not look: " + clip(err.Error()), At: now(),
			})
		}
		return
	}
	seen := map[string]bool{}
	for _, check := range result.Checks[:min(len(result.Checks), maxChecks)] {
		check.Name, check.Type, check.Resource = clip(check.Name), clip(check.Type), clip(check.Resource)
		seen[check.Name] = true
		k.hear(probeCheck(check), deployment.Observation{
			Status: fromCheckStatus(check.Status), Message: clip(check.Message), Latency: check.Latency, At: now(),
		})
	}
	k.dropVanished(seen)
	if k.probed != nil {
		k.probed(result)
	}
}

// endingTime is how much earlier than here a deadline may be noticed elsewhere: gRPC
// has each side look after it.
const endingTime = 100 * time.Millisecond

// ending says whether the time of ctx is as good as over.
func ending(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < endingTime
}

// reach returns the platform if its plugin answers. A run that needs it says that
// it waits for it, unless it holds for another reason.
func (k *checkup) reach(ctx context.Context) (sdk.Platform, error) {
	p, err := k.o.engine.answers(k.platform)
	var needed bool
	k.o.read(func() {
		r, waiting := k.d.Run(), k.d.Waiting
		needed = r != nil && r.Open() && !r.LockedAt.IsZero() && (waiting == nil || waiting.Kind == deployment.WaitPlugin)
	})
	switch {
	case !needed:
	case err == nil:
		k.o.waitNoMore(k.d, k.component, deployment.WaitPlugin)
	case deployment.CodeOf(err) == deployment.Unavailable:
		k.o.waitForPlugin(ctx, k.d, k.component, err)
	}
	if err == nil {
		k.o.read(func() { p = k.o.discreetly(p, k.d, k.component) })
	}
	return p, err
}

// probeCheck is a check that a plugin reports, with the thresholds for it.
func probeCheck(check sdk.Check) deployment.Check {
	kind := check.Type
	if kind == "" {
		kind = "probe"
	}
	return deployment.Check{
		Name: check.Name, Type: kind, Resource: check.Resource,
		NeedPasses: deployment.ProbePasses, NeedFailures: deployment.ProbeFailures,
	}
}

func fromCheckStatus(s sdk.CheckStatus) deployment.Health {
	switch s {
	case sdk.CheckHealthy:
		return deployment.Healthy
	case sdk.CheckDegraded:
		return deployment.Degraded
	case sdk.CheckUnhealthy:
		return deployment.Unhealthy
	default:
		return deployment.Unknown
	}
}

// dropVanished forgets checks that Probe reports no more, such as those of a
// resource that is gone for good.
func (k *checkup) dropVanished(seen map[string]bool) {
	k.mu.Lock()
	var gone []string
	for name := range k.fromProbe {
		if !seen[name] {
			gone = append(gone, name)
			delete(k.fromProbe, name)
		}
	}
	k.mu.Unlock()
	if len(gone) == 0 {
		return
	}
	k.o.read(func() {
		component := k.d.Component(k.component)
		component.Checks = slices.DeleteFunc(component.Checks, func(check deployment.Check) bool { return slices.Contains(gone, check.Name) })
	})
}
