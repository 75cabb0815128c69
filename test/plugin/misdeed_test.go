package plugin_test

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// What is said of a plugin that breaks the contract, and of one that cannot be asked.
const (
	author  = "a mistake of the plugin, not of the deployment: report it to its author"
	findOut = "find out why nobody could look, then start the wanted version anew"
	patient = "if it only starts slowly, raise monitor.timeout or policy.timeouts"
)

// misdeed is what a plugin does wrong while it runs, and what becomes of a
// deployment on it.
type misdeed struct {
	fault string
	// runsOut: nothing but a deadline ends it.
	runsOut bool
	// status that it ends with; "" is refused before anything is accepted.
	status string
	code   string // of the failure
	want   told   // of the reason and what to do
	// effects of the deployment on the platform.
	effects int
	// rule that the host's log says was broken.
	rule string
}

var misdeeds = map[string]misdeed{
	"oversize-resolve":  {fault: `fault "oversize" { call = "resolve" }`, want: told{"resolve component web: message of Resolve over the limit of 16777216 bytes", author}},
	"oversize-snapshot": {fault: `fault "oversize" { call = "snapshot" }`, status: "failed", code: "PLUGIN_BUG", want: told{"component web: take a snapshot: message of Snapshot over the limit of 16777216 bytes", author}},
	"oversize-probe":    {fault: `fault "oversize" { call = "probe" }`, runsOut: true, status: "failed", code: "UNKNOWN", want: told{"could not look: message of Probe over the limit", "nothing was undone", findOut}},
	"oversize-watch":    {fault: `fault "oversize" { call = "watch" }`, runsOut: true, status: "failed", code: "UNKNOWN", want: told{"could not watch the operation: message of Watch over the limit", "nothing was undone", findOut}},

	"garble-resolve":  {fault: `fault "garble" { call = "resolve" }`, want: told{"resolve component web: the answer of Resolve cannot be read", "invalid UTF-8", author}},
	"garble-snapshot": {fault: `fault "garble" { call = "snapshot" }`, status: "failed", code: "PLUGIN_BUG", want: told{"take a snapshot: the answer of Snapshot cannot be read", "invalid UTF-8", author}},
	"garble-probe":    {fault: `fault "garble" { call = "probe" }`, runsOut: true, status: "failed", code: "UNKNOWN", want: told{"could not look: the answer of Probe cannot be read", "invalid UTF-8", findOut}},
	"garble-watch":    {fault: `fault "garble" { call = "watch" }`, runsOut: true, status: "failed", code: "UNKNOWN", want: told{"could not watch the operation: the answer of Watch cannot be read", "invalid UTF-8", findOut}},

	// Lies about what does no harm are not believed, and that is all.
	"backwards":  {fault: `fault "lie" { what = "progress" }`, status: "completed", effects: 1, rule: "progress_backwards"},
	"late":       {fault: `fault "lie" { what = "late" }`, status: "completed", effects: 1, rule: "after_outcome"},
	"unfinished": {fault: `fault "lie" { what = "unfinished" }`, status: "completed", effects: 1},
	"success":    {fault: `fault "lie" { what = "success" }`, runsOut: true, status: "rolled_back", code: "DEADLINE", want: told{"check file failed", "unhealthy, whatever Watch says", patient}},

	"operation": {fault: `fault "mistake" { what = "operation" }`, runsOut: true, status: "failed", code: "UNKNOWN", want: told{`could not watch the operation: operation "operation-that-was-never-given" is not known`, findOut}},
	"component": {fault: `fault "mistake" { what = "component" }`, runsOut: true, status: "failed", code: "UNKNOWN", want: told{"could not watch the operation", "is not known", findOut}},

	"breakdown":   {fault: `fault "panic" { call = "deploy" }`, status: "rolled_back", code: "PLUGIN_BUG", want: told{"component web: deploy: panic in Deploy: the plugin's log has the stack", author}},
	"hang-deploy": {fault: `fault "hang" { call = "deploy" }`, runsOut: true, status: "rolled_back", code: "PROGRESS_DEADLINE", want: told{"deploying took longer than 15s", patient}},
	"hang-watch":  {fault: `fault "hang" { call = "watch" }`, runsOut: true, status: "failed", code: "UNKNOWN", want: told{"could not watch the operation", "nothing was undone", findOut}},
	"hang-probe":  {fault: `fault "hang" { call = "probe" }`, runsOut: true, status: "failed", code: "UNKNOWN", want: told{"deploying took longer than 15s", "Probe", "nothing was undone", findOut}},
	"crash":       {fault: `fault "crash" { after_events = 2  times = 2 }`, status: "completed", effects: 1},
}

