package scenario_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/test/harness"
)

// leaving is an application that is left as it is when it fails.
func leaving(t *testing.T, bake string) (h *harness.Host, address string) {
	t.Helper()
	h, address, _ = shop(t, "v1")
	h.Artifact("v2")
	h.Define(harness.Application{Name: "shop", Bake: bake, OnFailure: "leave", Components: []harness.Component{{Name: "web", Listen: address}}})
	return h, address
}

// TestLeftAfterPromote stops where it is, says so, and a person can go back.
func TestLeftAfterPromote(t *testing.T) {
	t.Parallel()
	h, address := leaving(t, "10m")
	watch := h.Begin("deploy", "start", "--name", "shop", "--version", "v2", "--watch")
	watch.Says("every component passed; watched for")
	h.Sicken("web", "v2")
	if r := watch.Wait(); r.Code != 3 {
		t.Errorf("the watch of one that failed: %s", r)
	}
	target, err := h.Client.Target(t.Context(), "shop", "test")
	if err != nil {
		t.Fatal(err)
	}
	d := h.Ends(target.Current, harness.End{
		Status: "failed", Reason: "^component web: check healthz failed 2 times in a row: .*; left as it is, as on_failure says$",
		Path: []string{"preparing", "deploying", "verifying", "failed"},
	})
	h.Serves(address, "v2")
	if diff := cmp.Diff(map[string]string{"web": "v2 of " + d.ID}, components(h, t, "shop")); diff != "" || d.Version != "v2" {
		t.Errorf("what runs of %s (-want +got):\n%s", d.Version, diff)
	}
	h.Rollback(d.ID, "")
	h.Ends(d.ID, harness.End{
		Status: "rolled_back", Reason: "^back on v1: test$",
		Path: []string{"preparing", "deploying", "verifying", "failed", "pending", "rolling_back", "rolled_back"},
	})
	h.Serves(address, "v1")
}

// TestLeftBeforePromote has changed nothing that is served: the candidate goes,
// and what was current still is.
func TestLeftBeforePromote(t *testing.T) {
	t.Parallel()
	h, address := leaving(t, "50ms")
	pid := h.Serves(address, "v1")
	h.Define(harness.Application{Name: "shop", OnFailure: "leave", Components: []harness.Component{
		{Name: "web", Listen: address, Command: []string{"/bin/sh", "-c", "exit 3"}},
	}})
	d := h.Deploy("shop", "v2")
	h.Ends(d.ID, harness.End{
		Status: "failed", Reason: "^component web: .*exited with code 3",
		Path: []string{"preparing", "deploying", "failed"},
	})
	if got := h.Serves(address, "v1"); got != pid {
		t.Errorf("instance %s answers, before it %s", got, pid)
	}
	if left := instances(t, h, d.ID, "v2"); len(left) > 0 {
		t.Errorf("instances of v2 are left: %+v", left)
	}
}

// TestLeaveInARequest overrides the policy of the file for one deployment.
func TestLeaveInARequest(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t, "v1")
	h.Artifact("v2")
	answer := h.REST("POST", "/api/v1/deployments", `{"name": "shop", "version": "v2", "policy": {"on_failure": "leave", "bake": "10m"}}`)
	if answer.Status != 202 {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	var started struct{ ID string }
	answer.Decode(h, &started)
	if got := answer.Header.Get("Location"); got != "/api/v1/deployments/"+started.ID {
		t.Errorf("Location %q", got)
	}
	h.Await(started.ID, 0, harness.Status("verifying"))
	h.Sicken("web", "v2")
	h.Ends(started.ID, harness.End{Status: "failed", Reason: "; left as it is", Path: []string{"preparing", "deploying", "verifying", "failed"}})
	h.Serves(address, "v2")
}
