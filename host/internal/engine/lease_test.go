package engine_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/engine"
	"github.com/apm-deploy/apm/host/internal/store"
)

// slowClaims is a store that takes for ever to look for work, once it has given
// some.
type slowClaims struct {
	store.Store
	given chan struct{}
	once  sync.Once
}

func (s *slowClaims) Claim(ctx context.Context, host string, ttl time.Duration) ([]deployment.Lease, error) {
	select {
	case <-s.given:
		<-ctx.Done()
		return nil, ctx.Err()
	default:
	}
	leases, err := s.Store.Claim(ctx, host, ttl)
	if len(leases) > 0 {
		s.once.Do(func() { close(s.given) })
	}
	return leases, err
}

// Looking for work, however long it takes, keeps nobody from renewing what is
// held.
func TestSlowClaimsDoNotCostALease(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.lease = 1500 * time.Millisecond
	r.wrap = func(s store.Store) engine.Store { return &slowClaims{Store: s, given: make(chan struct{})} }
	r.run()
	d := r.start("v1", `{"web":{"content":"a","health":"until_mended"}}`)
	r.beginsWeb(d.ID)
	began := time.Now()
	r.poll("several leases", func() bool { return time.Since(began) > 5*time.Second })
	r.world.with(func() { r.world.mended = true })
	d = r.await(d.ID, 1)
	if op := d.Runs[0].Step("web").Operation(); d.Status != deployment.Completed || len(d.Runs[0].Gaps) > 0 {
		t.Errorf("%s: %s; epoch %d, gaps %v", d.Status, d.Reason, op.Epoch, d.Runs[0].Gaps)
	}
}

// lastClaim is a store that does not renew, and knows when its lease ends.
type lastClaim struct {
	store.Store
	mu    sync.Mutex
	until time.Time
}

func (l *lastClaim) Claim(ctx context.Context, host string, ttl time.Duration) ([]deployment.Lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.until.IsZero() {
		return nil, nil
	}
	leases, err := l.Store.Claim(ctx, host, ttl)
	if len(leases) > 0 {
		l.until = leases[0].Until
	}
	return leases, err
}

func (l *lastClaim) Renew(context.Context, string, time.Duration) ([]deployment.Lease, error) {
	return nil, deployment.ErrUnavailable
}

// A host that cannot renew stops its calls before the lease ends, not with it.
func TestCallsEndBeforeTheLease(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.lease = 2 * time.Second
	l := &lastClaim{Store: r.store}
	r.wrap = func(store.Store) engine.Store { return l }
	r.run()
	r.world.with(func() { r.world.hangs = "deploy" })
	r.start("v1", `{"web":{"content":"a"}}`)
	var ended time.Time
	r.poll("the call to be cancelled", func() bool {
		r.world.with(func() { ended = r.world.hung })
		return !ended.IsZero()
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if before := l.until.Sub(ended); before < 40*time.Millisecond || before > time.Second {
		t.Errorf("cancelled %s before the lease ended", before)
	}
}
