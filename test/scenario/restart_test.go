package scenario_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// TestStoppedOnTheWay ends the host in good order (SIGTERM) in the middle of a
// deployment or a rollback: the application goes on serving, and after the next
// start all ends as if nothing had been.
func TestStoppedOnTheWay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		at     func(apiv1.Event) bool
		sick   bool // at first, so that the candidate waits
		bad    bool // turns bad in the bake window
		end    string
		path   []string
		starts []string
	}{
		"candidate": {
			at: harness.Type("candidate.ready", "web"), sick: true,
			end: "completed", path: harness.Forward, starts: []string{"v1", "v2"},
		},
		"half of the traffic": {
			at:  harness.With("candidate.promoted", "percent", "50"),
			end: "completed", path: harness.Forward, starts: []string{"v1", "v2"},
		},
		"bake": {
			at: harness.Status("verifying"), end: "completed", path: harness.Forward, starts: []string{"v1", "v2"},
		},
		"rollback": {
			at: harness.Status("rolling_back"), bad: true, end: "rolled_back",
			path: []string{"preparing", "deploying", "verifying", "rolling_back", "rolled_back"}, starts: []string{"v1", "v2", "v1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, address, _ := shop(t, "v1")
			h.Artifact("v2")
			bake := "1s"
			if test.bad {
				bake = "10m" // it must not be over before it is sick
			}
			h.Define(harness.Application{Name: "shop", Bake: bake, Components: []harness.Component{
				{Name: "web", Listen: address, Steps: []int{50, 100}, Pause: "500ms"},
			}})
			traffic := h.Traffic("web", address)
			if test.sick {
				h.Sicken("web", "v2")
			}
			d := h.Deploy("shop", "v2")
			seen := h.Follow(d.ID)
			watch := h.Begin("deploy", "watch", d.ID)
			if test.bad {
				h.Await(d.ID, 0, harness.Status("verifying"))
				h.Sicken("web", "v2")
			}
			h.Await(d.ID, 0, test.at)
			h.Stop()
			if err := harness.Answers(address); err != nil {
				t.Errorf("nothing answers while the host is down: %v", err)
			}
			if test.sick {
				h.Sicken("web")
			}
			h.Start()
			d = h.Ends(d.ID, harness.End{Status: test.end, Path: test.path})
			traffic.Undisturbed()
			if diff := cmp.Diff(test.starts, h.Starts("web")); diff != "" {
				t.Errorf("started (-want +got):\n%s", diff)
			}
			events := h.Events(d.ID)
			if diff := cmp.Diff(events, seen(uint64(len(events)))); diff != "" {
				t.Errorf("what a client saw that reconnects (-table +client):\n%s", diff)
			}
			if r := watch.Wait(); r.Code != map[string]int{"completed": 0, "rolled_back": 5}[test.end] {
				t.Errorf("the watch: %s", r)
			}
			runs, err := h.Client.Runs(t.Context(), d.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, run := range runs.Runs {
				for _, step := range run.Steps {
					if len(step.Operations) != 1 || step.Operations[0].Result != "succeeded" {
						t.Errorf("run %d has the operations %+v, want one that succeeded", run.Number, step.Operations)
					}
				}
			}
		})
	}
}

// TestQueueOutlivesARestart keeps who waits for whom.
func TestQueueOutlivesARestart(t *testing.T) {
	t.Parallel()
	h, address, _, holder := held(t, "queue", "v1", "v2")
	next := h.Deploy("shop", "next")
	waits(h, t, next.ID, holder.ID, 1)
	h.Stop()
	h.Start()
	waits(h, t, next.ID, holder.ID, 1)
	h.Sicken("web")
	h.Ends(holder.ID, harness.End{Status: "completed", Path: harness.Forward})
	h.Ends(next.ID, harness.End{Status: "completed", Path: harness.Forward})
	h.Serves(address, "next")
}

// TestPluginReplacedOnDisk disturbs nothing while the host runs, not even a
// restart of the plugin; the next host refuses what is not pinned, and says how
// to pin it.
func TestPluginReplacedOnDisk(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	own := h.Path("bin/apm-plugin-process")
	harness.CopyProgram(t, h.Plugin, own)
	h.EditConfig(h.Plugin, own)
	h.Must(0, "plugin", "lock")
	h.Start()
	h.Artifact("v1", "v2", "v3")
	address := h.Address()
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{{Name: "web", Listen: address}}})
	h.Quickly("shop", "v1")
	traffic := h.Traffic("web", address)
	before := h.PluginPID()

	h.Sicken("web", "v2")
	d := h.Deploy("shop", "v2")
	h.Await(d.ID, 0, harness.Type("candidate.ready", "web"))
	if err := os.Remove(own); err != nil {
		t.Fatal(err)
	}
	h.Write("bin/apm-plugin-process", "#!/bin/sh\nexit 1\n")
	if err := os.Chmod(own, 0o755); err != nil {
		t.Fatal(err)
	}
	h.Sicken("web")
	h.Ends(d.ID, harness.End{Status: "completed", Path: harness.Forward})
	if got := h.PluginPID(); got != before {
		t.Errorf("the plugin was restarted: pid %d, before %d", got, before)
	}
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the plugin runs again, from the host's own copy", func() (bool, string) {
		p, err := h.Client.Plugin(t.Context(), "process")
		if err != nil {
			return false, err.Error()
		}
		return p.State == "ready" && p.PID != before, p.State + ": " + p.Reason
	})
	h.Deployed("shop", "v3")
	traffic.Undisturbed()
	h.Serves(address, "v3")

	h.Stop()
	serve := h.Begin("serve")
	harness.Eventually(t, "the new host refuses the plugin", func() (bool, string) {
		answer := h.CLI("plugin", "list", "-o", "json")
		return answer.Code == 0 && strings.Contains(answer.Stdout, "broken"), answer.String()
	})
	listed := h.Must(0, "plugin", "list", "-o", "wide").Stdout
	if !strings.Contains(listed, "apm plugin lock") {
		t.Errorf("it does not say how to pin it:\n%s", listed)
	}
	refused := h.Must(1, "deploy", "start", "--name", "shop", "--version", "v1")
	if !strings.Contains(refused.Stderr, "process") || !strings.Contains(refused.Stderr, "checksum") && !strings.Contains(refused.Stderr, "sha256") {
		t.Errorf("a deployment without its platform: %s", refused)
	}
	h.Serves(address, "v3")
	serve.Signal(syscall.SIGTERM)
	serve.Wait()
	harness.CopyProgram(t, h.Plugin, own)
	h.Start()
	h.Deployed("shop", "v1")
}
