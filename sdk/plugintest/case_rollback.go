package plugintest

import (
	"bytes"
	"fmt"

	"github.com/apm-deploy/apm/sdk"
)

func rollbackRestores(b *bench) {
	b.deploy(b.v1())
	content := b.serving()
	before := b.snapshot()
	b.deploy(b.v2())
	b.different("observed digests of two versions", before.ObservedDigest, b.observed())
	b.different("contents of two versions", content, b.serving())
	b.rollback(before.Snapshot)
	b.equal("observed digest after the rollback", before.ObservedDigest, b.observed())
	b.equal("content after the rollback", content, b.serving())
}

// retainedIsKept pushes a version out by others, as far as the suite has any.
func retainedIsKept(b *bench) {
	b.deploy(b.v1())
	content, past := b.serving(), b.snapshot()
	b.deploy(b.v2())
	b.snapshot()
	if b.config.ChangeFiles != nil {
		b.config.ChangeFiles(b.T)
		b.deploy(b.v1())
		b.deploy(b.v2())
	}
	b.rollback(past.Snapshot)
	b.equal("observed digest after a rollback to what the host had asked to keep", past.ObservedDigest, b.observed())
	b.equal("content after a rollback to what the host had asked to keep", content, b.serving())
}

// snapshotLooks: what is looked at stays as it is, with the stamps that it has.
func snapshotLooks(b *bench) {
	r := b.deploy(b.v1())
	content, stamps := b.serving(), b.stamps()
	first := b.snapshot()
	target := b.v2()
	release := b.resolve(target)
	second, err := b.client.Snapshot(b.ctx(), sdk.SnapshotRequest{Target: target, Handle: r.handle, Release: &release})
	if err != nil {
		b.Fatalf("Snapshot with the handle of what runs and a release that is to come: %v", err)
	}
	b.equal("observed digest of a second Snapshot", first.ObservedDigest, second.ObservedDigest)
	b.equal("content after Snapshot", content, b.serving())
	b.equal("stamps after Snapshot", stamps, b.stamps())
	b.follow(r, ignore)
	b.succeeded("Watch of the operation after Snapshot", r)
}

// stamps are those of the component, where they can be listed.
func (b *bench) stamps() string {
	b.Helper()
	if !b.suite.description.Capabilities.Inventory {
		return ""
	}
	items, err := b.client.Inventory(b.ctx(), b.suite.installation)
	if err != nil {
		b.Fatalf("Inventory: %v", err)
	}
	for _, item := range items {
		if item.Application == b.target.Application {
			return fmt.Sprintf("version %q, operation %q, epoch %d, since %v", item.Version, item.OperationID, item.Epoch, item.Since)
		}
	}
	return "none"
}

// rollbackByAnother has a plugin that has not seen any of it go back.
func rollbackByAnother(b *bench) {
	b.deploy(b.v1())
	content, before := b.serving(), b.snapshot()
	b.deploy(b.v2())
	b.stop()
	b.restart()
	b.rollback(before.Snapshot)
	b.equal("observed digest after a rollback by another process", before.ObservedDigest, b.observed())
	b.equal("content after a rollback by another process", content, b.serving())
}

func rollbackTwice(b *bench) {
	b.deploy(b.v1())
	before := b.snapshot()
	b.deploy(b.v2())
	r := b.startRollback(before.Snapshot, b.operation(sdk.OperationRollback))
	again, err := b.client.Rollback(b.ctx(), sdk.RollbackRequest{
		Operation: r.operation, Target: r.target, Snapshot: before.Snapshot, Reason: "conformance", Retain: b.retain,
	})
	if err != nil || !bytes.Equal(again.State, r.handle.State) {
		b.Errorf("the same Rollback again: %+v %v, first %+v", again, err, r.handle)
	}
	b.finish(r)
	b.equal("observed digest after the rollback", before.ObservedDigest, b.observed())
	b.rollback(before.Snapshot)
	b.equal("observed digest after another one", before.ObservedDigest, b.observed())
}

