package scenario_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/sdk/plugintest/fake"
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

// TestFakeMisbehaves has a platform crash at its first starts and fail while the
// host runs, each so often as it was told: the host starts it again and asks again,
// and what it deploys is done once.
func TestFakeMisbehaves(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	f := h.Fake("fake", "")
	h.Lock(h.FakeBinary("crashes", fake.Variant{
		Root:   f.Root,
		Blocks: map[string]map[string]any{"crash": {"call": "start", "after": 1, "times": 2}}, // after the start that reads its version
	}))
	h.Start()
	if p, err := h.Client.Plugin(t.Context(), "fake"); err != nil || p.State != "ready" || p.Restarts == 0 {
		t.Errorf("the platform: %+v, %v", p, err)
	}
	h.Versions("v1", "v2", "v3")
	f.Define(harness.Application{Name: "shop"}, harness.FakeComponent{Name: "web"})
	f.Inject("error", map[string]any{"call": "deploy", "code": "UNAVAILABLE", "reason": "PLATFORM_UNAVAILABLE", "times": 2})
	h.Deployed("shop", "v1")
	f.Inject("lie", map[string]any{"what": "failure", "version": "v2"})
	h.Ends(h.Deploy("shop", "v2").ID, harness.End{
		Status: "rolled_back", Reason: "the platform says that it does not", Path: []string{"preparing", "deploying", "rolling_back", "rolled_back"},
	})
	f.Relent()
	h.Deployed("shop", "v3")
	if got := f.Runs("shop", "web"); got != "v3" {
		t.Errorf("version %q runs", got)
	}
	if got := f.Effects("shop", "web"); len(got) != 4 { // v1, v2, back, v3
		t.Errorf("effects %q, want four", got)
	}
}
