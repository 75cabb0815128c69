package plugin_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// crashes makes the fake's binary one that ends at its start for as long as told.
func crashes(t *testing.T, h *harness.Host) (crash func(bool)) {
	t.Helper()
	binary := harness.Binary(t, "test/apm-plugin-fake")
	h.Lock(program(t, h, "crashes", fmt.Sprintf("[ -e %[1]q ] && { echo 'no licence found' >&2; exit 3; }\nexec %[2]q", h.Path("crash"), binary)))
	return func(now bool) {
		t.Helper()
		if now {
			h.Write("crash", "")
		} else if err := os.Remove(h.Path("crash")); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCrashesAtStart has a plugin end at each start in the middle of deployments:
// it is given up after 5 starts in a row, and its deployments wait for it, visibly.
// One fails at its deadline and says why; the other goes on once the plugin was
// mended and restarted by hand, without a second effect.
func TestCrashesAtStart(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	f := h.Fake("files", "")
	crash := crashes(t, h)
	h.Versions("v1")
	h.Artifact("v1")
	slow := harness.FakeComponent{Name: "web", Spec: `      takes = "2s"`}
	f.Define(harness.Application{Name: "patient", Bake: "50ms"}, slow)
	f.Define(harness.Application{Name: "hasty", Bake: "50ms", Timeouts: map[string]string{"deploying": "15s"}}, slow)
	address := h.Address()
	h.Define(harness.Application{Name: "other", Bake: "50ms", Components: []harness.Component{{Name: "other", Listen: address}}})
	h.Start()
	patient, hasty := h.Deploy("patient", "v1"), h.Deploy("hasty", "v1")
	for _, d := range []apiv1.Deployment{patient, hasty} {
		h.Await(d.ID, 0, harness.Type("operation.started", "web"))
	}
	crash(true)
	h.KillPlugin(f.PID())

	var plugin apiv1.Plugin
	harness.Eventually(t, "it is given up", func() (bool, string) {
		h.REST(http.MethodGet, "/api/v1/plugins/files", "").Decode(h, &plugin)
		return plugin.State == "broken", fmt.Sprintf("%+v", plugin)
	})
	told{"5 starts in a row did not stay ready for 10s", `plugin "fake": ended with exit code 3`, "no licence found", "see its lines in the host's log"}.in(t, plugin.Reason)
	if plugin.Restarts < 4 { // the first of the five is the start of the one that was killed
		t.Errorf("given up after %d restarts", plugin.Restarts)
	}
	harness.Eventually(t, "the deployment waits for its plugin, and says why", func() (bool, string) {
		d := h.Get(patient.ID)
		return d.Waiting != nil && d.Waiting.Kind == "plugin" && strings.Contains(d.Waiting.For, "no licence found"), fmt.Sprintf("%s: %s, %+v", d.Status, d.Reason, d.Waiting)
	})
	told{"waiting", "files", "no licence found"}.in(t, h.Must(0, "deploy", "status", patient.ID).Stdout)

	r := h.Must(1, "deploy", "start", "--name", "patient", "--version", "v1")
	told{`platform "files" is broken`, "no licence found", "apm plugin restart files"}.in(t, r.Stderr)
	h.Deployed("other", "v1")
	h.Serves(address, "v1")

	failed := h.Ended(hasty.ID)
	if failed.Status != "failed" || failed.Failure == nil || failed.Failure.Code != "PLUGIN_DOWN" {
		t.Errorf("the hasty one ended %s: %s, %+v", failed.Status, failed.Reason, failed.Failure)
	}
	told{"15s", "files", "no licence found"}.in(t, failed.Reason)

	crash(false)
	told{"files", "ready"}.in(t, strings.Join([]string{h.Must(0, "plugin", "restart", "files").Stdout, h.Must(0, "plugin", "list").Stdout}, "\n"))
	h.Ends(patient.ID, harness.End{Status: "completed", Path: harness.Forward})
	if got := f.Effects("patient", "web"); len(got) != 1 {
		t.Errorf("effects %v, want one", got)
	}
}

// crashing is how many plugins crash at each start, side by side.
const crashing = 50

// TestManyCrashAtStart has 50 plugins crash at each start: each is started 5 times and
// no more, and a good one beside them does not notice.
func TestManyCrashAtStart(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	path := program(t, h, "crashes", fmt.Sprintf("echo >>%q; echo 'no licence found' >&2; exit 3", h.Path("starts")))
	config := h.DefaultConfig() + fmt.Sprintf("plugin \"crashes\" {\n  path = %q\n  dev  = true\n}\n", path)
	for n := range crashing {
		config += fmt.Sprintf("platform \"p-%d\" { plugin = \"crashes\" }\n", n)
	}
	h.WriteConfig(config)
	host := h.Begin("serve")
	host.Says("answers at")
	var plugins apiv1.PluginList
	harness.Eventually(t, "all are given up", func() (bool, string) {
		h.REST(http.MethodGet, "/api/v1/plugins", "").Decode(h, &plugins)
		states := map[string]int{}
		for _, p := range plugins.Plugins {
			states[p.State]++
		}
		return states["broken"] == crashing, fmt.Sprint(states)
	})
	said := 0
	for _, p := range plugins.Plugins {
		if strings.Contains(p.Reason, "its last lines: no licence found") {
			said++
		}
		switch {
		case p.Platform == "process" && (p.State != "ready" || p.Restarts > 0):
			t.Errorf("the good one is %s after %d restarts: %s", p.State, p.Restarts, p.Reason)
		case p.Platform != "process":
			told{"5 starts in a row", "ended with exit code 3", "see its lines in the host's log"}.in(t, p.Reason)
		}
	}
	if said < crashing/2 { // a machine with too much to do may not have read them in time
		t.Errorf("the last words of %d of %d plugins are told", said, crashing)
	}
	if starts := strings.Count(h.Read("starts"), "\n"); starts != 5*crashing {
		t.Errorf("%d plugins were started %d times, want 5 times each", crashing, starts)
	}
}