func rollbackToEmpty(b *bench) {
	empty := b.snapshot()
	if !empty.Snapshot.Empty {
		b.Fatalf("the snapshot where nothing runs is not empty: %+v", empty)
	}
	b.deploy(b.v1())
	if b.snapshot().Snapshot.Empty {
		b.Error("the snapshot of what runs is empty")
	}
	b.rollback(empty.Snapshot)
	after := b.snapshot()
	if !after.Snapshot.Empty {
		b.Error("something is left after the rollback to nothing")
	}
	b.equal("observed digest of nothing", empty.ObservedDigest, after.ObservedDigest)
	b.rollback(empty.Snapshot) // twice is harmless
}

func inventory(b *bench) {
	b.listed(false)
	b.deploy(b.v1())
	b.listed(true)
	b.rollback(sdk.Snapshot{Empty: true})
	b.listed(false)
}

// probeLooks asks about what runs, and about what is gone: the host has no other eye.
func probeLooks(b *bench) {
	b.deploy(b.v1())
	running := b.probe()
	healthy := false
	for _, check := range running.Checks {
		healthy = healthy || check.Status == sdk.CheckHealthy
	}
	if !healthy {
		b.Errorf("Probe of what runs: no check is HEALTHY: %+v", running.Checks)
	}
	b.equal("observed digest of Probe, and that of Snapshot", b.observed(), running.ObservedDigest)
	b.rollback(sdk.Snapshot{Empty: true})
	gone := b.probe()
	for _, check := range gone.Checks {
		if check.Status != sdk.CheckUnhealthy {
			b.Errorf("check %q of what is gone: status %d, want UNHEALTHY (%d)", check.Name, check.Status, sdk.CheckUnhealthy)
		}
	}
	if len(gone.Checks) == 0 {
		b.Error("Probe of what is gone: no checks, want one at least that is UNHEALTHY")
	}
}

// listed looks for the component in the inventory.
func (b *bench) listed(want bool) {
	b.Helper()
	for _, installation := range []string{b.suite.installation, "", "of-somebody-else"} {
		items, err := b.client.Inventory(b.ctx(), installation)
		if err != nil {
			b.Fatalf("Inventory: %v", err)
		}
		found := false
		for _, item := range items {
			if item.Application != b.target.Application {
				continue
			}
			found = true
			if item.InstallationID != b.suite.installation || item.Environment != b.target.Environment ||
				item.Component != b.target.Component || item.Epoch != b.epoch || item.OperationID == "" {
				b.Errorf("inventory item %+v does not carry our stamps", item)
			}
		}
		if want := want && installation != "of-somebody-else"; found != want {
			b.Errorf("Inventory of the installation %q (\"\" is all) has the component: %v, want %v", installation, found, want)
		}
	}
}

func planChangesNothing(b *bench) {
	b.deploy(b.v1())
	content := b.serving()
	before := b.snapshot()
	target := b.v2()
	release := b.resolve(target)
	deploy := b.plan(sdk.PlanRequest{Kind: sdk.OperationDeploy, Target: target, Release: &release})
	if len(deploy.Steps) == 0 {
		b.Error("the plan of a deploy of another version has no steps")
	}
	b.equal("observed digest of the plan", before.ObservedDigest, deploy.ObservedDigest)
	b.deploy(target)
	back := b.plan(sdk.PlanRequest{Kind: sdk.OperationRollback, Target: b.target, Snapshot: &before.Snapshot})
	if len(back.Steps) == 0 {
		b.Error("the plan of a rollback has no steps")
	}
	b.rollback(before.Snapshot)
	b.plan(sdk.PlanRequest{Kind: sdk.OperationRollback, Target: b.target, Snapshot: &sdk.Snapshot{Empty: true}})
	b.equal("content after plans", content, b.serving())
}

// plan plans, and looks whether anything changed by it.
func (b *bench) plan(request sdk.PlanRequest) sdk.Plan {
	b.Helper()
	before := b.observed()
	plan, err := b.client.Plan(b.ctx(), request)
	if err != nil || plan.Diagnostics.HasErrors() {
		b.Fatalf("Plan: %s", said(plan.Diagnostics, err))
	}
	b.equal("observed digest after Plan", before, b.observed())
	return plan
}
