package scenario_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// TestEarlyVerdicts brings up versions that cannot work: each is given up with
// its reason long before the deadline, and v1 serves as if nothing had been.
func TestEarlyVerdicts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script string
		spec   string
		checks string
		code   string
		reason string // of the deployment
		log    string // that the evidence holds
	}{
		"exits at start": {
			script: "echo no configuration >&2; exit 3", code: "EXITED",
			reason: `exited with code 3 2 times before it was ready`, log: "no configuration",
		},
		"crash loop": {
			script: "echo up; sleep 1.2; echo panic: nil pointer >&2; exit 2", checks: "none", code: "CRASH_LOOP",
			reason: `exited with code 2`, log: "panic: nil pointer",
		},
		"port in use": {
			script: "echo listen tcp 127.0.0.1:$PORT: bind: address already in use >&2; exit 1", code: "PORT_IN_USE",
			reason: "in use", log: "address already in use",
		},
		"never listens": {
			script: "echo waiting for the moon; exec sleep 600", spec: `start_timeout = "700ms"`, code: "PROGRESS_DEADLINE",
			reason: "700ms", log: "waiting for the moon",
		},
		"killed": {script: "kill -9 $$", code: "EXITED", reason: "SIGKILL|signal 9|killed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, address, _ := shop(t, "v1")
			pid := h.Serves(address, "v1")
			bad := harness.Component{
				Name: "web", Listen: address, Command: []string{"/bin/sh", "-c", test.script}, Spec: test.spec, Checks: test.checks,
			}
			if test.code == "CRASH_LOOP" { // without a port it is ready as soon as it runs
				bad.Listen = ""
			}
			h.Define(harness.Application{Name: "shop", Bake: "10m", Components: []harness.Component{bad}})
			d := h.Deploy("shop", "v2")
			d = h.Ended(d.ID)
			if d.Status != "rolled_back" || !strings.HasPrefix(d.Reason, "back on v1: component web: ") || !regexp.MustCompile(test.reason).MatchString(d.Reason) {
				t.Errorf("it ended %s: %s", d.Status, d.Reason)
			}
			if d.Failure == nil || d.Failure.Code != test.code || d.Failure.Suggestion == "" {
				t.Errorf("failure: %+v, want %s", d.Failure, test.code)
			}
			h.Events(d.ID)
			evidence, err := h.Client.Evidence(t.Context(), d.ID)
			if err != nil || len(evidence.Evidence) != 1 || evidence.Evidence[0].Code != test.code {
				t.Fatalf("evidence: %+v, %v", evidence, err)
			}
			if lines := evidence.Evidence[0].Logs; test.log != "" && !slices.ContainsFunc(lines, func(l apiv1.LogLine) bool {
				return strings.Contains(l.Line, test.log)
			}) {
				t.Errorf("the evidence has no line %q: %+v", test.log, lines)
			}
			told(t, h.Must(0, "deploy", "explain", d.ID), test.code, test.log, "web v1 on process")
			if got := h.Serves(address, "v1"); test.code != "CRASH_LOOP" && got != pid {
				t.Errorf("instance %s answers, before it %s", got, pid)
			}
		})
	}
}

// TestCommandNotFound is refused before anything happens where it can be, and
// given up at once where it cannot.
func TestCommandNotFound(t *testing.T) {
	t.Parallel()
	h, address, d := shop(t, "v1")
	define := func(command ...string) {
		h.Define(harness.Application{Name: "shop", Components: []harness.Component{{Name: "web", Listen: address, Command: command}}})
	}
	for _, command := range []string{h.Path("nowhere/server"), "no-such-program"} {
		define(command)
		answer := h.REST("POST", "/api/v1/deployments", `{"name": "shop", "version": "v2"}`)
		if answer.Status != 422 || !strings.Contains(answer.Body, command) || !strings.Contains(answer.Body, "command") {
			t.Errorf("%s: %d %s", command, answer.Status, answer.Body)
		}
	}
	// A program that is there when it is accepted, and gone when it is to start.
	harness.CopyProgram(t, harness.Binary(t, "demo/server"), h.Path("gone/server"))
	define("/bin/sh", "-c", "exec "+h.Path("gone/nothing"))
	bad := h.Ended(h.Deploy("shop", "v2").ID)
	if bad.Status != "rolled_back" || bad.Failure == nil || bad.Failure.Code != "EXITED" || !strings.Contains(bad.Reason, "exited with code 127") {
		t.Errorf("it ended %s: %s, %+v", bad.Status, bad.Reason, bad.Failure)
	}
	h.Serves(address, "v1")
	if !h.Get(d[0].ID).Current {
		t.Error("v1 is not current any more")
	}
}

