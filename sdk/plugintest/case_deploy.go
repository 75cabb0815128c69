package plugintest

import (
	"bytes"
	"errors"
	"sync"

	"github.com/apm-deploy/apm/sdk"
)

// resolveFreezes: Deploy uses the release and looks at no name again.
func resolveFreezes(b *bench) {
	b.deploy(b.v1())
	digest, content := b.observed(), b.serving()
	b.rollback(sdk.Snapshot{Empty: true})
	target := b.v1()
	release := b.resolve(target)
	again := b.resolve(target)
	b.equal("digest of equal content", release.Digest, again.Digest)
	b.config.ChangeFiles(b.T)
	if changed := b.resolve(target); changed.Digest != "" {
		b.different("digest of changed content", release.Digest, changed.Digest)
	}
	b.finish(b.startDeploy(target, release, b.operation(sdk.OperationDeploy)))
	b.equal("observed digest of the release that was frozen", digest, b.observed())
	b.equal("content of the release that was frozen", content, b.serving())
}

func deployTwice(b *bench) {
	target := b.v1()
	release := b.resolve(target)
	r := &run{target: target, operation: b.operation(sdk.OperationDeploy), release: &release}
	b.used = true
	// A host that gave up waiting may call again while the first call is under way.
	var handles [3]sdk.Handle
	var errs [len(handles)]error
	var calls sync.WaitGroup
	for i := range 2 {
		calls.Go(func() { handles[i], errs[i] = b.client.Deploy(b.ctx(), r.deployRequest()) })
	}
	calls.Wait()
	handles[2], errs[2] = b.client.Deploy(b.ctx(), r.deployRequest())
	if err := errors.Join(errs[:]...); err != nil {
		b.Fatalf("the same Deploy, twice at once and again: %v", err)
	}
	for _, again := range handles {
		if again.Version != handles[0].Version || !bytes.Equal(again.State, handles[0].State) {
			b.Errorf("the same Deploy again: another handle: %+v, first %+v", again, handles[0])
		}
	}
	r.handle = handles[0]
	b.finish(r)
	digest, content := b.observed(), b.serving()
	resources := len(b.probe().Checks)
	if _, err := b.client.Deploy(b.ctx(), r.deployRequest()); err != nil {
		b.Fatalf("the same Deploy after its end: %v", err)
	}
	b.follow(r, ignore)
	if r.outcome.Result != sdk.ResultSucceeded {
		b.Errorf("Watch after the same Deploy again: %+v", r.outcome)
	}
	b.equal("observed digest after the same Deploy again", digest, b.observed())
	b.equal("content after the same Deploy again", content, b.serving())
	if got := len(b.probe().Checks); got != resources {
		b.Errorf("checks after the same Deploy again: %d, before %d", got, resources)
	}
}

func otherDigest(b *bench) {
	b.deploy(b.v1())
	digest := b.observed()
	target := b.v2()
	r := b.startDeploy(target, b.resolve(target), b.operation(sdk.OperationDeploy))
	other := r.deployRequest()
	other.Operation.RequestDigest = "another"
	_, err := b.client.Deploy(b.ctx(), other)
	b.wantRefused("the same id with another digest, while it runs", err, sdk.AlreadyExists, sdk.ReasonOperationMismatch)
	b.finish(r)
	after := b.observed()
	b.different("observed digests of two versions", digest, after)
	_, err = b.client.Deploy(b.ctx(), other)
	b.wantRefused("the same id with another digest, after its end", err, sdk.AlreadyExists, sdk.ReasonOperationMismatch)
	b.equal("observed digest after the refusal", after, b.observed())
}

