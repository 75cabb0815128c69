package scenario_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// TestCancelWhileItQueues ends a deployment that has not begun: nothing of it
// is to be seen outside.
func TestCancelWhileItQueues(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t, "v1")
	h.Artifact("v2", "v3")
	h.Sicken("web", "v2")
	holder := h.Deploy("shop", "v2")
	h.Await(holder.ID, 0, harness.Type("candidate.ready", "web"))
	queued := h.Deploy("shop", "v3")
	h.Await(queued.ID, 0, harness.Type("deployment.waiting", ""))

	h.Must(0, "deploy", "cancel", queued.ID, "--reason", "Wrong version", "--watch")
	d := h.Ends(queued.ID, harness.End{Status: "cancelled", Reason: "^cancelled by local: Wrong version$", Path: []string{"cancelled"}})
	if got := statuses(d)["web"]; got != "cancelled" || d.Waiting != nil {
		t.Errorf("web is %s, waiting is %+v", got, d.Waiting)
	}
	if got := h.Get(holder.ID); got.Status != "deploying" {
		t.Errorf("the one that holds the lock is %s", got.Status)
	}
	again := h.Must(1, "deploy", "cancel", queued.ID)
	if answer := h.REST("POST", "/api/v1/deployments/"+queued.ID+"/cancel", `{}`); answer.Status != 409 {
		t.Errorf("cancel of one that has ended: %d %s, %s", answer.Status, answer.Body, again)
	}
	h.Sicken("web")
	h.Ends(holder.ID, harness.End{Status: "completed", Path: harness.Forward})
	h.Serves(address, "v2")
	if got, want := h.Starts("web"), []string{"v1", "v2"}; !slices.Equal(got, want) {
		t.Errorf("started: %v, want %v", got, want)
	}
}

// TestCancelWhileItPrepares ends a deployment whose snapshots are being taken.
func TestCancelWhileItPrepares(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	var many []harness.Component
	for i := range 60 {
		many = append(many, harness.Component{Name: fmt.Sprintf("c%02d", i), Command: []string{"/bin/sleep", "600"}, Checks: "none"})
	}
	h.Define(harness.Application{Name: "many", Components: many})
	plugin := h.PluginPID()
	d := h.Deploy("many", "v1")
	h.Await(d.ID, 0, harness.Type("snapshot.taken", ""))
	if err := syscall.Kill(plugin, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(plugin, syscall.SIGCONT) }()
	if _, err := h.Client.Cancel(t.Context(), d.ID, "", ""); err != nil {
		t.Fatal(err)
	}
	d = h.Ends(d.ID, harness.End{Status: "cancelled", Reason: "^cancelled by local$", Path: []string{"preparing", "cancelled"}})
	if got := harness.Course(h.Events(d.ID), "deploy"); len(got) > 0 {
		t.Errorf("operations: %v", got)
	}
	target, err := h.Client.Target(t.Context(), "many", "test")
	if err != nil || target.Holder != "" || target.Current != "" || len(target.Components) > 0 {
		t.Errorf("target: %+v, %v", target, err)
	}
}

