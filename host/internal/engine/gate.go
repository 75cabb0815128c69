package engine

import (
	"context"
	"strings"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// gate waits until the checks of a component pass often enough in a row. It
// returns nil then, or when stop, a look at recorded facts, says that there is
// nothing to wait for any more. A verdict against the component is a failure
// with its evidence; a cause outside of it is held for, visibly.
func (o *owner) gate(ctx context.Context, k *checkup, stop func() bool) error {
	k.interval = gateInterval(k.interval)
	k.start(ctx)
	defer k.end()
	held := false
	for {
		if o.holds(stop) {
			return nil
		}
		verdict := k.judge("")
		if verdict.Kind == deployment.VerdictFail || verdict.Kind == deployment.VerdictRollBack {
			old := o.oldUnhealthy(ctx, k, verdict.Checks)
			switch {
			case old != "":
				verdict = k.judge(old)
			case held: // the environment has just been mended: what was heard before that says nothing
				k.forgive()
				verdict = k.judge("")
			}
		}
		held = verdict.Kind == deployment.VerdictHold
		switch verdict.Kind {
		case deployment.VerdictPromote:
			o.waitNoMore(k.d, k.component, deployment.WaitEnvironment)
			return o.recordVerdict(k, verdict)
		case deployment.VerdictHold:
			o.hold(ctx, k, verdict)
		case deployment.VerdictFail, deployment.VerdictRollBack:
			if err := o.recordVerdict(k, verdict); err != nil {
				return err
			}
			return o.checkFailure(ctx, k, verdict)
		default:
			o.waitNoMore(k.d, k.component, deployment.WaitEnvironment)
		}
		if err := k.wait(ctx, stop); err != nil {
			return o.gateEnded(ctx, k, err)
		}
	}
}

// forgive begins the rows of failures anew.
func (k *checkup) forgive() {
	k.o.read(func() {
		component := k.d.Component(k.component)
		for i := range component.Checks {
			component.Checks[i].Failures = 0
		}
	})
}

// gateInterval is how often Probe is asked while something waits for it: five
// times as often as usual, but not more than once a second unless it always is.
func gateInterval(usual time.Duration) time.Duration {
	return min(usual, max(usual/5, time.Second))
}

// holds looks whether a condition holds; nil never does.
func (o *owner) holds(condition func() bool) (reached bool) {
	if condition == nil {
		return false
	}
	o.read(func() { reached = condition() })
	return reached
}

// wait waits for news of the checkup or a recorded change that stop is about.
func (k *checkup) wait(ctx context.Context, stop func() bool) error {
	for {
		k.o.mu.Lock()
		changed := k.o.changed
		stopped := stop != nil && stop()
		k.o.mu.Unlock()
		if stopped {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-k.news:
			return nil
		case <-changed:
		}
	}
}

// gateEnded says why a gate ended without a verdict: at the deadline, with what
// was still open. When nothing could be looked at, nothing is undone either.
func (o *owner) gateEnded(ctx context.Context, k *checkup, cause error) error {
	late, isLate := cause.(*deadlineError) //nolint:errorlint // context.Cause hands back the very value
	if !isLate {
		return cause
	}
	verdict := k.judge("")
	if !k.lookedAt() {
		verdict.Reason = "the plugin was asked how it is and did not answer Probe"
	}
	f := &failure{Failure: deployment.Failure{
		Code: deployment.CodeDeadline, Component: k.component,
		Message:    late.Error() + ": " + verdict.Reason,
		Suggestion: "if it only starts slowly, raise monitor.timeout or policy.timeouts",
	}}
	if !k.lookedAt() || unseen(verdict.Checks) {
		f.Code, f.Keep = deployment.CodeUnknown, true
		f.Suggestion = "find out why nobody could look, then start the wanted version anew"
		if _, down := o.engine.answers(k.platform); deployment.CodeOf(down) == deployment.Unavailable {
			f = asFailure(pluginDown(late, k.component, down), k.component)
		}
	}
	f.evidence = o.gather(context.WithoutCancel(ctx), k, f.Failure)
	return f
}

// unseen says whether nothing but unknown answers stand in the way, or that there
// is none at all.
func unseen(checks []deployment.Check) bool {
	for _, c := range checks {
		if c.Status != deployment.Unknown {
			return false
		}
	}
	return true
}

// oldUnhealthy asks the checks that fail of the version that still serves: when
// it fails them too, the cause lies outside the change.
func (o *owner) oldUnhealthy(ctx context.Context, k *checkup, failing []deployment.Check) string {
	var old map[string]string
	o.read(func() {
		c := k.d.Component(k.component)
		if c.BeforeRunning != nil && len(k.handle.State) > 0 && !k.passed {
			old = c.BeforeRunning.Addresses
		}
	})
	if len(old) == 0 {
		return ""
	}
	for _, definition := range k.checks {
		for _, check := range failing {
			if check.Name != definition.Name {
				continue
			}
			bounded, cancel := context.WithTimeout(ctx, definition.Timeout)
			seen := o.engine.Checker.Look(bounded, definition, old)
			cancel()
			if seen.Status == deployment.Unhealthy {
				return "the version that runs fails check " + check.Name + " too: " + seen.Message
			}
		}
	}
	return ""
}

// hold records that the environment is at fault.
func (o *owner) hold(ctx context.Context, k *checkup, verdict deployment.Verdict) {
	subject := strings.TrimPrefix(verdict.Reason, "environment: ")
	var held bool
	o.read(func() {
		held = k.d.Waiting != nil && k.d.Waiting.Kind == deployment.WaitEnvironment
	})
	if held {
		return
	}
	if o.recordVerdict(k, verdict) == nil {
		o.wait(ctx, k.d, k.component, deployment.WaitEnvironment, subject)
	}
}

// recordVerdict adds the row.
func (o *owner) recordVerdict(k *checkup, verdict deployment.Verdict) error {
	return o.commit(k.d, func(c *change) {
		payload := deployment.VerdictPayload{Component: k.component, Verdict: verdict.Kind, Reason: verdict.Reason}
		for _, check := range verdict.Checks {
			payload.Checks = append(payload.Checks, deployment.CheckPayload{
				Component: k.component, Name: check.Name, Type: check.Type,
				Status: check.Status, Message: check.Message, Latency: check.Latency,
			})
		}
		c.event(deployment.EventVerdict, payload)
	})
}

// checkFailure is the failure of a verdict, with its evidence.
func (o *owner) checkFailure(ctx context.Context, k *checkup, verdict deployment.Verdict) error {
	f := &failure{Failure: deployment.Failure{
		Code: deployment.CodeCheckFailed, Component: k.component, Message: verdict.Reason,
		Suggestion: "the last lines of its log and the transcript of the checks are kept as evidence",
	}}
	if len(verdict.Checks) > 0 {
		f.Resource = verdict.Checks[0].Resource
	}
	f.evidence = o.gather(ctx, k, f.Failure)
	return f
}