// hcl makes the one line of a fault a block.
func (m misdeed) hcl() string {
	return regexp.MustCompile(`\{ (.*) \}`).ReplaceAllStringFunc(m.fault, func(body string) string {
		return strings.NewReplacer("{ ", "{\n", " }", "\n}", "  ", "\n").Replace(body)
	})
}

// timeouts are those of every stage.
func (m misdeed) timeouts() map[string]string {
	limit := "60s"
	if m.runsOut {
		limit = "15s"
	}
	return map[string]string{"preparing": limit, "deploying": limit, "verifying": limit, "rolling_back": limit}
}

// TestMisdeeds has one host drive platforms each of which does something else
// wrong, while a deployment on another platform moves its traffic step by step.
// Each deployment ends as it must and says why; the other one does not notice, nor
// does the host.
func TestMisdeeds(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	h.Versions("v1")
	h.Artifact("v1", "v2")
	steady := harness.Component{Name: "steady", Listen: h.Address()}
	h.Define(harness.Application{Name: "steady", Components: []harness.Component{steady}})
	names := slices.Sorted(maps.Keys(misdeeds))
	fakes := map[string]*harness.Fake{}
	for _, name := range names {
		m := misdeeds[name]
		fakes[name] = h.Fake(name, m.hcl())
		fakes[name].Define(harness.Application{Name: name, Bake: "50ms", Timeouts: m.timeouts()}, harness.FakeComponent{Name: "web"})
	}
	h.Start()
	h.Quickly("steady", "v1")
	traffic := h.Traffic("steady", steady.Listen)
	steady.Steps, steady.Pause = []int{10, 30, 60, 100}, "3s"
	h.Define(harness.Application{Name: "steady", Components: []harness.Component{steady}})
	other := h.Deploy("steady", "v2")

	ids := map[string]string{}
	for _, name := range names {
		if misdeeds[name].status != "" {
			ids[name] = h.Deploy(name, "v1").ID
		}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			m := misdeeds[name]
			if m.status == "" {
				r := h.Must(1, "deploy", "start", "--name", name, "--version", "v1")
				m.want.in(t, r.Stderr)
				return
			}
			d := h.Ended(ids[name])
			said := d.Reason
			if d.Failure != nil {
				said += "\n" + d.Failure.Suggestion
			}
			if d.Status != m.status || m.code != "" && (d.Failure == nil || d.Failure.Code != m.code) {
				t.Errorf("it ended %s: %s, %+v", d.Status, d.Reason, d.Failure)
			}
			if m.want != nil {
				m.want.in(t, said)
			}
			if got := fakes[name].Effects(name, "web"); len(got) != m.effects {
				t.Errorf("effects %v, want %d", got, m.effects)
			}
			falls(t, h.Events(d.ID))
			if m.rule != "" && !regexp.MustCompile(`breaks the contract; it is not believed.* rule=`+m.rule+` platform=`+name).MatchString(h.Read("host.log")) {
				t.Errorf("the host's log does not say that %s was broken", m.rule)
			}
		})
	}

	h.Ends(other.ID, harness.End{Status: "completed", Path: harness.Forward})
	traffic.Undisturbed()
	h.Serves(steady.Listen, "v2")
	var plugins apiv1.PluginList
	h.REST(http.MethodGet, "/api/v1/plugins", "").Decode(h, &plugins)
	for _, p := range plugins.Plugins {
		if p.State != "ready" || p.Restarts > 0 && p.Platform != "crash" {
			t.Errorf("platform %s is %s after %d restarts: %s", p.Platform, p.State, p.Restarts, p.Reason)
		}
	}
	for _, line := range strings.Split(h.Read("host.log"), "\n") {
		if strings.Contains(line, "panic") && !strings.Contains(line, "part=plugin") && !strings.Contains(line, "panic in Deploy") {
			t.Errorf("the host's log: %s", line)
		}
	}
}

// falls fails the test when a status comes after a terminal one, but for a rollback
// that was asked for.
func falls(t *testing.T, events []apiv1.Event) {
	t.Helper()
	path := harness.StatusPath(events)
	for i, status := range path {
		if harness.Terminal(status) && i < len(path)-1 {
			t.Errorf("status path %v goes on after its end", path)
		}
	}
}
