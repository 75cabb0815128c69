package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/engine"
)

// frozen is the store of a host that is paused at its n-th commit, as by a
// SIGSTOP, long enough for its lease to end. It never hears of that: when it goes
// on it believes that all is still its own.
type frozen struct {
	history
	pauseAt int
	after   bool
	paused  chan struct{} // closed when it stands still
	goOn    chan struct{} // closed when it goes on

	mu      sync.Mutex
	commits int
	refused int
}

const shortLease = time.Second

func (f *frozen) still() bool {
	select {
	case <-f.paused:
		return true
	default:
		return false
	}
}

func (f *frozen) Claim(ctx context.Context, host string, _ time.Duration) ([]deployment.Lease, error) {
	if f.still() {
		return nil, deployment.ErrUnavailable
	}
	leases, err := f.history.Claim(ctx, host, shortLease)
	for i := range leases {
		leases[i].For = time.Hour
	}
	return leases, err
}

func (f *frozen) Renew(ctx context.Context, host string, _ time.Duration) ([]deployment.Lease, error) {
	if f.still() {
		return nil, deployment.ErrUnavailable
	}
	leases, err := f.history.Renew(ctx, host, shortLease)
	if len(leases) == 0 { // on a slow machine: it does not hear of that either
		return nil, deployment.ErrUnavailable
	}
	for i := range leases {
		leases[i].For = time.Hour
	}
	return leases, err
}

func (f *frozen) Commit(ctx context.Context, change deployment.Change) error {
	f.mu.Lock()
	f.commits++
	here := f.commits == f.pauseAt
	f.mu.Unlock()
	if here && f.after {
		err := f.history.Commit(ctx, change)
		close(f.paused)
		<-f.goOn
		return err
	}
	if here {
		close(f.paused)
	}
	if here || f.still() {
		<-f.goOn
	}
	err := f.history.Commit(context.WithoutCancel(ctx), change)
	if errors.Is(err, deployment.ErrStaleEpoch) {
		f.mu.Lock()
		f.refused++
		f.mu.Unlock()
	}
	return err
}

// A second host takes over from one that is paused and ends what was under way.
// When the first goes on, neither the store nor the platform listens to it.
func TestTakeoverFencesTheFirstHost(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"good version by steps", "bad version"} {
		s := scenarios[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := s.base(t)
			want, commits := perform(t, s, b, 0, false)
			for _, after := range []bool{false, true} {
				for _, n := range points(commits-6, 3, fmt.Sprint(name, after)) {
					t.Run(fmt.Sprintf("commit %d after %v", n, after), func(t *testing.T) {
						t.Parallel()
						got := takeOver(t, s, b, n, after)
						if diff := cmp.Diff(want, got); diff != "" {
							t.Error(diff)
						}
					})
				}
			}
		})
	}
}

// takeOver pauses the first host at a commit and lets it go on when the second
// has ended what was under way.
func takeOver(t *testing.T, s scenario, b base, n int, after bool) ended {
	t.Helper()
	r, id := b.rig(t)
	f := &frozen{history: r.store, pauseAt: n, after: after, paused: make(chan struct{}), goOn: make(chan struct{})}
	config := r.config("first", f)
	config.Renew = shortLease / 6
	first := engine.New(config)
	r.engine = first
	stopFirst := r.goOn(first)
	id = s.does(r, id)
	r.until(id, "paused, or at its end before that", func(d *deployment.Deployment) bool {
		return f.still() || len(d.Runs) >= s.runs && !d.Run().Open()
	})
	paused := f.still()
	stopSecond := func() {}
	if paused {
		stopSecond = r.goOn(engine.New(r.config("second", r.store)))
	}
	d := r.await(id, s.runs)
	close(f.goOn)
	if paused {
		// What it did last is refused, if it does anything: by the store at the
		// latest, when it records what the platform told it.
		r.poll("the first host to be refused", func() bool {
			_, refused := r.world.counts()
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.refused > 0 || refused > 0
		})
	}
	stopFirst()
	stopSecond()
	again, err := r.store.Deployment(t.Context(), id)
	if err != nil || again.Status != d.Status || len(again.Runs) != len(d.Runs) {
		t.Errorf("status %s became %s: %v", d.Status, again.Status, err)
	}
	return r.ended(again)
}
