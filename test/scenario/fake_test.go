package scenario_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/test/harness"
)

// TestFake deploys and rolls back on the fake platform, which keeps every rule as
// long as nobody asks for a fault, and does each thing once.
func TestFake(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	f := h.Fake("fake", "")
	h.Start()
	h.Versions("v1", "v2")
	f.Define(harness.Application{Name: "shop"}, harness.FakeComponent{Name: "web"})
	first := h.Deployed("shop", "v1")
	second := h.Deployed("shop", "v2")
	if got := f.Runs("shop", "web"); got != "v2" {
		t.Errorf("version %q runs", got)
	}
	h.Rollback(second.ID, "")
	h.Ends(second.ID, harness.End{Status: "rolled_back", Path: harness.GoneBack})
	if got := f.Runs("shop", "web"); got != "v1" {
		t.Errorf("version %q runs after the rollback", got)
	}
	var ids []string
	for _, id := range []string{first.ID, second.ID} {
		runs, err := h.Client.Runs(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range runs.Runs {
			for _, step := range run.Steps {
				for _, o := range step.Operations {
					ids = append(ids, o.ID)
				}
			}
		}
	}
	if diff := cmp.Diff(ids, f.Effects("shop", "web")); diff != "" {
		t.Errorf("effects (-operations +platform):\n%s", diff)
	}
}
