package scenario_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// held is a target that runs the versions but the last, whose deployment holds
// the lock for as long as its version is declared sick.
func held(t *testing.T, concurrent string, versions ...string) (h *harness.Host, address string, d []apiv1.Deployment, holder apiv1.Deployment) {
	t.Helper()
	last := versions[len(versions)-1]
	h, address, d = shop(t, versions[:len(versions)-1]...)
	h.Artifact(last, "next", "after")
	h.Define(harness.Application{Name: "shop", Concurrent: concurrent, Components: []harness.Component{{Name: "web", Listen: address}}})
	h.Sicken("web", last)
	holder = h.Deploy("shop", last)
	h.Await(holder.ID, 0, harness.Type("candidate.ready", "web"))
	return h, address, d, holder
}

// waits waits until a deployment does, for the one that holds the lock, at a
// place in the queue.
func waits(h *harness.Host, t *testing.T, id, holder string, position int) {
	t.Helper()
	harness.Eventually(t, "it waits at its place", func() (bool, string) {
		d := h.Get(id)
		if d.Waiting == nil {
			return false, d.Status + ": " + d.Reason
		}
		return d.Waiting.Kind == "lock" && d.Waiting.For == holder && d.Waiting.Position == position, d.Reason
	})
}

// TestQueue lets deployments of one target wait for each other, a rollback
// before all others.
func TestQueue(t *testing.T) {
	t.Parallel()
	h, address, d, holder := held(t, "queue", "v1", "v2", "v3")
	next, after := h.Deploy("shop", "next"), h.Deploy("shop", "after")
	waits(h, t, next.ID, holder.ID, 1)
	waits(h, t, after.ID, holder.ID, 2)
	if got := h.Get(next.ID); got.Status != "pending" || got.Reason != "waiting for deployment "+holder.ID+" to end" {
		t.Errorf("one that waits is %s: %s", got.Status, got.Reason)
	}
	h.Rollback(d[1].ID, "")
	waits(h, t, d[1].ID, holder.ID, 1)
	target, err := h.Client.Target(t.Context(), "shop", "test")
	if diff := cmp.Diff([]string{d[1].ID, next.ID, after.ID}, target.Queue); err != nil || diff != "" || target.Holder != holder.ID {
		t.Errorf("held by %s, queue (-want +got):\n%s%v", target.Holder, diff, err)
	}

	if _, err := h.Client.Cancel(t.Context(), holder.ID, "Wrong version", ""); err != nil {
		t.Fatal(err)
	}
	h.Ends(holder.ID, harness.End{Status: "rolled_back", Path: []string{"preparing", "deploying", "rolling_back", "rolled_back"}})
	h.Ends(d[1].ID, harness.End{Status: "rolled_back", Reason: "^back on v1: test$", Path: harness.GoneBack})
	h.Ends(next.ID, harness.End{Status: "completed", Path: harness.Forward})
	h.Ends(after.ID, harness.End{Status: "completed", Path: harness.Forward})
	h.Serves(address, "after")
	if diff := cmp.Diff([]string{"v1", "v2", "v3", "v1", "next", "after"}, h.Starts("web")); diff != "" {
		t.Errorf("started (-want +got):\n%s", diff)
	}
	for _, other := range []apiv1.Deployment{next, after} {
		events := h.Events(other.ID)
		told := harness.First(events, 0, harness.Type("deployment.waiting", ""))
		if over := harness.First(events, told, func(e apiv1.Event) bool {
			return e.Type == "deployment.waiting" && harness.Field(e, "waiting") == ""
		}); told < 0 || over < told {
			t.Errorf("%s: begins to wait with event %d, and ends with %d", other.Version, told+1, over+1)
		}
	}
	if got := h.Get(after.ID).PreviousVersion; got != "next" {
		t.Errorf("before the last one ran %s", got)
	}
}

// TestRollbackThatComesTooLate is refused when its turn comes and another
// deployment is current by then: its status is what it was.
func TestRollbackThatComesTooLate(t *testing.T) {
	t.Parallel()
	h, address, d, holder := held(t, "queue", "v1", "v2")
	watch := h.Begin("deploy", "rollback", d[0].ID, "--yes", "--watch")
	waits(h, t, d[0].ID, holder.ID, 1)
	h.Sicken("web")
	h.Ends(holder.ID, harness.End{Status: "completed", Path: harness.Forward})
	h.Ends(d[0].ID, harness.End{
		Status: "completed", Reason: "; a rollback was refused: deployment " + holder.ID + " is current by now$",
		Path: append(slices.Clone(harness.Forward), "pending", "completed"),
	})
	if r := watch.Wait(); r.Code != 1 || !strings.Contains(r.Stdout+r.Stderr, "a rollback was refused") {
		t.Errorf("the watch of it: %s", r)
	}
	h.Serves(address, "v2")
}

// TestRefuse answers a second deployment with the one that is in the way.
func TestRefuse(t *testing.T) {
	t.Parallel()
	h, address, _, holder := held(t, "refuse", "v1", "v2")
	_, err := h.Client.Start(t.Context(), apiv1.StartRequest{Name: "shop", Version: "next"}, "")
	problem := client.AsProblem(err)
	if problem == nil || problem.Status != 409 || problem.Code != "conflict" || problem.Holder != holder.ID {
		t.Errorf("a second deployment: %+v", err)
	}
	if r := h.Must(1, "deploy", "start", "--name", "shop", "--version", "next"); !strings.Contains(r.Stderr, holder.ID) {
		t.Errorf("the refusal does not name the holder: %s", r)
	}
	// Another target is in nobody's way.
	other := h.Address()
	elsewhere := h.DeployRequest(apiv1.StartRequest{
		Name: "shop", Version: "next", Environment: "elsewhere",
		Configuration: []byte(`{"port": {"http": {"listen": "` + other + `"}}}`),
	})
	h.Ends(elsewhere.ID, harness.End{Status: "completed", Path: harness.Forward})
	h.Serves(other, "next")
	h.Sicken("web")
	h.Ends(holder.ID, harness.End{Status: "completed", Path: harness.Forward})
	h.Deployed("shop", "next")
	h.Serves(address, "next")
}

// TestSupersede cancels those that wait, never the one that runs.
func TestSupersede(t *testing.T) {
	t.Parallel()
	h, address, _, holder := held(t, "supersede", "v1", "v2")
	next := h.Deploy("shop", "next")
	waits(h, t, next.ID, holder.ID, 1)
	after := h.Deploy("shop", "after")
	d := h.Ends(next.ID, harness.End{Status: "cancelled", Reason: "^cancelled by local: superseded by " + after.ID + "$", Path: []string{"cancelled"}})
	if got := statuses(d)["web"]; got != "cancelled" {
		t.Errorf("web is %s", got)
	}
	waits(h, t, after.ID, holder.ID, 1)
	if got := h.Get(holder.ID); got.Status != "deploying" {
		t.Errorf("the one that runs is %s: %s", got.Status, got.Reason)
	}
	h.Sicken("web")
	h.Ends(holder.ID, harness.End{Status: "completed", Path: harness.Forward})
	h.Ends(after.ID, harness.End{Status: "completed", Path: harness.Forward})
	h.Serves(address, "after")
	if got, want := h.Starts("web"), []string{"v1", "v2", "after"}; !slices.Equal(got, want) {
		t.Errorf("started: %v, want %v", got, want)
	}
}
