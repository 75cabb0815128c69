package engine_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/engine"
	"github.com/apm-deploy/apm/sdk"
)

var errDead = errors.New("the host was killed")

// mortal is a store that the host dies at: at the n-th commit, before or after
// it is made. From then on nothing that this host does is recorded.
type mortal struct {
	history
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
		return m.history.Commit(ctx, change)
	}
	if m.after {
		if err := m.history.Commit(ctx, change); err != nil {
			return err
		}
	}
	close(m.dead)
	return errDead
}

// kill lets the host die some commits from now.
func (m *mortal) kill(commits int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dieAt, m.after = m.commits+1+commits, commits%2 == 0
}

// Claim and Release of a dead host do nothing: its leases stay as they are.
func (m *mortal) Claim(ctx context.Context, host string, ttl time.Duration) ([]deployment.Lease, error) {
	select {
	case <-m.dead:
		return nil, errDead
	default:
		return m.history.Claim(ctx, host, ttl)
	}
}

func (m *mortal) Release(ctx context.Context, host string, targets ...deployment.Target) error {
	select {
	case <-m.dead:
		return errDead
	default:
		return m.history.Release(ctx, host, targets...)
	}
}

// scenario is something that is done to a rig on which v1 runs, ending in a
// deployment whose last run has ended.
type scenario struct {
	// before is what has happened when the host that dies starts.
	before func(r *rig) string
	// does begins it and returns the deployment; it is given what before returned.
	does func(r *rig, before string) string
	// meanwhile goes on beside it, over the death of the host.
	meanwhile func(r *rig, id string)
	runs      int
}

// starts is a scenario's deed: a deployment of v2.
func starts(components string) func(*rig, string) string {
	return func(r *rig, _ string) string { return r.start("v2", components).ID }
}

// wishes is a scenario's deed: a command about the deployment before.
func wishes(kind deployment.CommandKind, version string) func(*rig, string) string {
	return func(r *rig, id string) string {
		r.wish(id, kind, version)
		return id
	}
}

// completes is what has happened before: deployments that ended well.
func completes(versions ...string) func(*rig) string {
	return func(r *rig) (id string) {
		for _, version := range versions {
			components := fmt.Sprintf(`{"web":{"content":%q,"depends_on":["db"]},"db":{"content":"x"}}`, version)
			id = r.await(r.start(version, components).ID, 1).ID
		}
		return id
	}
}

var scenarios = map[string]scenario{
	"good version by steps":                    {runs: 1, does: starts(`{"web":{"content":"b","steps":[25,50,100],"depends_on":["db"]},"db":{"content":"y"}}`)},
	"bad version":                              {runs: 2, does: starts(`{"web":{"content":"b","turns_bad":true,"depends_on":["db"]},"db":{"content":"y"}}`)},
	"version that exits":                       {runs: 2, does: starts(`{"web":{"content":"b","fail":"EXITED","depends_on":["db"]},"db":{"content":"y"}}`)},
	"component dropped":                        {runs: 1, does: starts(`{"web":{"content":"b"}}`)},
	"bad version, component dropped and added": {runs: 2, does: starts(`{"web":{"content":"b","turns_bad":true,"depends_on":["new"]},"new":{"content":"n"}}`)},
	"left as it is": {runs: 1, does: func(r *rig, _ string) string {
		return r.startWith("v2", `{"web":{"content":"b","turns_bad":true,"depends_on":["db"]},"db":{"content":"y"}}`, `{"on_failure":"leave"}`).ID
	}},
	"cancelled under way": {
		runs: 2, does: starts(`{"web":{"content":"b","stuck":true,"depends_on":["db"]},"db":{"content":"y"}}`),
		meanwhile: func(r *rig, id string) {
			r.poll("the operation on web", func() bool { return r.world.open("web") })
			r.wish(id, deployment.CommandCancel, "")
		},
	},
	"rollback that fails": {runs: 2, before: func(r *rig) string {
		r.fails("rollback", sdk.PermissionDenied)
		return ""
	}, does: starts(`{"web":{"content":"b","turns_bad":true,"depends_on":["db"]},"db":{"content":"y"}}`)},
	"rolled back by hand":      {runs: 2, before: completes("v2"), does: wishes(deployment.CommandRollback, "")},
	"rolled back to a version": {runs: 2, before: completes("v2", "v3"), does: wishes(deployment.CommandRollback, "v1")},
	"removed": {runs: 1, does: func(r *rig, _ string) string {
		d, err := r.engine.Remove(r.t.Context(), deployment.Target{Application: "shop", Environment: "test"}, "no more", nil, tester, nil)
		if err != nil {
			r.t.Fatal(err)
		}
		return d.ID
	}},
	"removed and brought back": {runs: 2, before: func(r *rig) string {
		d, err := r.engine.Remove(r.t.Context(), deployment.Target{Application: "shop", Environment: "test"}, "no more", nil, tester, nil)
		if err != nil {
			r.t.Fatal(err)
		}
		return r.await(d.ID, 1).ID
	}, does: wishes(deployment.CommandRollback, "")},
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
func perform(t *testing.T, s scenario, b base, dieAt int, after bool) (ended, int) {
	t.Helper()
	r, id := b.rig(t)
	m := &mortal{history: r.store, dieAt: dieAt, after: after, dead: make(chan struct{})}
	r.wrap = func(history) engine.Store { return m }
	r.run()
	id = s.does(r, id)
	wait := r.beside(s, id)
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
		if err := r.store.Release(t.Context(), "host"); err != nil { // as time does
			t.Fatal(err)
		}
		r.wrap = func(s history) engine.Store { return s }
		r.run()
	}
	wait()
	d := r.await(id, s.runs)
	r.stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	return r.ended(d), m.commits
}

