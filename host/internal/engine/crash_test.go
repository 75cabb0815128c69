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
	"github.com/apm-deploy/apm/host/internal/store"
)

var errDead = errors.New("the host was killed")

// mortal is a store that the host dies at: at the n-th commit, before or after
// it is made. From then on nothing that this host does is recorded.
type mortal struct {
	store.Store
	mu      sync.Mutex
	commits int
	dieAt   int // 0: never
	after   bool
	dead    chan struct{}
}

func (m *mortal) Commit(ctx context.Context, change deployment.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.dead:
		return errDead
	default:
	}
	m.commits++
	if m.commits != m.dieAt {
		return m.Store.Commit(ctx, change)
	}
	if m.after {
		if err := m.Store.Commit(ctx, change); err != nil {
			return err
		}
	}
	close(m.dead)
	return errDead
}

// Claim and Release of a dead host do nothing: its leases stay as they are.
func (m *mortal) Claim(ctx context.Context, host string, ttl time.Duration) ([]deployment.Lease, error) {
	select {
	case <-m.dead:
		return nil, errDead
	default:
		return m.Store.Claim(ctx, host, ttl)
	}
}

func (m *mortal) Release(ctx context.Context, host string, targets ...deployment.Target) error {
	select {
	case <-m.dead:
		return errDead
	default:
		return m.Store.Release(ctx, host, targets...)
	}
}

// scenario is something that is done to a rig after v1 runs, ending in a
// deployment whose last run has ended.
type scenario struct {
	does func(r *rig, first *deployment.Deployment) string // id
	runs int
}

var scenarios = map[string]scenario{
	"good version by steps": {runs: 1, does: func(r *rig, _ *deployment.Deployment) string {
		return r.start("v2", `{"web":{"content":"b","steps":[25,100],"depends_on":["db"]},"db":{"content":"y"}}`).ID
	}},
	"bad version": {runs: 2, does: func(r *rig, _ *deployment.Deployment) string {
		return r.start("v2", `{"web":{"content":"b","turns_bad":true,"depends_on":["db"]},"db":{"content":"y"}}`).ID
	}},
	"version that exits": {runs: 2, does: func(r *rig, _ *deployment.Deployment) string {
		return r.start("v2", `{"web":{"content":"b","fail":"EXITED","depends_on":["db"]},"db":{"content":"y"}}`).ID
	}},
	"component dropped": {runs: 1, does: func(r *rig, _ *deployment.Deployment) string {
		return r.start("v2", `{"web":{"content":"b"}}`).ID
	}},
}

// ended is what must be the same with and without a crash.
type ended struct {
	Status    deployment.Status
	Path      []string
	Web, DB   string
	WebEffect []string
	DBEffect  []string
	Current   string
}

func (r *rig) ended(d *deployment.Deployment) ended {
	state, err := r.store.State(r.t.Context(), d.Target)
	if err != nil {
		r.t.Fatal(err)
	}
	if dup := r.world.duplicates(); len(dup) > 0 {
		r.t.Errorf("effects twice: %v", dup)
	}
	return ended{
		Status: d.Status, Path: r.path(d.ID), Web: r.world.version("web"), DB: r.world.version("db"),
		WebEffect: r.world.effectsOf("web"), DBEffect: r.world.effectsOf("db"), Current: state.Version,
	}
}

// perform runs a scenario with the host dying at the n-th commit, and a second
// host afterwards. It returns how it ended and how many commits the first made.
func perform(t *testing.T, s scenario, dieAt int, after bool) (ended, int) {
	t.Helper()
	r := newRig(t).run()
	first := r.await(r.start("v1", `{"web":{"content":"a"},"db":{"content":"x"}}`).ID, 1)
	r.stop()
	m := &mortal{Store: r.store, dieAt: dieAt, after: after, dead: make(chan struct{})}
	r.wrap = func(store.Store) engine.Store { return m }
	r.run()
	id := s.does(r, first)
	if dieAt > 0 {
		r.until(id, "killed, or at its end before that", func(d *deployment.Deployment) bool {
			select {
			case <-m.dead:
				return true
			default:
				return len(d.Runs) >= s.runs && !d.Run().Open()
			}
		})
		r.stop()
		if err := r.store.Release(t.Context(), "host", first.Target); err != nil {
			t.Fatal(err)
		}
		r.wrap = func(s store.Store) engine.Store { return s }
		r.run()
	}
	d := r.await(id, s.runs)
	r.stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	return r.ended(d), m.commits
}

// The host is killed at every single commit, just before and just after it; the
// next host must end as the undisturbed run does, with one effect per operation.
func TestCrashAtEveryCommit(t *testing.T) {
	t.Parallel()
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, commits := perform(t, s, 0, false)
			if commits < 8 {
				t.Fatalf("only %d commits", commits)
			}
			// check.status rows may come a little later or earlier, so that not
			// every number is the same place in every run; the first ones are.
			for n := 1; n <= commits-4; n++ {
				for _, after := range []bool{false, true} {
					t.Run(fmt.Sprintf("commit %d after %v", n, after), func(t *testing.T) {
						t.Parallel()
						got, _ := perform(t, s, n, after)
						if diff := cmp.Diff(want, got); diff != "" {
							t.Error(diff)
						}
					})
				}
			}
		})
	}
}
