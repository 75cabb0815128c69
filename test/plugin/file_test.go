package plugin_test

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// otherMachine makes a copy of a program say that it is built for another machine.
func otherMachine(t *testing.T, h *harness.Host) {
	t.Helper()
	content, err := os.ReadFile(h.Plugin)
	if err != nil {
		t.Fatal(err)
	}
	const at, amd64, arm64 = 18, 62, 183 // e_machine of ELF and two of its values
	machine := uint16(arm64)
	if runtime.GOARCH == "arm64" {
		machine = amd64
	}
	binary.LittleEndian.PutUint16(content[at:], machine)
	if err := os.WriteFile(h.Path("other-machine"), content, 0o755); err != nil {
		t.Fatal(err)
	}
}

// badFiles are binaries that cannot be the plugin that config.hcl names; those of
// test/badinput are not here again.
var badFiles = map[string]struct {
	path  string // of the binary, below the home; PLUGIN is that of process
	block string // of the platform
	want  told
}{
	"older-protocol": {"older", "", told{`plugin "older-protocol": speaks version 0 of the plugin protocol, this host speaks version 1`, "upgrade the plugin"}},
	"newer-protocol": {"newer", "", told{`plugin "newer-protocol": speaks version 2 of the plugin protocol, this host speaks version 1`, "upgrade the host"}},
	"other-machine":  {"other-machine", "", told{"HOME/other-machine is built for linux/", "this machine is " + runtime.GOOS + "/" + runtime.GOARCH, "build it for this machine"}},
	"no-interpreter": {"no-interpreter", "", told{"HOME/no-interpreter begins with no #! line", "name its interpreter there, as in #!/usr/bin/env python3"}},
	"misnamed":       {"PLUGIN", "", told{`"misnamed"`, `"process"`, `or name the block "process"`}},
	"contradiction":  {"self-contradiction", "", told{`plugin "contradiction": its config schema contradicts itself: attribute "region": the name stands twice`, "report it to the plugin's author"}},
	"choosy":         {"self-choosy", `region = "atlantis"`, told{"config.hcl:LINE:", "there is no region of that name", "choose one of the provider's list"}},
}

// TestBadFiles starts one host with all of them beside one that is well: each says
// what is wrong with it and what to do, on every way that one asks, and the good
// one deploys as ever.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	program(t, h, "older", `echo '1|0|unix|/tmp/x|grpc|'; exec sleep 60`)
	program(t, h, "newer", `echo '1|2|unix|/tmp/x|grpc|'; exec sleep 60`)
	program(t, h, "no-interpreter", "")
	h.Write("no-interpreter", "import apm\n")
	otherMachine(t, h)
	self(t, h, "contradiction")
	self(t, h, "choosy")
	words := strings.NewReplacer("HOME", h.Home, "PLUGIN", h.Plugin)
	config, lines := h.DefaultConfig(), map[string]string{}
	for name, bad := range badFiles {
		path := words.Replace(bad.path)
		if !strings.HasPrefix(path, "/") {
			path = h.Path(path)
		}
		config += fmt.Sprintf("plugin %q {\n  path = %q\n  dev  = true\n}\nplatform \"on-%s\" {\n  plugin = %q\n  %s\n}\n", name, path, name, name, bad.block)
		lines[name] = fmt.Sprint(strings.Count(config, "\n") - 1)
	}
	h.WriteConfig(config)
	host := h.Begin("serve")
	host.Says("answers at")
	for name, bad := range badFiles {
		t.Run(name, func(t *testing.T) {
			replacer := strings.NewReplacer("HOME", h.Home, "LINE", lines[name])
			var want told
			for _, part := range bad.want {
				want = append(want, replacer.Replace(part))
			}
			var plugin apiv1.Plugin
			harness.Eventually(t, "it is given up", func() (bool, string) {
				h.REST(http.MethodGet, "/api/v1/plugins/on-"+name, "").Decode(h, &plugin)
				return plugin.State == "broken", fmt.Sprintf("%+v", plugin)
			})
			want.in(t, plugin.Reason)
			want.in(t, h.Must(0, "plugin", "inspect", "on-"+name).Stdout)
			r := h.Must(1, "deploy", "start", "--name", "x", "--version", "v1", "--platform", "on-"+name, "--set", `command=["/bin/true"]`)
			want.in(t, r.Stderr)
			if r.Stdout != "" {
				t.Errorf("data of a command that failed: %s", r)
			}
			answer := h.REST(http.MethodPost, "/api/v1/deployments", fmt.Sprintf(`{"name": "x", "version": "v1", "platform": "on-%s", "configuration": {}}`, name))
			if answer.Status != http.StatusServiceUnavailable {
				t.Errorf("status %d: %s", answer.Status, answer.Body)
			}
		})
	}
	h.Artifact("v1")
	address := h.Address()
	h.Define(harness.Application{Name: "shop", Bake: "50ms", Components: []harness.Component{{Name: "web", Listen: address}}})
	h.Must(0, "deploy", "start", "--name", "shop", "--version", "v1", "--watch")
	h.Serves(address, "v1")
	h.Must(0, "deploy", "remove", "shop", "--yes", "--watch")
	var good apiv1.Plugin
	h.REST(http.MethodGet, "/api/v1/plugins/process", "").Decode(h, &good)
	if good.State != "ready" || good.Restarts != 0 {
		t.Errorf("the good one is %s after %d restarts: %s", good.State, good.Restarts, good.Reason)
	}
}

// TestNoSocket starts each plugin with a socket directory in which nothing can be
// made: it says which, without a word on standard output, and ends.
func TestNoSocket(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	for name, plugin := range map[string]string{
		"process": h.Plugin, "fake": harness.Binary(t, "test/apm-plugin-fake"), "python": harness.PythonPlugin(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			certificate := clientCertificate(t)
			lifeline, host, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer host.Close()
			defer lifeline.Close()
			var stdout, stderr strings.Builder
			command := exec.CommandContext(t.Context(), plugin)
			command.Env = h.Environ("APM_PLUGIN=5e0b6c1f94d7", "PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_CLIENT_CERT="+certificate,
				"PLUGIN_UNIX_SOCKET_DIR=/dev/null/sockets", "APM_PLUGIN_LIFELINE_FD=3")
			command.ExtraFiles = []*os.File{lifeline}
			command.Stdout, command.Stderr = &stdout, &stderr
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- command.Wait() }()
			select {
			case err := <-ended:
				if err == nil {
					t.Error("it ended as if all were well")
				}
			case <-time.After(time.Minute):
				_ = command.Process.Kill()
				t.Fatal("it did not end")
			}
			if stdout.Len() > 0 || !strings.Contains(stderr.String(), "/dev/null/sockets") {
				t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
			}
		})
	}
}