// TestCancelAfterAChange restores what ran, whatever the change has got to.
func TestCancelAfterAChange(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		until func(apiv1.Event) bool
		sick  bool
		path  []string
		// same: the old instance never stopped; else it was started anew.
		same bool
	}{
		"candidate": {until: harness.Type("candidate.ready", "web"), sick: true, same: true, path: []string{"preparing", "deploying"}},
		"step":      {until: harness.With("candidate.promoted", "percent", "50"), same: true, path: []string{"preparing", "deploying"}},
		"bake":      {until: harness.Status("verifying"), path: []string{"preparing", "deploying", "verifying"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := harness.Started(t)
			h.Artifact("v1", "v2")
			address := h.Address()
			web := harness.Component{Name: "web", Listen: address}
			h.Define(harness.Application{Name: "shop", Components: []harness.Component{web}})
			h.Quickly("shop", "v1")
			if name == "step" {
				web.Steps, web.Pause = []int{50, 100}, "10m"
			}
			h.Define(harness.Application{Name: "shop", Bake: "10m", Components: []harness.Component{web}})
			if test.sick {
				h.Sicken("web", "v2")
			}
			pid := h.Serves(address, "v1")
			traffic := h.Traffic("web", address)
			d := h.Deploy("shop", "v2")
			h.Await(d.ID, 0, test.until)

			h.Must(0, "deploy", "cancel", d.ID, "--reason", "Wrong version", "--watch")
			d = h.Ends(d.ID, harness.End{
				Status: "rolled_back", Reason: "^back on v1: cancelled by local: Wrong version$",
				Path: append(test.path, "rolling_back", "rolled_back"),
			})
			traffic.Undisturbed()
			h.Switched(address, "v1")
			want := []string{"v1", "v2"}
			if !test.same {
				want = append(want, "v1")
			}
			if got := h.Starts("web"); !slices.Equal(got, want) {
				t.Errorf("started: %v, want %v", got, want)
			}
			if got := h.Serves(address, "v1"); test.same != (got == pid) {
				t.Errorf("instance %s answers, before it %s", got, pid)
			}
			if left := instances(t, h, d.ID, "v2"); len(left) > 0 {
				t.Errorf("instances of v2 are left: %v", left)
			}
			runs, err := h.Client.Runs(t.Context(), d.ID)
			if err != nil || len(runs.Runs) != 2 {
				t.Fatalf("runs: %+v, %v", runs, err)
			}
			if r := runs.Runs[0]; r.Result != "cancelled" || r.CancelledBy != "local" {
				t.Errorf("the deploy is recorded as %+v", r)
			}
			if r := runs.Runs[1]; r.Trigger != "user" || r.Actor != "local" || r.Result != "rolled_back" {
				t.Errorf("the rollback is recorded as %+v", r)
			}
		})
	}
}

// instances returns the resources of kind process that a deployment shows as
// there, of a version.
func instances(t *testing.T, h *harness.Host, id, version string) []apiv1.Resource {
	t.Helper()
	var there []apiv1.Resource
	for _, c := range h.Get(id).Components {
		for _, r := range c.Resources {
			if r.Kind == "process" && r.Revision == version && r.Health != "gone" {
				there = append(there, r)
			}
		}
	}
	return there
}

// TestCancelOfARollback is refused once it has begun, and withdraws one that
// waits for its turn.
func TestCancelOfARollback(t *testing.T) {
	t.Parallel()
	h, address, d := shop(t, "v1", "v2")
	h.Artifact("v3")
	h.Sicken("web", "v3")
	holder := h.Deploy("shop", "v3")
	h.Await(holder.ID, 0, harness.Type("candidate.ready", "web"))
	h.Rollback(d[1].ID, "")
	h.Await(d[1].ID, d[1].Seq, harness.Type("deployment.waiting", ""))
	if got := h.Get(d[1].ID); got.Status != "pending" || got.Waiting == nil || got.Waiting.For != holder.ID || got.Run != 2 || got.EndedAt != nil {
		t.Errorf("a rollback that waits: %s, %+v, run %d, ended %v", got.Status, got.Waiting, got.Run, got.EndedAt)
	}
	if _, err := h.Client.Cancel(t.Context(), d[1].ID, "", ""); err != nil {
		t.Error(err)
	}
	h.Ends(d[1].ID, harness.End{Status: "completed", Reason: "bake window", Path: append(slices.Clone(harness.Forward), "pending", "completed")})
	h.Serves(address, "v2")

	if _, err := h.Client.Cancel(t.Context(), holder.ID, "", ""); err != nil {
		t.Error(err)
	}
	h.Ends(holder.ID, harness.End{Status: "rolled_back", Path: []string{"preparing", "deploying", "rolling_back", "rolled_back"}})
	h.Sicken("web", "v1") // so that the rollback to it waits
	h.Rollback(d[1].ID, "")
	h.Await(d[1].ID, d[1].Seq, harness.Status("rolling_back"))
	_, err := h.Client.Cancel(t.Context(), d[1].ID, "", "")
	if problem := client.AsProblem(err); problem == nil || problem.Status != 409 || problem.Holder != d[1].ID {
		t.Errorf("cancel of a rollback that has begun: %v", err)
	}
	h.Sicken("web")
	h.Ends(d[1].ID, harness.End{Status: "rolled_back", Reason: "^back on v1: test$", Path: append(slices.Clone(harness.Forward), "pending", "completed", "pending", "rolling_back", "rolled_back")})
	h.Serves(address, "v1")
	if diff := cmp.Diff([]string{"v1", "v2", "v3", "v1"}, h.Starts("web")); diff != "" {
		t.Errorf("started (-want +got):\n%s", diff)
	}
}
