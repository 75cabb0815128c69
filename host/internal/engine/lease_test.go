package engine_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/engine"
)

// slowClaims is a store that takes for ever to look for work, once it has given
// some.
type slowClaims struct {
	history
	mu      sync.Mutex
	given   bool
	inARow  int // claims since the last renewal
	longest int
	renewed int
}

func (s *slowClaims) Claim(ctx context.Context, host string, ttl time.Duration) ([]deployment.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.given {
		s.inARow++
		s.longest = max(s.longest, s.inARow)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	leases, err := s.history.Claim(ctx, host, ttl)
	s.given = len(leases) > 0
	return leases, err
}

func (s *slowClaims) Renew(ctx context.Context, host string, ttl time.Duration) ([]deployment.Lease, error) {
	s.mu.Lock()
	s.inARow = 0
	s.renewed++
	s.mu.Unlock()
	return s.history.Renew(ctx, host, ttl)
}

// Looking for work, however long it takes, keeps nobody from renewing what is
// held.
func TestSlowClaimsHoldUpNoRenewal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.renew = 100 * time.Millisecond
	s := &slowClaims{history: r.store}
	r.wrap = func(history) engine.Store { return s }
	r.run()
	r.start("v1", stuckWeb)
	r.poll("many renewals", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.renewed >= 30
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.longest > 2 {
		t.Errorf("%d claims in a row while a renewal was due", s.longest)
	}
}

// lastClaim is a store that does not renew, and knows when its lease ends.
type lastClaim struct {
	history
	mu    sync.Mutex
	until time.Time
}

func (l *lastClaim) Claim(ctx context.Context, host string, ttl time.Duration) ([]deployment.Lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.until.IsZero() {
		return nil, nil
	}
	leases, err := l.history.Claim(ctx, host, ttl)
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
	r.lease = 8 * time.Second
	l := &lastClaim{history: r.store}
	r.wrap = func(history) engine.Store { return l }
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
	if before := l.until.Sub(ended); before < 20*time.Millisecond || before > time.Second {
		t.Errorf("cancelled %s before the lease ended", before)
	}
}
