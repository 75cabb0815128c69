package scenario_test

import (
	"slices"
	"strings"
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// shop is an application of one component with these versions, all of them
// deployed one after the other.
func shop(t *testing.T, versions ...string) (h *harness.Host, address string, deployments []apiv1.Deployment) {
	t.Helper()
	h = harness.Started(t)
	h.Artifact(versions...)
	address = h.Address()
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{{Name: "web", Listen: address}}})
	for _, version := range versions {
		deployments = append(deployments, h.Quickly("shop", version))
	}
	return h, address, deployments
}

// TestRollbackOneByOne goes back from v3 to v2, to v1, and to nothing: each time
// only the current deployment can go.
func TestRollbackOneByOne(t *testing.T) {
	t.Parallel()
	h, address, d := shop(t, "v1", "v2", "v3")
	traffic := h.Traffic("web", address)
	h.Must(0, "deploy", "rollback", d[2].ID, "--reason", "Performance degradation", "--watch")
	h.Ends(d[2].ID, harness.End{Status: "rolled_back", Reason: "^back on v2: Performance degradation$", Path: harness.GoneBack})
	h.Serves(address, "v2")

	refused := h.Must(1, "deploy", "rollback", d[2].ID)
	for _, told := range []string{d[1].ID, "apm deploy rollback " + d[1].ID} {
		if !strings.Contains(refused.Stderr, told) {
			t.Errorf("the refusal does not tell of %q: %s", told, refused)
		}
	}
	if answer := h.REST("POST", "/api/v1/deployments/"+d[2].ID+"/rollback", `{}`); answer.Status != 409 || answer.Problem(h).Code != "conflict" {
		t.Errorf("rollback of one that is not current: %d %s", answer.Status, answer.Body)
	}

	h.Must(0, "deploy", "rollback", d[1].ID, "--watch")
	h.Ends(d[1].ID, harness.End{Status: "rolled_back", Reason: "^back on v1$", Path: harness.GoneBack})
	h.Serves(address, "v1")
	traffic.Undisturbed()

	asks := h.Must(2, "deploy", "rollback", d[0].ID)
	if !strings.Contains(asks.Stderr, "--yes") {
		t.Errorf("a rollback to nothing is to ask: %s", asks)
	}
	h.Serves(address, "v1")
	h.Must(0, "deploy", "rollback", d[0].ID, "--yes", "--watch")
	h.Ends(d[0].ID, harness.End{Status: "rolled_back", Reason: "^back on nothing, as before$", Path: harness.GoneBack})
	if err := harness.Answers(address); err == nil {
		t.Error("something answers after the rollback to nothing")
	}
	want := []string{"v1", "v2", "v3", "v2", "v1"}
	if got := h.Starts("web"); !slices.Equal(got, want) {
		t.Errorf("started: %v, want %v", got, want)
	}
}

// TestTargetVersion goes back over several deployments at once, and says what
// there is when there is no such version.
func TestTargetVersion(t *testing.T) {
	t.Parallel()
	h, address, d := shop(t, "v1", "v2", "v3")
	path := "/api/v1/deployments/" + d[2].ID + "/rollback"

	answer := h.REST("POST", path, `{"reason": "Application errors detected", "target_version": "v9"}`)
	problem := answer.Problem(h)
	if answer.Status != 422 || len(problem.Errors) != 1 || problem.Errors[0].Location != "body.target_version" ||
		!strings.Contains(problem.Errors[0].Remedy, "v3, v2, v1") {
		t.Errorf("rollback to an unknown version: %d %s", answer.Status, answer.Body)
	}
	if r := h.Must(1, "deploy", "rollback", d[2].ID, "--to-version", "v9"); !strings.Contains(r.Stderr, "v3, v2, v1") {
		t.Errorf("the refusal does not say which versions there are: %s", r)
	}
	if got := h.Get(d[2].ID); got.Seq != d[2].Seq {
		t.Errorf("a refused rollback left events: seq %d, was %d", got.Seq, d[2].Seq)
	}

	candidates, err := h.Client.RollbackCandidates(t.Context(), d[2].ID)
	if err != nil {
		t.Fatal(err)
	}
	var versions []string
	for _, c := range candidates.Candidates {
		versions = append(versions, c.Version)
		if c.Default != (c.Version == "v2") {
			t.Errorf("default of %s: %v", c.Version, c.Default)
		}
	}
	if want := []string{"v2", "v1"}; !slices.Equal(versions, want) {
		t.Errorf("candidates %v, want %v", versions, want)
	}

	answer = h.REST("POST", path, `{"reason": "Application errors detected", "target_version": "v1"}`)
	if answer.Status != 202 {
		t.Fatalf("rollback: %d %s", answer.Status, answer.Body)
	}
	h.Ends(d[2].ID, harness.End{Status: "rolled_back", Reason: "^back on v1: Application errors detected$", Path: harness.GoneBack})
	h.Serves(address, "v1")
	for i, current := range []bool{true, false, false} {
		if got := h.Get(d[i].ID); got.Current != current {
			t.Errorf("current of %s: %v, want %v", got.Version, got.Current, current)
		}
	}
	runs, err := h.Client.Runs(t.Context(), d[2].ID)
	if err != nil || len(runs.Runs) != 2 {
		t.Fatalf("runs: %+v, %v", runs, err)
	}
	if r := runs.Runs[1]; r.Kind != "rollback" || r.Trigger != "user" || r.From != "v3" || r.To != "v1" || r.Goal != d[0].ID {
		t.Errorf("the rollback is recorded as %+v", r)
	}
	// What was rolled back is forward again with a deployment, and can go back anew.
	again := h.Quickly("shop", "v3")
	h.Rollback(again.ID, "")
	h.Ends(again.ID, harness.End{Status: "rolled_back", Reason: "^back on v1: test$", Path: harness.GoneBack})
	h.Serves(address, "v1")
}

// TestRollbackOfOneThatRuns is a cancel that restores; with a version it is
// refused.
func TestRollbackOfOneThatRuns(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t, "v1")
	h.Artifact("v2")
	d := h.DeployRequest(apiv1.StartRequest{Name: "shop", Version: "v2", Policy: []byte(`{"bake":"10m"}`)})
	h.Await(d.ID, 0, harness.Status("verifying"))
	path := "/api/v1/deployments/" + d.ID + "/rollback"
	if answer := h.REST("POST", path, `{"target_version": "v1"}`); answer.Status != 409 {
		t.Errorf("rollback to a version while it runs: %d %s", answer.Status, answer.Body)
	}
	h.Rollback(d.ID, "")
	h.Await(d.ID, 0, harness.Status("rolling_back"))
	if answer := h.REST("POST", path, `{}`); answer.Status != 409 {
		t.Errorf("rollback while it rolls back: %d %s", answer.Status, answer.Body)
	}
	h.Ends(d.ID, harness.End{
		Status: "rolled_back", Reason: "^back on v1: cancelled by local: test$",
		Path: []string{"preparing", "deploying", "verifying", "rolling_back", "rolled_back"},
	})
	h.Serves(address, "v1")
}
