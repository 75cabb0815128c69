package scenario_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/test/harness"
)

// TestTakeOver brings one version up and another in its place, under traffic.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	h.Artifact("v1", "v2")
	address := h.Address()
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{{Name: "web", Listen: address}}})
	h.Deployed("shop", "v1")
	traffic := h.Traffic("web", address)
	second := h.Deployed("shop", "v2")
	traffic.Undisturbed()
	if diff := cmp.Diff([]string{"preparing", "deploying", "verifying", "completed"}, h.StatusPath(second.ID)); diff != "" {
		t.Errorf("status path (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"v1", "v2"}, h.Starts("web")); diff != "" {
		t.Errorf("starts (-want +got):\n%s", diff)
	}
}
