package plugin_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// How often a host is killed: hosts side by side, each again and again.
const (
	killedHosts = 5
	killsOfEach = 10
)

// goneAfter is how long a plugin may outlive its host.
const goneAfter = 3 * time.Second

// moments are points of a Deploy at which a host is killed.
var moments = []func(h *harness.Host, id, component string){
	func(h *harness.Host, id, _ string) { h.Await(id, 0, harness.Status("deploying")) },
	func(h *harness.Host, id, component string) {
		h.Await(id, 0, harness.Type("operation.started", component))
	},
	func(h *harness.Host, _, component string) { h.AwaitStarts(component, 1) },
	func(h *harness.Host, id, component string) {
		h.Await(id, 0, harness.Type("candidate.ready", component))
	},
	func(h *harness.Host, id, component string) {
		h.Await(id, 0, harness.With("candidate.promoted", "percent", "50"))
	},
}

// killHost kills the host and fails the test unless all its plugins are gone soon.
func killHost(t *testing.T, h *harness.Host, plugins int) {
	t.Helper()
	if before := h.PluginProcesses(); len(before) < plugins { // one that starts something is two for a moment
		t.Errorf("%d plugin processes before the kill, want %d", len(before), plugins)
	}
	h.Kill9()
	killed := time.Now()
	left := func() []int { return h.PluginProcesses() }
	for pids := left(); len(pids) > 0; pids = left() {
		if time.Since(killed) > goneAfter {
			t.Errorf("%s after the kill %d plugin processes are left: %v", time.Since(killed), len(pids), pids)
			return
		}
	}
}

// TestHostKilled kills hosts with SIGKILL during Deploy, 50 times in all: no plugin
// outlives its host, and every deployment ends well, its instance started once.
func TestHostKilled(t *testing.T) {
	t.Parallel()
	for n := range killedHosts {
		t.Run(fmt.Sprint("host ", n), func(t *testing.T) {
			t.Parallel()
			h := harness.New(t)
			h.Fake("idle", "") // one with nothing to do lives on most easily
			h.Artifact("v1")
			h.Start()
			var deployed []apiv1.Deployment
			for kill := range killsOfEach {
				component := fmt.Sprint("web-", kill)
				h.Define(harness.Application{Name: fmt.Sprint("shop-", kill), Bake: "50ms", Components: []harness.Component{
					{Name: component, Listen: h.Address(), Steps: []int{50, 100}, Pause: "50ms"},
				}})
				d := h.Deploy(fmt.Sprint("shop-", kill), "v1")
				deployed = append(deployed, d)
				moments[(n+kill)%len(moments)](h, d.ID, component)
				killHost(t, h, 2)
				h.Start()
			}
			for kill, d := range deployed {
				if d = h.Ended(d.ID); d.Status != "completed" {
					t.Errorf("%s ended %s: %s", d.Name, d.Status, d.Reason)
				}
				if diff := cmp.Diff([]string{"v1"}, h.Starts(fmt.Sprint("web-", kill))); diff != "" {
					t.Errorf("started instances of %s (-want +got):\n%s", d.Name, diff)
				}
			}
		})
	}
}

// TestHostKilledInCall is the same while the plugin has a call that it does not come
// back from.
func TestHostKilledInCall(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	f := h.Fake("fake", `  fault "hang" {
    call  = "deploy"
    times = 1
  }`)
	h.Versions("v1")
	f.Define(harness.Application{Name: "hangs", Bake: "50ms"}, harness.FakeComponent{Name: "web"})
	h.Start()
	d := h.Deploy("hangs", "v1")
	h.Await(d.ID, 0, harness.Type("operation.started", "web"))
	killHost(t, h, 2)
	h.Start()
	h.Ends(d.ID, harness.End{Status: "completed", Path: harness.Forward})
	if got := f.Effects("hangs", "web"); len(got) != 1 {
		t.Errorf("effects %v, want one", got)
	}
}

// TestHostKilledInPython is the same while the plugin in Python copies files.
func TestHostKilledInPython(t *testing.T) {
	t.Parallel()
	w := newWebsite(t)
	w.many("v1")
	d := w.Deploy("site", "v1")
	w.copies(t)
	swapped := swaps(t, w.current())
	killHost(t, w.Host, 2)
	w.Start()
	w.Ends(d.ID, harness.End{Status: "completed", Path: harness.Forward})
	w.serves(t, "v1")
	if got := swapped(); got != 1 {
		t.Errorf("the link was made %d times, want once", got)
	}
}
