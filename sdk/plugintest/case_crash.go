package plugintest

import (
	"errors"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// killAndRecover kills the plugin at several moments of a Deploy whose answer
// never reaches the host, and drives on with a plugin that knows nothing.
func killAndRecover(b *bench) {
	b.deploy(b.v2())
	want, content := b.observed(), b.serving()
	b.rollback(sdk.Snapshot{Empty: true})
	target := b.v2()
	release := b.resolve(target)
	for _, after := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond, b.config.Timeout} {
		r := &run{target: target, operation: b.operation(sdk.OperationDeploy), release: &release}
		answered := make(chan error, 1)
		ctx := b.ctx()
		client := b.client
		go func() {
			_, err := client.Deploy(ctx, r.deployRequest())
			answered <- err
		}()
		b.used = true
		select {
		case err := <-answered: // accepted, and the host dies before it can store the handle
			answered <- err
		case <-time.After(after):
		}
		b.process.Kill()
		err := ends(b, "Deploy of a killed plugin", answered)
		if err != nil && !errors.Is(err, sdk.ErrPluginGone) {
			b.Fatalf("Deploy of a killed plugin: %v", err)
		}
		b.restart()
		b.driveOn(r, err == nil)
		b.equal("observed digest after the kill", want, b.observed())
		b.equal("content after the kill", content, b.serving())
		b.rollback(sdk.Snapshot{Empty: true})
	}
}

// driveOn does what the host does after a crash: Recover first, and then what it
// says. What was accepted has started.
func (b *bench) driveOn(r *run, accepted bool) {
	b.Helper()
	recovery, err := b.client.Recover(b.ctx(), r.recoverRequest())
	if err != nil {
		b.Fatalf("Recover: %v", err)
	}
	if accepted && recovery.Status == sdk.RecoverNotStarted {
		b.Errorf("Recover of an operation whose Deploy was answered before the kill: NOT_STARTED; stamp it before Deploy returns")
	}
	b.driveFrom(r, recovery)
}

// driveFrom goes on from what Recover said.
func (b *bench) driveFrom(r *run, recovery sdk.Recovery) {
	b.Helper()
	switch recovery.Status {
	case sdk.RecoverNotStarted:
		handle, err := b.client.Deploy(b.ctx(), r.deployRequest())
		if err != nil {
			b.Fatalf("Deploy after Recover said not started: %v", err)
		}
		r.handle = handle
	case sdk.RecoverRunning, sdk.RecoverFinished:
		if !recovery.Handle.IsZero() {
			r.handle = recovery.Handle
		}
	default:
		b.Fatalf("Recover by id: want NOT_STARTED, RUNNING or FINISHED, got %s: %s\n"+
			"UNKNOWN is for what nobody can find out; this operation was stamped, or had no effect yet", recoverStatus(recovery.Status), recovery.Message)
	}
	b.finish(r)
}

func drainWhileBusy(b *bench) {
	r := b.lasting()
	inFlight, err := b.client.Drain(b.ctx(), time.Second)
	if err != nil {
		b.Fatalf("Drain: %v", err)
	}
	found := false
	for _, id := range inFlight {
		found = found || id == r.operation.ID
	}
	if !found {
		b.Errorf("Drain while %s is under way names %q", r.operation.ID, inFlight)
	}
	target := b.v1()
	_, err = b.client.Deploy(b.ctx(), sdk.DeployRequest{Operation: b.operation(sdk.OperationDeploy), Target: target, Release: *r.release})
	if sdk.CodeOf(err) != sdk.Unavailable || errors.Is(err, sdk.ErrPluginGone) {
		b.Errorf("new work after Drain: want the plugin to answer %s, got %v", sdk.Unavailable, err)
	}
	if _, err := b.client.Probe(b.ctx(), sdk.ProbeRequest{Target: b.target}); err != nil {
		b.Errorf("Probe after Drain: %v", err)
	}
	// Its successor finds the operation and goes on.
	if b.process != nil {
		b.shutdown()
	}
	b.stop()
	b.restart()
	b.recoverRunning(r, "after Drain")
	if b.suite.description.Capabilities.Staged {
		b.finish(r)
	}
}
