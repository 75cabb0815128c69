package plugintest

import (
	"fmt"

	"github.com/apm-deploy/apm/sdk"
)

func noTrafficBeforePromote(b *bench) {
	b.deploy(b.v1())
	digest, content := b.observed(), b.serving()
	r := b.lasting()
	if candidate := b.untilCandidate(r, 0); b.config.Serves != nil {
		if len(candidate.Addresses) == 0 {
			b.Fatal("the candidate has no address to check it at")
		}
		b.different("contents at the candidate's address and in service", content, b.config.Serves(b.T, candidate.Addresses))
	}
	b.equal("content in service before Promote", content, b.serving())
	b.equal("observed digest before Promote", digest, b.observed())
	judged, err := b.client.Probe(b.ctx(), sdk.ProbeRequest{Target: b.target, Handle: r.handle})
	if err != nil || len(judged.Checks) == 0 {
		b.Errorf("Probe of the candidate: %+v %v", judged, err)
	}
	b.finish(r)
	b.different("contents before and after Promote", content, b.serving())
	b.different("observed digests before and after Promote", digest, b.observed())
}

func cancelDiscards(b *bench) {
	b.deploy(b.v1())
	digest, content := b.observed(), b.serving()
	r := b.lasting()
	b.cancel(r)
	b.follow(r, ignore)
	if r.outcome.Result != sdk.ResultCancelled {
		b.Errorf("outcome after Cancel: %+v", r.outcome)
	}
	b.equal("content after Cancel", content, b.serving())
	b.equal("observed digest after Cancel", digest, b.observed())
	_, err := b.client.Promote(b.ctx(), sdk.PromoteRequest{Operation: r.operation, Target: r.target, Handle: r.handle, Percent: 100})
	if err == nil {
		b.follow(r, ignore)
	}
	b.equal("content after a Promote that comes too late", content, b.serving())
}

func (b *bench) cancel(r *run) {
	b.Helper()
	err := b.client.Cancel(b.ctx(), sdk.CancelRequest{Operation: r.operation, Target: r.target, Handle: r.handle})
	if err != nil {
		b.Fatalf("Cancel: %v", err)
	}
}

func promoteSteps(b *bench) {
	b.deploy(b.v1())
	content := b.serving()
	r := b.lasting()
	for _, percent := range []int{10, 50, 50, 20} { // up, the same again, and back
		if err := b.promote(r, percent); err != nil {
			b.Fatal(err)
		}
		candidate := b.untilCandidate(r, percent)
		if b.config.Serves == nil {
			continue
		}
		b.sees(percent, "the old release", content)
		if percent == 50 && len(candidate.Addresses) > 0 {
			b.sees(percent, "the candidate", b.config.Serves(b.T, candidate.Addresses))
		}
	}
	b.finish(r)
	b.different("contents before and after the last step", content, b.serving())
}

// stepsRefused: a plugin that moves all traffic at once says so, and moves none.
func stepsRefused(b *bench) {
	b.deploy(b.v1())
	content := b.serving()
	r := b.lasting()
	for _, percent := range []int{1, 50, 99} {
		_, err := b.client.Promote(b.ctx(), sdk.PromoteRequest{Operation: r.operation, Target: r.target, Handle: r.handle, Percent: percent})
		b.wantRefused(fmt.Sprintf("Promote to %d %% without the capability percent", percent), err, sdk.InvalidArgument, anyReason)
	}
	b.equal("content in service after steps that were refused", content, b.serving())
	b.untilCandidate(r, 0)
	b.finish(r)
}

// sees wants one to answer that gets half of the traffic, or more: none of fifty
// requests cannot miss it by chance.
func (b *bench) sees(percent int, who, content string) {
	b.Helper()
	for range 50 {
		if b.serving() == content {
			return
		}
	}
	b.Errorf("%s, %q, has no traffic at %d %%", who, content, percent)
}

func cancelThenRecover(b *bench) {
	b.deploy(b.v1())
	r := b.lasting()
	recovery, err := b.client.Recover(b.ctx(), r.recoverRequest())
	if err != nil || recovery.Status != sdk.RecoverRunning {
		b.Fatalf("Recover of an operation under way: %+v %v", recovery, err)
	}
	b.cancel(r)
	b.follow(r, ignore)
	if r.outcome.Result != sdk.ResultCancelled {
		b.Errorf("outcome after Cancel: %+v", r.outcome)
	}
	recovery, err = b.client.Recover(b.ctx(), r.recoverRequest())
	if err != nil || recovery.Status != sdk.RecoverFinished || recovery.Outcome == nil || recovery.Outcome.Result != sdk.ResultCancelled {
		b.Errorf("Recover of a cancelled operation: %+v %v", recovery, err)
	}
	b.cancelAgain(r)
}

// cancelAgain: a host that lost the answer asks again.
func (b *bench) cancelAgain(r *run) {
	b.Helper()
	err := b.client.Cancel(b.ctx(), sdk.CancelRequest{Operation: r.operation, Target: r.target, Handle: r.handle})
	if code := sdk.CodeOf(err); code == sdk.Internal || code == sdk.Unknown {
		b.Errorf("Cancel again: %s %v", code, err)
	}
	b.follow(r, ignore)
	if r.outcome.Result != sdk.ResultCancelled {
		b.Errorf("outcome after Cancel again: %+v", r.outcome)
	}
}

// killCandidate: a candidate outlives the plugin that brought it up, and neither
// gets traffic nor goes before the host says so.
func killCandidate(b *bench) {
	b.deploy(b.v1())
	content := b.serving()
	for _, percent := range []int{0, 50} {
		r := b.lasting()
		if percent > 0 && b.suite.description.Capabilities.Percent {
			if err := b.promote(r, percent); err != nil {
				b.Fatal(err)
			}
			b.untilCandidate(r, percent)
		}
		b.process.Kill()
		b.restart()
		r.handle = sdk.Handle{}
		b.recoverRunning(r, fmt.Sprintf("after a kill at %d %%", percent))
		if percent == 0 {
			b.equal("content after the kill", content, b.serving())
			b.cancel(r)
			b.follow(r, ignore)
			b.equal("content after Cancel", content, b.serving())
			continue
		}
		b.finish(r)
		b.different("contents before and after", content, b.serving())
	}
}

// recoverRunning recovers an operation that must be under way.
func (b *bench) recoverRunning(r *run, when string) {
	b.Helper()
	recovery, err := b.client.Recover(b.ctx(), r.recoverRequest())
	if err != nil || recovery.Status != sdk.RecoverRunning {
		b.Fatalf("Recover %s: %+v %v", when, recovery, err)
	}
	if !recovery.Handle.IsZero() {
		r.handle = recovery.Handle
	}
}
