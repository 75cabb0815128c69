package conformance_test

import (
	"fmt"
	"testing"

	"github.com/apm-deploy/apm/sdk"
)

// TestRetain: what the host may go back to, or still wants to deploy, is not pruned,
// until the host says otherwise.
func TestRetain(t *testing.T) {
	p := start(t, binary(t), t.TempDir()) // keeps five
	at := target
	resolve := func(content string) sdk.Release {
		at.Spec = fmt.Appendf(nil, `{"source": %q, "env": {}}`, files(t, content, 0))
		release, ds, err := p.Resolve(t.Context(), sdk.ResolveRequest{Target: at})
		if err != nil || ds.HasErrors() {
			t.Fatalf("Resolve: %v %v", ds, err)
		}
		return release
	}
	epoch := uint64(0)
	deploy := func(release sdk.Release, retain ...string) {
		t.Helper()
		epoch++
		request := sdk.DeployRequest{Operation: operation(sdk.OperationDeploy, epoch), Target: at, Release: release, Retain: retain}
		if _, err := p.Deploy(t.Context(), request); err != nil {
			t.Fatalf("Deploy: %v", err)
		}
		succeeds(t, p, request.Operation)
	}
	deploy(resolve("first"))
	first, waits := snapshot(t, p).Snapshot, resolve("waits")
	for n := range 7 {
		deploy(resolve(fmt.Sprint("content ", n)), "never heard of", first.Digest, waits.Digest)
	}
	deploy(waits, first.Digest)
	epoch++
	back := operation(sdk.OperationRollback, epoch)
	if _, err := p.Rollback(t.Context(), sdk.RollbackRequest{Operation: back, Target: target, Snapshot: first, Retain: nil}); err != nil {
		t.Fatalf("Rollback: %v", err)
	}
	succeeds(t, p, back)
	for n := range 7 {
		deploy(resolve(fmt.Sprint("later ", n)))
	}
	_, err := p.Rollback(t.Context(), sdk.RollbackRequest{Operation: operation(sdk.OperationRollback, epoch+1), Target: target, Snapshot: first})
	if sdk.ReasonOf(err) != sdk.ReasonSnapshotStale {
		t.Errorf("Rollback to what is not retained any more: %v", err)
	}
}
