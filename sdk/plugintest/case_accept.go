package plugintest

import (
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// acceptTimeout bounds Deploy and Rollback by the contract.
const acceptTimeout = 60 * time.Second

// acceptedFirst: Deploy answers long before the operation is done, which goes on
// whoever watches.
func acceptedFirst(b *bench) {
	b.deploy(b.v1())
	start := time.Now()
	r := b.startLasting()
	if took := time.Since(start); took > acceptTimeout {
		b.Errorf("Deploy was accepted after %v, want %v at most", took, acceptTimeout)
	}
	if r.handle.IsZero() {
		b.Error("Deploy returned no handle")
	}
	for range 2 { // the end of the first Watch must not end the operation
		told := false
		err := b.watch(b.ctx(), r, nil, func(event sdk.Event) error {
			if told = event.State != nil; told {
				return errStop
			}
			return nil
		})
		if r.outcome != nil {
			b.Fatalf("the operation has ended already, %s: %s; it was to stay under way", result(r.outcome.Result), r.outcome.Message)
		}
		if err != nil || !told {
			b.Fatalf("Watch of an operation under way: want a State, got %v", err)
		}
	}
	recovery, err := b.client.Recover(b.ctx(), r.recoverRequest())
	if err != nil || recovery.Status != sdk.RecoverRunning {
		b.Errorf("Recover after Watch was closed twice: want RUNNING, got %s %v", recoverStatus(recovery.Status), err)
	}
}

// superseded: somebody else's change while an operation is under way ends it.
func superseded(b *bench) {
	b.deploy(b.v1())
	before := b.observed()
	r := b.lasting()
	b.config.ChangeLive(b.T, b.target)
	changed := b.observed()
	b.different("observed digests before and after somebody's change", before, changed)
	b.follow(r, ignore)
	if r.outcome.Result != sdk.ResultSuperseded {
		b.Fatalf("somebody changed what runs while a deploy was under way: want the outcome SUPERSEDED, got %s: %s",
			result(r.outcome.Result), r.outcome.Message)
	}
	if r.outcome.SupersededBy == "" {
		b.Errorf("the outcome SUPERSEDED must say by whom (%q where the platform does not tell): %+v", "unknown", r.outcome)
	}
	b.equal("observed digest after SUPERSEDED, which leaves somebody's change alone", changed, b.observed())
	b.deploy(b.v2()) // and the next deploy is not in anybody's way
}

// staleSnapshot: the way back to what is gone is refused before anything changes.
func staleSnapshot(b *bench) {
	b.deploy(b.v1())
	past := b.snapshot().Snapshot
	b.deploy(b.v2())
	digest, content := b.observed(), b.serving()
	b.config.Prune(b.T, b.target)
	b.equal("observed digest after Prune, which must leave alone what runs", digest, b.observed())
	if b.suite.description.Capabilities.Plan {
		_, err := b.client.Plan(b.ctx(), sdk.PlanRequest{Kind: sdk.OperationRollback, Target: b.target, Snapshot: &past})
		b.wantRefused("Plan of a rollback to a snapshot whose content is gone", err, sdk.FailedPrecondition, sdk.ReasonSnapshotStale)
	}
	_, err := b.client.Rollback(b.ctx(), sdk.RollbackRequest{
		Operation: b.operation(sdk.OperationRollback), Target: b.target, Snapshot: past, Reason: "conformance",
	})
	b.wantRefused("Rollback to a snapshot whose content is gone", err, sdk.FailedPrecondition, sdk.ReasonSnapshotStale)
	b.equal("observed digest after the refusal", digest, b.observed())
	b.equal("content after the refusal", content, b.serving())
	b.deploy(b.v1()) // and the next deploy is not in anybody's way
}

// statesWithinLimits measures what the host has to store.
func statesWithinLimits(b *bench) {
	r := b.deploy(b.v1())
	for _, one := range []struct {
		what        string
		size, limit int
	}{
		{"release", len(r.release.State), sdk.MaxRelease},
		{"handle", len(r.handle.State), sdk.MaxHandle},
		{"snapshot", len(b.snapshot().Snapshot.State), sdk.MaxSnapshot},
	} {
		if one.size > one.limit {
			b.Errorf("the %s has %d bytes, at most %d are stored: keep larger content by its digest", one.what, one.size, one.limit)
		}
	}
}
