package scenario_test

import (
	"strings"
	"sync"
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// count returns how many deployments there are.
func count(t *testing.T, h *harness.Host) int {
	t.Helper()
	var list apiv1.DeploymentList
	h.REST("GET", "/api/v1/deployments?limit=100", "").Decode(h, &list)
	return len(list.Deployments)
}

// TestIdempotencyKey makes one deployment of any number of equal requests, also
// of those that come at the same time and after a crash, and refuses another
// request under the same key.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	h.Artifact("v1")
	address := h.Address()
	h.Define(harness.Application{Name: "shop", Bake: "50ms", Components: []harness.Component{{Name: "web", Listen: address}}})
	const path, body, key = "/api/v1/deployments", `{"name": "shop", "version": "v1"}`, "Idempotency-Key: release-1"

	ids := make([]string, 6)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			answer := h.REST("POST", path, body, key)
			var d apiv1.Deployment
			if answer.Decode(h, &d); answer.Status != 202 || !strings.HasSuffix(answer.Header.Get("Location"), "/"+d.ID) {
				t.Errorf("%d, Location %q: %s", answer.Status, answer.Header.Get("Location"), answer.Body)
			}
			ids[i] = d.ID
		})
	}
	all.Wait()
	for _, id := range ids {
		if id != ids[0] || id == "" {
			t.Errorf("equal requests made different deployments: %v", ids)
		}
	}
	first := h.Ends(ids[0], harness.End{Status: "completed", Path: harness.Forward})
	same := func(when string) {
		t.Helper()
		var again apiv1.Deployment
		answer := h.REST("POST", path, body, key)
		if answer.Decode(h, &again); answer.Status != 202 || again.ID != first.ID || again.Status != "completed" {
			t.Errorf("%s: %d %s", when, answer.Status, answer.Body)
		}
	}
	same("after it has ended")
	h.Kill9()
	h.Start()
	same("after a crash")

	other := h.REST("POST", path, `{"name": "shop", "version": "v1", "reason": "another"}`, key)
	if problem := other.Problem(h); other.Status != 422 || problem.Code != "invalid" || !strings.Contains(other.Body, "Idempotency-Key") {
		t.Errorf("another body: %d %s", other.Status, other.Body)
	}
	if got := count(t, h); got != 1 {
		t.Errorf("there are %d deployments, want 1", got)
	}
	h.Serves(address, "v1")
	if got := h.Starts("web"); len(got) != 1 {
		t.Errorf("started: %v", got)
	}

	// A key belongs to a token, and the command line has it too.
	deployer := token(t, h, "ci", "deployer")
	mine := h.REST("POST", path, body, key, "Authorization: Bearer "+deployer)
	var d apiv1.Deployment
	if mine.Decode(h, &d); mine.Status != 202 || d.ID == first.ID || d.Actor != "ci" {
		t.Errorf("the same key with another token: %d %s", mine.Status, mine.Body)
	}
	h.Ended(d.ID)
	for range 2 {
		var again apiv1.Deployment
		h.JSON(h.Must(0, "deploy", "start", "--name", "shop", "--version", "v1", "--idempotency-key", "cli-1", "--watch", "-o", "json"), &again)
		if d = h.Ended(again.ID); count(t, h) != 3 {
			t.Errorf("there are %d deployments, want 3", count(t, h))
		}
	}
}

// TestIdempotencyKeyOfARemoval removes once.
func TestIdempotencyKeyOfARemoval(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t, "v1")
	var ids []string
	for range 2 {
		answer := h.REST("DELETE", "/api/v1/targets/shop/test", `{"reason": "Retired"}`, "Idempotency-Key: retire")
		var d apiv1.Deployment
		if answer.Decode(h, &d); answer.Status != 202 {
			t.Fatalf("removal: %d %s", answer.Status, answer.Body)
		}
		ids = append(ids, h.Ended(d.ID).ID)
	}
	if ids[0] != ids[1] || count(t, h) != 2 {
		t.Errorf("equal removals made %v, in all there are %d deployments", ids, count(t, h))
	}
	if err := harness.Answers(address); err == nil {
		t.Error("it answers although it was removed")
	}
}
