package scenario_test

import (
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// answering returns the pids that answer so many requests, sorted.
func answering(h *harness.Host, address, version string, requests int) []string {
	pids := map[string]bool{}
	for range requests {
		pids[h.Serves(address, version)] = true
	}
	all := []string{}
	for pid := range pids {
		all = append(all, pid)
	}
	slices.Sort(all)
	return all
}

// TestReplicas runs three instances that share the traffic; one that is killed
// is started again while the others answer, and another number is a release.
func TestReplicas(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	h.Artifact("v1", "v2")
	address := h.Address()
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{{Name: "web", Listen: address, Replicas: 3}}})
	first := h.Quickly("shop", "v1")
	pids := answering(h, address, "v1", 30)
	if len(pids) != 3 {
		t.Fatalf("%d instances answer: %v", len(pids), pids)
	}
	shown := []string{}
	for _, r := range instances(t, h, first.ID, "v1") {
		shown = append(shown, strings.TrimPrefix(r.Message, "pid "))
		if r.Health != "ready" || r.Restarts != 0 {
			t.Errorf("instance: %+v", r)
		}
	}
	if slices.Sort(shown); !slices.Equal(shown, pids) {
		t.Errorf("the status shows the pids %v, %v answer", shown, pids)
	}

	pid, err := strconv.Atoi(pids[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	restarted := h.Await(first.ID, first.Seq, func(e apiv1.Event) bool {
		return e.Type == "resource.status" && harness.Field(e, "kind") == "process" && harness.Field(e, "restarts") == "1" && harness.Field(e, "health") == "ready"
	})
	if name := harness.Field(restarted, "component"); name != "web" {
		t.Errorf("the event: %s", restarted.Data)
	}
	if again := answering(h, address, "v1", 30); len(again) != 3 || slices.Contains(again, pids[0]) || !slices.Contains(again, pids[1]) || !slices.Contains(again, pids[2]) {
		t.Errorf("before the kill %v answered, now %v", pids, again)
	}
	if got := h.Get(first.ID); got.Status != "completed" {
		t.Errorf("a restart made it %s: %s", got.Status, got.Reason)
	}

	traffic := h.Traffic("web", address)
	fewer := h.DeployRequest(apiv1.StartRequest{Name: "shop", Version: "v1", Configuration: []byte(`{"replicas": 1}`)})
	fewer = h.Ends(fewer.ID, harness.End{Status: "completed", Path: harness.Forward})
	if got := statuses(fewer)["web"]; got != "completed" {
		t.Errorf("web is %s although it has another number of instances", got)
	}
	if got := answering(h, address, "v1", 10); len(got) != 1 {
		t.Errorf("%v answer, want one", got)
	}
	h.Rollback(fewer.ID, "")
	h.Ends(fewer.ID, harness.End{Status: "rolled_back", Reason: "^back on v1: test$", Path: harness.GoneBack})
	traffic.Undisturbed()
	if got := answering(h, address, "v1", 30); len(got) != 3 {
		t.Errorf("%v answer after the rollback, want three", got)
	}
}

// TestOneInstanceOfManyFails holds a version back when but one of its instances
// does not come up.
func TestOneInstanceOfManyFails(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t, "v1")
	h.Artifact("v2")
	pid := h.Serves(address, "v1")
	// The one that makes the directory runs, the others exit.
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{{
		Name: "web", Listen: address, Replicas: 2, Spec: `artifact = "` + h.Path("artifacts") + `/${version}"`,
		Command: []string{"/bin/sh", "-c", "mkdir " + h.Path("first") + " || { echo no room; exit 3; }; exec ./server"},
	}}})
	d := h.Deploy("shop", "v2")
	d = h.Ends(d.ID, harness.End{
		Status: "rolled_back", Reason: `exited with code 3`, Path: []string{"preparing", "deploying", "rolling_back", "rolled_back"},
	})
	if d.Failure == nil || d.Failure.Code != "EXITED" || !strings.HasPrefix(d.Failure.Resource, "process-") {
		t.Errorf("failure: %+v", d.Failure)
	}
	if got := h.Serves(address, "v1"); got != pid {
		t.Errorf("instance %s answers, before it %s", got, pid)
	}
	if left := instances(t, h, d.ID, "v2"); len(left) > 0 {
		t.Errorf("instances of v2 are left: %+v", left)
	}
}
