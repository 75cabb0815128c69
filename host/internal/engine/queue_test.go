package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

const stuckWeb = `{"web":{"content":"stuck","stuck":true}}`

// begun waits until the deployment's operation on web is at the platform.
func (r *rig) beginsWeb(id string) {
	r.t.Helper()
	r.until(id, "web accepted by the platform", func(d *deployment.Deployment) bool {
		s := d.Run().Step("web")
		return s != nil && s.Operation() != nil && !s.Operation().AcceptedAt.IsZero()
	})
}

func (r *rig) cancel(id, reason string) *deployment.Deployment {
	r.t.Helper()
	d, err := r.engine.Cancel(r.t.Context(), id, reason, tester, nil)
	if err != nil {
		r.t.Fatalf("cancel: %v", err)
	}
	return d
}

func TestQueueIsVisibleAndCancelled(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	first := r.start("v1", stuckWeb)
	r.beginsWeb(first.ID)
	second := r.start("v2", `{"web":{"content":"b"}}`)
	third := r.start("v3", `{"web":{"content":"c"}}`)
	held := r.waits(second.ID, deployment.WaitLock)
	if held.Waiting.For != first.ID || held.Status != deployment.Pending || !strings.Contains(held.Reason, first.ID) {
		t.Errorf("%s, waiting %+v: %s", held.Status, held.Waiting, held.Reason)
	}
	r.cancel(second.ID, "not wanted")
	d := r.await(second.ID, 1)
	if d.Status != deployment.Cancelled || d.Waiting != nil || d.Reason != "cancelled by tester: not wanted" || len(d.Runs) != 1 {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
	if diff := cmp.Diff([]string{"cancelled"}, r.path(second.ID)); diff != "" {
		t.Error(diff)
	}
	r.cancel(first.ID, "")
	if d = r.await(first.ID, 2); d.Status != deployment.RolledBack || !strings.Contains(d.Reason, "cancelled by tester") {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
	if d = r.await(third.ID, 1); d.Status != deployment.Completed || r.world.version("web") != "v3" {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
	if _, err := r.engine.Cancel(t.Context(), third.ID, "", tester, nil); deployment.CodeOf(err) != deployment.Conflict {
		t.Errorf("cancel of an ended one: %v", err)
	}
}

func TestCancelBeforeAnyChange(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.fails("snapshot", sdk.Unavailable)
	d := r.start("v1", `{"web":{"content":"a"}}`)
	r.waits(d.ID, deployment.WaitEnvironment)
	r.cancel(d.ID, "")
	d = r.await(d.ID, 1)
	if d.Status != deployment.Cancelled || len(d.Runs) != 1 || r.state().Holder != "" || r.state().Current != "" {
		t.Errorf("%s: %s; %+v", d.Status, d.Reason, r.state())
	}
	if diff := cmp.Diff([]string{"preparing", "cancelled"}, r.path(d.ID)); diff != "" {
		t.Error(diff)
	}
	if got := r.world.begun(); len(got) != 0 {
		t.Errorf("operations %v", got)
	}
}

func TestSupersedeCancelsThoseThatWait(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	first := r.start("v1", stuckWeb)
	r.beginsWeb(first.ID)
	second := r.start("v2", `{"web":{"content":"b"}}`)
	r.waits(second.ID, deployment.WaitLock)
	third := r.startWith("v3", `{"web":{"content":"c"}}`, `{"concurrent":"supersede"}`)
	if d := r.await(second.ID, 1); d.Status != deployment.Cancelled {
		t.Errorf("second: %s", d.Status)
	}
	r.waits(third.ID, deployment.WaitLock)
	if d, err := r.store.Deployment(t.Context(), first.ID); err != nil || d.Status != deployment.Deploying {
		t.Errorf("first: %s, %v", d.Status, err)
	}
	r.cancel(first.ID, "")
	if d := r.await(third.ID, 1); d.Status != deployment.Completed {
		t.Errorf("third: %s: %s", d.Status, d.Reason)
	}
}

func TestRefuseNamesTheHolder(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	first := r.start("v1", stuckWeb)
	r.policy.Concurrent = deployment.ConcurrentRefuse
	other := r.config("host", r.store)
	other.Definitions = definitions{policy: r.policy}
	_, err := startOn(t, other, "v2", `{"web":{"content":"b"}}`)
	refused := asError(t, err)
	if refused.Code != deployment.Conflict || refused.Holder != first.ID || refused.Remedy == "" {
		t.Errorf("%+v", refused)
	}
}

func TestRollbackGoesToTheHeadOfTheQueue(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	second := r.await(r.start("v2", `{"web":{"content":"b"}}`).ID, 1)
	third := r.start("v3", stuckWeb)
	r.beginsWeb(third.ID)
	fourth := r.start("v4", `{"web":{"content":"d"}}`)
	r.waits(fourth.ID, deployment.WaitLock)
	if _, err := r.engine.Rollback(t.Context(), second.ID, deployment.RollbackWish{}, tester); err != nil {
		t.Fatal(err)
	}
	waiting := r.waits(second.ID, deployment.WaitLock)
	if waiting.Status != deployment.Pending || !waiting.EndedAt.IsZero() {
		t.Errorf("a rollback waits, and the deployment is %s since %s", waiting.Status, waiting.EndedAt)
	}
	r.cancel(third.ID, "")
	last := r.await(fourth.ID, 1)
	back := r.await(second.ID, 2)
	if back.Status != deployment.RolledBack || !back.Run().EndedAt.Before(last.Runs[0].LockedAt) || last.Status != deployment.Completed {
		t.Errorf("%s, ended %s; next locked %s", back.Status, back.Run().EndedAt, last.Runs[0].LockedAt)
	}
}

// A rollback waits behind a deployment that completes: it is not current any
// more when its turn comes, and is refused without a change.
func TestQueuedRollbackIsRefusedWhenNoLongerCurrent(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	first := r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	second := r.start("v2", `{"web":{"content":"b","health":"until_mended"}}`)
	r.beginsWeb(second.ID)
	r.wish(first.ID, deployment.CommandRollback, "")
	r.waits(first.ID, deployment.WaitLock)
	r.world.with(func() { r.world.mended = true })
	r.await(second.ID, 1)
	d := r.await(first.ID, 2)
	if d.Status != deployment.Completed || !strings.Contains(d.Reason, "a rollback was refused: deployment "+second.ID) {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
	if r.world.version("web") != "v2" || r.state().Current != second.ID {
		t.Errorf("runs %s", r.world.version("web"))
	}
	if !d.EndedAt.Equal(first.EndedAt) || d.EndedBy == "" {
		t.Errorf("ended %s by %q, before the rollback that never began %s", d.EndedAt, d.EndedBy, first.EndedAt)
	}
	want := []string{"preparing", "deploying", "verifying", "completed", "pending", "completed"}
	if diff := cmp.Diff(want, r.path(first.ID)); diff != "" { // whoever follows learns that it has ended
		t.Errorf("path (-want +got):\n%s", diff)
	}
}

// What a rollback was to go back to has left the history between the request
// and its turn: it is refused, and does not go elsewhere.
func TestRollbackWhoseGoalIsGoneIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	second := r.await(r.start("v2", `{"web":{"content":"b"}}`).ID, 1)
	r.wish(second.ID, deployment.CommandRollback, "v0")
	d := r.await(second.ID, 2)
	if d.Status != deployment.Completed || !strings.HasSuffix(d.Reason, "a rollback was refused: version v0 is not in the history any more") {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
	if r.world.version("web") != "v2" || r.state().Current != second.ID {
		t.Errorf("runs %s", r.world.version("web"))
	}
}

func TestRollbackThatIsNotPossible(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	first := r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	second := r.await(r.start("v2", `{"web":{"content":"b"}}`).ID, 1)
	bad := r.await(r.start("v3", `{"web":{"content":"c","fail":"EXITED"}}`).ID, 2)
	_, err := r.engine.Rollback(t.Context(), first.ID, deployment.RollbackWish{}, tester)
	if refused := asError(t, err); refused.Code != deployment.Conflict || refused.Holder != second.ID || refused.Remedy != "apm deploy rollback "+second.ID {
		t.Errorf("not current: %+v", refused)
	}
	if _, err := r.engine.Rollback(t.Context(), bad.ID, deployment.RollbackWish{}, tester); deployment.CodeOf(err) != deployment.Conflict {
		t.Errorf("rolled back already: %v", err)
	}
	_, err = r.engine.Rollback(t.Context(), second.ID, deployment.RollbackWish{TargetVersion: "v3"}, tester)
	refused := asError(t, err)
	if refused.Code != deployment.Invalid || len(refused.Problems) != 1 || refused.Problems[0].Field != "target_version" || refused.Problems[0].Remedy != "completed were v2, v1" {
		t.Errorf("never completed: %+v", refused)
	}
	if _, err := r.engine.Rollback(t.Context(), "nobody", deployment.RollbackWish{}, tester); deployment.CodeOf(err) != deployment.NotFound {
		t.Errorf("unknown: %v", err)
	}
	candidates, err := r.engine.RollbackCandidates(t.Context(), second.ID)
	if err != nil || len(candidates) != 1 || candidates[0].ID != first.ID {
		t.Errorf("candidates %v, %v", candidates, err)
	}
}

// What came twice is one wish: while it waits, and after it was carried out.
func TestRollbackAndCancelAreRepeatable(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	second := r.await(r.start("v2", `{"web":{"content":"b"}}`).ID, 1)
	wish := deployment.RollbackWish{Reason: "slow", Key: &deployment.IdempotencyKey{Principal: "ci", Key: "1", Digest: "rollback"}}
	for range 2 {
		if d, err := r.engine.Rollback(t.Context(), second.ID, wish, tester); err != nil || d.ID != second.ID {
			t.Fatalf("rollback: %v", err)
		}
	}
	r.await(second.ID, 2)
	d, err := r.engine.Rollback(t.Context(), second.ID, wish, tester)
	if err != nil || d.Status != deployment.RolledBack || len(d.Runs) != 2 {
		t.Fatalf("asked again after its end: %v", err)
	}
	wish.Key = &deployment.IdempotencyKey{Principal: "ci", Key: "1", Digest: "another"}
	if _, err := r.engine.Rollback(t.Context(), second.ID, wish, tester); deployment.CodeOf(err) != deployment.Invalid {
		t.Errorf("the key of another request: %v", err)
	}

	third := r.start("v3", stuckWeb)
	r.beginsWeb(third.ID)
	key := &deployment.IdempotencyKey{Principal: "ci", Key: "2", Digest: "cancel"}
	for range 2 {
		if _, err := r.engine.Cancel(t.Context(), third.ID, "", tester, key); err != nil {
			t.Fatalf("cancel: %v", err)
		}
	}
	r.await(third.ID, 2)
	if d, err := r.engine.Cancel(t.Context(), third.ID, "", tester, key); err != nil || !d.Status.Terminal() {
		t.Errorf("cancelled again after its end: %v", err)
	}
}