// base is where a scenario begins: made once, copied for each run of it.
type base struct {
	origin origin
	world  *world
	id     string
}

// base makes v1 run, and what else the scenario has before it.
func (s scenario) base(t *testing.T) base {
	t.Helper()
	r := newRig(t).run()
	id := r.await(r.start("v1", `{"web":{"content":"a"},"db":{"content":"x"}}`).ID, 1).ID
	if s.before != nil {
		id = s.before(r)
	}
	return base{origin: r.origin(), world: r.world, id: id}
}

// rig is a rig of its own that begins there.
func (b base) rig(t *testing.T) (r *rig, id string) {
	t.Helper()
	r = bareRig(t)
	r.world = b.world.clone()
	r.open(b.origin)
	return r, b.id
}

// beside runs what goes on beside the scenario, and returns what waits for it.
func (r *rig) beside(s scenario, id string) (wait func()) {
	if s.meanwhile == nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.meanwhile(r, id)
	}()
	return func() { <-done }
}

// everything says that each point of a matrix is wanted, not some of them.
func everything() bool { return os.Getenv("APM_CRASH") == "full" }

// points picks some of the numbers 1 to last, or all; which ones differs from
// one salt to another.
func points(last, some int, salt string) (chosen []int) {
	stride, first := 1, 1
	if !everything() {
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(salt))
		stride = max((last+some-1)/some, 1)
		first = 1 + int(hash.Sum32()%uint32(min(stride, last)))
	}
	for n := first; n <= last; n += stride {
		chosen = append(chosen, n)
	}
	return chosen
}

// The host is killed at a commit, just before and just after it; the next host
// must end as the undisturbed run does, with one effect per operation. With
// APM_CRASH=full at every single commit, else at some.
func TestCrashAtCommits(t *testing.T) {
	t.Parallel()
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := s.base(t)
			want, commits := perform(t, s, b, 0, false)
			if commits < 8 {
				t.Fatalf("only %d commits", commits)
			}
			// check.status rows may come a little later or earlier, so that not
			// every number is the same place in every run.
			for _, after := range []bool{false, true} {
				for _, n := range points(commits, 3, fmt.Sprint(name, after)) {
					t.Run(fmt.Sprintf("commit %d after %v", n, after), func(t *testing.T) {
						t.Parallel()
						got, _ := perform(t, s, b, n, after)
						if diff := cmp.Diff(want, got); diff != "" {
							t.Error(diff)
						}
					})
				}
			}
		})
	}
}