// TestListenAddressIsTaken names the address that somebody else has.
func TestListenAddressIsTaken(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	h.Artifact("v1")
	address := h.Address()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{{Name: "web", Listen: address}}})
	d := h.Deploy("shop", "v1")
	d = h.Ends(d.ID, harness.End{
		Status: "rolled_back", Reason: "^back on nothing, as before: component web: .*" + address,
		Path: []string{"preparing", "deploying", "rolling_back", "rolled_back"},
	})
	if d.Failure == nil || d.Failure.Code != "PORT_IN_USE" || len(h.Starts("web")) > 0 {
		t.Errorf("failure: %+v, started: %v", d.Failure, h.Starts("web"))
	}
	_ = listener.Close()
	h.Quickly("shop", "v1")
	h.Serves(address, "v1")
}

// TestSlowStart is no failure: a check may fail until it has passed once, unless
// it says for how long.
func TestSlowStart(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t, "v1")
	h.Artifact("v2", "v3")
	slow := harness.Component{
		Name: "web", Listen: address, Spec: fmt.Sprintf(`artifact = "%s/${version}"`, h.Path("artifacts")),
		Command: []string{"/bin/sh", "-c", "sleep 1; exec ./server"},
	}
	// The candidate alone is asked at another address than v1 is.
	var refused atomic.Int64
	url := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("at") != address && refused.Add(1) <= 12 {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		}
	})
	slow.Checks = harness.HTTPCheck("healthz", url+"/?at=${address}")
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{slow}})
	traffic := h.Traffic("web", address)
	d := h.Deploy("shop", "v2")
	h.Ends(d.ID, harness.End{Status: "completed", Path: harness.Forward})
	traffic.Undisturbed()
	h.Serves(address, "v2")
	if got := refused.Load(); got < 14 {
		t.Errorf("the candidate was asked %d times", got)
	}
	bad := harness.First(h.Events(d.ID), 0, harness.With("check.status", "status", "unhealthy"))
	if good := harness.First(h.Events(d.ID), bad, harness.With("check.status", "status", "healthy")); bad < 0 || good < bad {
		t.Errorf("it is unhealthy with event %d and healthy with %d", bad+1, good+1)
	}

	h.Sicken("web", "v3")
	slow.Checks = strings.Replace(harness.HTTPCheck("healthz", "http://${address}/healthz"), "passes", "startup = \"600ms\"\n      passes", 1)
	slow.Command, slow.Spec = nil, ""
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{slow}})
	d = h.Deploy("shop", "v3")
	h.Ends(d.ID, harness.End{
		Status: "rolled_back", Reason: `^back on v2: component web: check healthz failed .*status 503`,
		Path: []string{"preparing", "deploying", "rolling_back", "rolled_back"},
	})
	h.Serves(address, "v2")
}

// TestEnvironmentHold waits while the version that runs fails the same check,
// says so, and goes on by itself.
func TestEnvironmentHold(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t, "v1")
	h.Artifact("v2")
	var down atomic.Bool
	down.Store(true)
	url := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			http.Error(w, "the database is away", http.StatusServiceUnavailable)
		}
	})
	check := strings.Replace(harness.HTTPCheck("database", url), "passes", "startup = \"300ms\"\n      passes", 1)
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{{Name: "web", Listen: address, Checks: check}}})
	traffic := h.Traffic("web", address)
	d := h.Deploy("shop", "v2")
	held := h.Await(d.ID, 0, harness.Type("deployment.waiting", ""))
	now := h.Get(d.ID)
	if now.Status != "deploying" || now.Waiting == nil || now.Waiting.Kind != "environment" ||
		!strings.HasPrefix(now.Reason, "holding, the environment is at fault: the version that runs fails check database too") {
		t.Errorf("it is %s: %s, waiting %+v", now.Status, now.Reason, now.Waiting)
	}
	h.Serves(address, "v1")
	down.Store(false)
	h.Await(d.ID, held.Seq, func(e apiv1.Event) bool { return e.Type == "deployment.waiting" && harness.Field(e, "waiting") == "" })
	h.Ends(d.ID, harness.End{Status: "completed", Path: harness.Forward})
	traffic.Undisturbed()
	h.Serves(address, "v2")
}

// scripted is an HTTP server of the test's own.
func scripted(t *testing.T, answer http.HandlerFunc) (url string) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return server.URL
}

// TestStageDeadline ends a deployment whose checks never pass.
func TestStageDeadline(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t, "v1")
	h.Artifact("v2")
	h.Sicken("web", "v2")
	h.Define(harness.Application{Name: "shop", Timeouts: map[string]string{"deploying": "4s"}, Components: []harness.Component{{Name: "web", Listen: address}}})
	pid := h.Serves(address, "v1")
	d := h.Deploy("shop", "v2")
	d = h.Ends(d.ID, harness.End{
		Status: "rolled_back", Reason: `^back on v1: component web: deploying took longer than 4s: check healthz .*status 503`,
		Path: []string{"preparing", "deploying", "rolling_back", "rolled_back"},
	})
	if d.Failure == nil || d.Failure.Code != "DEADLINE" || !strings.Contains(d.Failure.Suggestion, "policy.timeouts") {
		t.Errorf("failure: %+v", d.Failure)
	}
	if got := h.Serves(address, "v1"); got != pid {
		t.Errorf("instance %s answers, before it %s", got, pid)
	}
}