func staleEpoch(b *bench) {
	first := b.deploy(b.v1())
	digest, highest := b.observed(), b.epoch
	target := b.v2()
	release := b.resolve(target)
	snapshot := b.snapshot().Snapshot
	refused := func(when string) {
		b.Helper()
		b.epoch = highest - 1
		_, err := b.client.Deploy(b.ctx(), sdk.DeployRequest{Operation: b.operation(sdk.OperationDeploy), Target: target, Release: release})
		b.wantRefused("Deploy below the epoch "+when, err, sdk.Aborted, sdk.ReasonStaleEpoch)
		_, err = b.client.Rollback(b.ctx(), sdk.RollbackRequest{
			Operation: b.operation(sdk.OperationRollback), Target: target, Snapshot: snapshot,
		})
		b.wantRefused("Rollback below the epoch "+when, err, sdk.Aborted, sdk.ReasonStaleEpoch)
		_, err = b.client.Recover(b.ctx(), sdk.RecoverRequest{
			Operation: b.operation(sdk.OperationDeploy), Target: target, Release: &release,
		})
		b.wantRefused("Recover below the epoch "+when, err, sdk.Aborted, sdk.ReasonStaleEpoch)
		late := first.operation
		late.Epoch = b.epoch
		if b.suite.description.Capabilities.Cancel {
			err = b.client.Cancel(b.ctx(), sdk.CancelRequest{Operation: late, Target: target, Handle: first.handle})
			b.wantRefused("Cancel below the epoch "+when, err, sdk.Aborted, sdk.ReasonStaleEpoch)
		}
		if late.Staged {
			_, err = b.client.Promote(b.ctx(), sdk.PromoteRequest{Operation: late, Target: target, Handle: first.handle, Percent: 100})
			b.wantRefused("Promote below the epoch "+when, err, sdk.Aborted, sdk.ReasonStaleEpoch)
		}
		b.epoch = highest
		b.equal("observed digest after the refusal", digest, b.observed())
	}
	refused("that was seen")
	// Another process knows it only from the platform.
	b.stop()
	b.restart()
	refused("that is stamped")
	// Recover raises it by itself.
	b.epoch, highest = highest+5, highest+5
	_, err := b.client.Recover(b.ctx(), sdk.RecoverRequest{Operation: b.operation(sdk.OperationDeploy), Target: target, Release: &release})
	if err != nil {
		b.Fatalf("Recover: %v", err)
	}
	refused("that Recover brought")
}

func stateChanged(b *bench) {
	b.deploy(b.v1())
	before := b.snapshot()
	target := b.v2()
	release := b.resolve(target)
	stale, now := "digest-of-what-never-was", before.ObservedDigest
	if b.config.ChangeLive != nil {
		b.config.ChangeLive(b.T, b.target)
		stale, now = before.ObservedDigest, b.observed()
		b.different("observed digests before and after somebody's change", stale, now)
	}
	_, err := b.client.Deploy(b.ctx(), sdk.DeployRequest{
		Operation: b.operation(sdk.OperationDeploy), Target: target, Release: release, ExpectedDigest: stale,
	})
	b.wantChanged("Deploy on a state that changed", err)
	_, err = b.client.Rollback(b.ctx(), sdk.RollbackRequest{
		Operation: b.operation(sdk.OperationRollback), Target: target, Snapshot: before.Snapshot, ExpectedDigest: stale,
	})
	b.wantChanged("Rollback on a state that changed", err)
	b.equal("observed digest after the refusal", now, b.observed())
	r := &run{target: target, operation: b.operation(sdk.OperationDeploy), release: &release}
	request := r.deployRequest()
	request.ExpectedDigest = now
	if r.handle, err = b.client.Deploy(b.ctx(), request); err != nil {
		b.Fatalf("Deploy on the state that is expected: %v", err)
	}
	b.finish(r)
}

// wantChanged wants a refusal that names what changed, and who changed it.
func (b *bench) wantChanged(what string, err error) {
	b.Helper()
	b.wantRefused(what, err, sdk.Aborted, sdk.ReasonStateChanged)
	var answer *sdk.Error
	if errors.As(err, &answer) && (answer.Resource == "" || answer.By == "") {
		b.Errorf("%s: want the object in resource (%q) and who changed it in by (%q), \"unknown\" where nobody can tell", what, answer.Resource, answer.By)
	}
}

func oldHandle(b *bench) {
	r := b.deploy(b.v1())
	future := sdk.Handle{Version: 1 << 30, State: []byte("from the future")}
	_, err := b.client.Probe(b.ctx(), sdk.ProbeRequest{Target: b.target, Handle: future})
	if err != nil && (sdk.CodeOf(err) == sdk.Internal || sdk.CodeOf(err) == sdk.Unknown) {
		b.Errorf("Probe with a handle of a version that is not known: %s %v; say so, or do without", sdk.CodeOf(err), err)
	}
	if b.config.OldHandle == nil {
		return
	}
	r.handle = b.config.OldHandle(r.handle)
	if err := b.watch(b.ctx(), r, nil, ignore); err != nil {
		b.Fatalf("Watch with a handle of the previous version: %v", err)
	}
	b.succeeded("Watch with a handle of the previous version", r)
	recovery, err := b.client.Recover(b.ctx(), r.recoverRequest())
	if err != nil || recovery.Status != sdk.RecoverFinished {
		b.Errorf("Recover with a handle of the previous version: %+v %v", recovery, err)
	}
}
