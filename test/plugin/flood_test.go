package plugin_test

import (
	"maps"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// floods are more than anybody reads. Their figures are measured by the benchmarks;
// here they are what they do to others: nothing.
var floods = map[string]misdeed{
	"events": {fault: `fault "flood" { what = "events"  rate = 10000  for = "3s"  resources = 50 }`},
	"lines":  {fault: `fault "flood" { what = "lines"  rate = 10000  for = "3s"  bytes = 200 }`},
	"log":    {fault: `fault "flood" { what = "log"  rate = 10000  for = "3s"  bytes = 200  times = 1 }`},
	"stderr": {fault: `fault "flood" { what = "stderr"  bytes = 67108864  times = 1 }`},
}

// TestFloods has plugins flood the host with events, lines, logs and standard error
// while a deployment on another platform moves its traffic: that one does not
// notice, the floods end with their deployments, and the host keeps no more of them
// than a person reads.
func TestFloods(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	h.Versions("v1")
	h.Artifact("v1", "v2")
	steady := harness.Component{Name: "steady", Listen: h.Address()}
	h.Define(harness.Application{Name: "steady", Components: []harness.Component{steady}})
	names := slices.Sorted(maps.Keys(floods))
	fakes := map[string]*harness.Fake{}
	for _, name := range names {
		fakes[name] = h.Fake(name, floods[name].hcl())
		fakes[name].Define(harness.Application{Name: name, Bake: "50ms"}, harness.FakeComponent{Name: "web"})
	}
	h.Start()
	h.Quickly("steady", "v1")
	traffic := h.Traffic("steady", steady.Listen)
	ids := map[string]string{}
	for _, name := range names {
		ids[name] = h.Deploy(name, "v1").ID
	}
	steady.Steps, steady.Pause = []int{10, 30, 60, 100}, "1s"
	h.Define(harness.Application{Name: "steady", Components: []harness.Component{steady}})
	began := time.Now()
	other := h.Deploy("steady", "v2")
	h.Ends(other.ID, harness.End{Status: "completed", Path: harness.Forward})
	t.Logf("the other deployment took %s", time.Since(began))
	traffic.Undisturbed()
	h.Serves(steady.Listen, "v2")
	for _, name := range names {
		h.Ends(ids[name], harness.End{Status: "completed", Path: harness.Forward})
		if got := fakes[name].Effects(name, "web"); len(got) != 1 {
			t.Errorf("effects of %s: %v, want one", name, got)
		}
	}
	var plugins apiv1.PluginList
	h.REST(http.MethodGet, "/api/v1/plugins", "").Decode(h, &plugins)
	for _, p := range plugins.Plugins {
		if p.State != "ready" || p.Restarts > 0 {
			t.Errorf("platform %s is %s after %d restarts: %s", p.Platform, p.State, p.Restarts, p.Reason)
		}
	}
	info, err := os.Stat(h.Path("host.log"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 16<<20 {
		t.Errorf("the host's log has %d bytes", info.Size())
	}
}
