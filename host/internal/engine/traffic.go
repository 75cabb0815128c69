package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// moveTraffic takes a staged operation from its candidate to all of the
// traffic: the candidate's checks first, then the steps of the policy, each
// stored before the platform is told.
func (f *flight) moveTraffic(ctx context.Context, definition deployment.ComponentDefinition) error {
	err := f.o.until(ctx, func() bool {
		op := f.step().Operation()
		return f.hasOutcome() || op != nil && op.Candidate != nil
	})
	if err != nil || f.ended() {
		return err
	}
	op, _ := f.op()
	if op.CandidateOK.IsZero() && op.Percent == 0 {
		if err := f.passCandidate(ctx, definition); err != nil || f.ended() {
			return err
		}
	}
	for i, percent := range definition.Promotion.Steps {
		op, _ = f.op()
		if op.Percent > percent {
			continue
		}
		if err := f.shift(ctx, percent); err != nil || f.ended() {
			return err
		}
		if i < len(definition.Promotion.Steps)-1 {
			if err := f.pauseAt(ctx, percent, definition); err != nil || f.ended() {
				return err
			}
		}
	}
	return nil
}

// late adds the platform's last word to a deadline. Where nobody could look when
// it came, what became of the operation is unknown.
func (f *flight) late(ctx context.Context, err error) error {
	var late *deadlineError
	if !errors.As(err, &late) {
		return err
	}
	var blind error
	f.o.read(func() { blind = f.blind })
	if blind != nil {
		return unanswered(ctx, f.component, "watch the operation", blind)
	}
	op, _ := f.op()
	message := late.Error()
	if op.Message != "" {
		message += ": " + op.Message
	}
	failed := &failure{Failure: deployment.Failure{
		Code: sdk.CodeProgressDeadline, Component: f.component, Message: message,
		Suggestion: "if it only starts slowly, raise monitor.timeout or policy.timeouts",
	}}
	k := f.candidateCheckup(deployment.ComponentDefinition{})
	failed.evidence = f.o.gather(context.WithoutCancel(ctx), k, failed.Failure)
	return failed
}

// candidateCheckup looks at the candidate's own addresses.
func (f *flight) candidateCheckup(definition deployment.ComponentDefinition) *checkup {
	k := f.o.checkupOf(f.d, f.component, definition.Checks)
	op, _ := f.op()
	k.handle = op.Handle
	k.addresses = nil
	if op.Candidate != nil {
		k.addresses = op.Candidate.Addresses
	}
	if len(k.addresses) == 0 { // at a fixed place the old version would answer, or nobody
		k.checks = slices.DeleteFunc(slices.Clone(k.checks), deployment.CheckDefinition.Fixed)
	}
	return k
}

// passCandidate is the gate before any traffic moves.
func (f *flight) passCandidate(ctx context.Context, definition deployment.ComponentDefinition) error {
	if err := f.o.gate(ctx, f.candidateCheckup(definition), f.hasOutcome); err != nil || f.ended() {
		return err
	}
	return f.o.commit(f.d, func(c *change) { f.step().Operation().CandidateOK = c.now })
}

// shift stores the share, tells the platform, and waits until it is in force.
func (f *flight) shift(ctx context.Context, percent int) error {
	inForce := func() bool {
		op := f.step().Operation()
		return op.Outcome != nil || op.Candidate != nil && op.Candidate.Percent == percent && op.Percent == percent
	}
	if f.o.holds(inForce) {
		return nil
	}
	if err := f.o.commit(f.d, func(*change) { f.step().Operation().Percent = percent }); err != nil {
		return err
	}
	if err := f.promote(ctx); err != nil {
		return err
	}
	return f.o.until(ctx, inForce)
}

// promote tells the platform the share that is stored. Repeating a percent is
// harmless, so that a call without an answer is made again; the watch does so
// too, but never both at once: a late call would take the traffic back.
func (f *flight) promote(ctx context.Context) error {
	f.moving.Lock()
	defer f.moving.Unlock()
	var handle sdk.Handle
	pause := f.o.engine.Retry / 50
	for {
		p, err := f.o.platform(ctx, f.d, f.component, f.platform)
		if err != nil {
			return err
		}
		promoter, promotes := p.(sdk.Promoter)
		if !promotes {
			return fromPlatform(errors.New("the plugin cannot promote"), f.component, "move traffic")
		}
		op, _ := f.op()
		bounded, cancel := context.WithTimeout(ctx, f.o.engine.CallTimeout)
		handle, err = promoter.Promote(bounded, sdk.PromoteRequest{
			Operation: operationOf(f.d, &op, f.o.epoch), Target: f.target,
			Handle: toHandle(op.Handle), Percent: op.Percent,
		})
		cancel()
		switch {
		case err == nil && handle.IsZero(), f.ended():
			f.o.waitNoMore(f.d, f.component, deployment.WaitEnvironment)
			return nil
		case err == nil:
			f.o.waitNoMore(f.d, f.component, deployment.WaitEnvironment)
			return f.accepted(handle)
		case ctx.Err() != nil:
			return endOf(ctx, err)
		case sdk.ReasonOf(err) == sdk.ReasonStaleEpoch:
			f.o.lose()
			return err
		case !uncertain(err) && !throttled(err):
			return f.o.engine.counted(f.platform, fromPlatform(err, f.component, "move traffic"))
		case throttled(err) && !errors.Is(err, sdk.ErrPluginGone):
			f.o.wait(ctx, f.d, f.component, deployment.WaitEnvironment, "move traffic: "+err.Error())
		}
		if !sleep(ctx, later(err, pause)) {
			return context.Cause(ctx)
		}
		if uncertain(err) { // a plugin that was started anew is asked before it is told anything
			if started, err := f.recover(ctx); err != nil || !started || f.ended() {
				return err // one that has not started is begun again by the watch
			}
		}
		pause = min(2*pause, f.o.engine.Retry)
	}
}

// pauseAt keeps looking at the candidate while it has a share of the traffic,
// for the rest of the pause, and until its checks pass: no larger share follows
// one that nobody could look at. Time without a host does not count.
func (f *flight) pauseAt(ctx context.Context, percent int, definition deployment.ComponentDefinition) error {
	k := f.candidateCheckup(definition)
	k.passed = true
	k.interval = gateInterval(k.interval)
	left := definition.Promotion.Pause
	f.o.read(func() {
		if at := f.step().Operation().PercentAt; !at.IsZero() {
			left -= f.o.engine.Now().Sub(at) - f.d.Runs[f.run].IdleSince(at)
		}
	})
	if left = min(left, definition.Promotion.Pause); left <= 0 {
		return nil
	}
	over := time.NewTimer(left)
	defer over.Stop()
	isOver := false
	k.start(ctx)
	defer k.end()
	for {
		verdict := k.judge("")
		switch {
		case verdict.Kind == deployment.VerdictFail || verdict.Kind == deployment.VerdictRollBack:
			if err := f.o.recordVerdict(k, verdict); err != nil {
				return err
			}
			return f.o.checkFailure(ctx, k, verdict)
		case f.ended(), isOver && verdict.Kind == deployment.VerdictPromote:
			return nil
		}
		f.o.mu.Lock()
		changed := f.o.changed
		f.o.mu.Unlock()
		select {
		case <-ctx.Done():
			return f.o.gateEnded(ctx, k, context.Cause(ctx))
		case <-over.C:
			isOver = true
		case <-k.news:
		case <-changed:
		}
	}
}
