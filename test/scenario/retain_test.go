package scenario_test

import (
	"path/filepath"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

// TestEveryCandidateIsKept goes back to a version that the platform's own keep would
// have pruned long ago: the host tells it what somebody may still want.
func TestEveryCandidateIsKept(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	h.EditConfig("process {", "process {\n    keep = 1")
	h.Start()
	versions := []string{"v1", "v2", "v3", "v4"}
	web := h.Address()
	h.Artifact(versions...)
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{{Name: "web", Listen: web}}})
	last := ""
	for _, version := range versions {
		h.Write(filepath.Join("artifacts", version, "note"), "content of its own: "+version)
		last = h.Quickly("shop", version).ID
	}
	h.Rollback(last, "v1")
	h.Ends(last, harness.End{Status: "rolled_back", Reason: "^back on v1: test$", Path: harness.GoneBack})
	h.Serves(web, "v1")
}
