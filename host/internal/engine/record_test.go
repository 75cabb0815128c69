package engine_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/engine"
)

// patchy is a store that is away for a while, now and then.
type patchy struct {
	history
	mu      sync.Mutex
	calls   int
	away    int // of every 20 calls so many find it away
	refused int // commits under a stale epoch
}

func (p *patchy) gap() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	if p.calls%20 < p.away {
		return deployment.ErrUnavailable
	}
	return nil
}

func (p *patchy) Commit(ctx context.Context, change deployment.Change) error {
	if err := p.gap(); err != nil {
		return err
	}
	err := p.history.Commit(ctx, change)
	if errors.Is(err, deployment.ErrStaleEpoch) {
		p.mu.Lock()
		p.refused++
		p.mu.Unlock()
	}
	return err
}

func (p *patchy) Blob(ctx context.Context, key string) ([]byte, error) {
	if err := p.gap(); err != nil {
		return nil, err
	}
	return p.history.Blob(ctx, key)
}

func (p *patchy) Work(ctx context.Context, target deployment.Target) (deployment.Work, error) {
	if err := p.gap(); err != nil {
		return deployment.Work{}, err
	}
	return p.history.Work(ctx, target)
}

func (p *patchy) Claim(ctx context.Context, host string, ttl time.Duration) ([]deployment.Lease, error) {
	if err := p.gap(); err != nil {
		return nil, err
	}
	return p.history.Claim(ctx, host, ttl)
}

// A store that is away says nothing about what runs: all ends as if it had not
// been away.
func TestStoreAwayForAWhile(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"good version by steps", "bad version", "rolled back to a version"} {
		s := scenarios[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := s.base(t)
			want, _ := undisturbed(t, s, b)
			r, id := b.rig(t)
			r.wrap = func(s history) engine.Store { return &patchy{history: s, away: 7} }
			r.run()
			id = s.does(r, id)
			d := r.await(id, s.runs)
			r.stop()
			if diff := cmp.Diff(want, r.ended(d)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The lease is another's: nothing is recorded any more, until it is ours again.
func TestLeaseLost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := &patchy{history: r.store}
	r.wrap = func(history) engine.Store { return p }
	r.run()
	d := r.start("v1", stuckWeb)
	r.beginsWeb(d.ID)
	r.poll("the lease to be stolen", func() bool { // the host itself may be quicker
		if err := r.store.Release(t.Context(), "host", d.Target); err != nil {
			t.Fatal(err)
		}
		leases, err := r.store.Claim(t.Context(), "thief", time.Hour)
		return err == nil && len(leases) == 1
	})
	before, err := r.store.Deployment(t.Context(), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	r.poll("something to record", func() bool { return r.world.supersede("web", "mallory") })
	r.poll("a refused record", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.refused > 0
	})
	after, err := r.store.Deployment(t.Context(), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("recorded without a lease: %s", diff)
	}
	if err := r.store.Release(t.Context(), "thief"); err != nil {
		t.Fatal(err)
	}
	if d = r.await(d.ID, 1); d.Status != deployment.Failed || d.Runs[0].Failure.Code != deployment.CodeSuperseded {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	key := &deployment.IdempotencyKey{Principal: "tester", Key: "one", Digest: "of the request"}
	want := request("v1", `{"web":{"content":"a"}}`)
	first, err := r.engine.Start(t.Context(), want, nil, tester, key)
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.engine.Start(t.Context(), want, nil, tester, key)
	if err != nil || again.ID != first.ID {
		t.Errorf("again: %v, %v", again, err)
	}
	other := &deployment.IdempotencyKey{Principal: "tester", Key: "one", Digest: "of another"}
	if _, err := r.engine.Start(t.Context(), request("v2", `{"web":{"content":"b"}}`), nil, tester, other); deployment.CodeOf(err) != deployment.Invalid {
		t.Errorf("another request: %v", err)
	}
	r.await(first.ID, 1)
	removal, err := r.engine.Remove(t.Context(), first.Target, "", nil, tester, &deployment.IdempotencyKey{Principal: "tester", Key: "two", Digest: "x"})
	if err != nil {
		t.Fatal(err)
	}
	r.await(removal.ID, 1)
	again, err = r.engine.Remove(t.Context(), first.Target, "", nil, tester, &deployment.IdempotencyKey{Principal: "tester", Key: "two", Digest: "x"})
	if err != nil || again.ID != removal.ID {
		t.Errorf("removed again: %v, %v", again, err)
	}
}

// Every change by a person or a policy leaves its record.
func TestAuditRecords(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	first := r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	bad := r.await(r.start("v2", `{"web":{"content":"b","fail":"EXITED"}}`).ID, 2)
	stuck := r.start("v3", stuckWeb)
	r.beginsWeb(stuck.ID)
	r.cancel(stuck.ID, "enough")
	r.await(stuck.ID, 2)
	removal, err := r.engine.Remove(t.Context(), first.Target, "moving out", nil, tester, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.await(removal.ID, 1)
	if _, err := r.engine.Rollback(t.Context(), removal.ID, deployment.RollbackWish{Reason: "not yet"}, tester); err != nil {
		t.Fatal(err)
	}
	r.await(removal.ID, 2)
	records, _, err := r.store.Audit(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	type line struct{ Actor, Action, Object, Reason string }
	got := map[line]int{}
	for _, record := range records {
		got[line{record.Actor.String(), record.Action, record.Object, record.Reason}]++
	}
	want := map[line]int{
		{"tester", "deployment.start", first.ID, ""}:                          1,
		{"tester", "deployment.start", bad.ID, ""}:                            1,
		{"policy on_failure", "deployment.rollback", bad.ID, bad.Runs[0].Why}: 1,
		{"tester", "deployment.start", stuck.ID, ""}:                          1,
		{"tester", "deployment.cancel", stuck.ID, "enough"}:                   1,
		{"tester", "target.remove", removal.ID, "moving out"}:                 1,
		{"tester", "deployment.rollback", removal.ID, "not yet"}:              1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
