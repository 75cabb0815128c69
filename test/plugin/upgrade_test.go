package plugin_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// place puts a binary where config.hcl names the process plugin, as a build does,
// and returns its checksum. more is behind what it is: another binary that does the
// same.
func place(t *testing.T, h *harness.Host, binary []byte, more string) (sum string) {
	t.Helper()
	path := h.Path("bin/apm-plugin-process")
	content := append(binary[:len(binary):len(binary)], more...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", content, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	raw := sha256.Sum256(content)
	return hex.EncodeToString(raw[:])
}

// placed is a started host whose process plugin is a file of its own.
func placed(t *testing.T) (h *harness.Host, binary []byte) {
	t.Helper()
	h = harness.New(t)
	binary, err := os.ReadFile(h.Plugin)
	if err != nil {
		t.Fatal(err)
	}
	place(t, h, binary, "")
	h.EditConfig(fmt.Sprintf("%q", h.Plugin), fmt.Sprintf("%q", h.Path("bin/apm-plugin-process")))
	h.Must(0, "plugin", "lock")
	h.Start()
	return h, binary
}

// running returns the platform process as it is now.
func running(h *harness.Host) (p apiv1.Plugin) {
	h.REST(http.MethodGet, "/api/v1/plugins/process", "").Decode(h, &p)
	return p
}

// TestUpgradeWhileDeploying replaces the binary of a plugin in the middle of a
// deployment, by command or by a signal to the host: the deployment ends as if
// nothing had been, each version started once, and no request is lost.
func TestUpgradeWhileDeploying(t *testing.T) {
	t.Parallel()
	for name, upgrade := range map[string]func(*testing.T, *harness.Host){
		"apm plugin upgrade": func(t *testing.T, h *harness.Host) {
			r := h.Must(0, "plugin", "upgrade", "process")
			if !strings.Contains(r.Stdout, "in place of") {
				t.Errorf("it does not say what it did: %s", r)
			}
			if r := h.Must(0, "plugin", "upgrade", "process"); !strings.Contains(r.Stdout, "nothing to do") {
				t.Errorf("the second time: %s", r)
			}
		},
		"SIGHUP": func(t *testing.T, h *harness.Host) {
			if err := syscall.Kill(h.PID(), syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			harness.Eventually(t, "the plugin is upgraded", func() (bool, string) {
				return strings.Contains(h.Read("host.log"), `msg="plugin upgraded"`), h.LogTail(5)
			})
			harness.Eventually(t, "it is audited", func() (bool, string) {
				said := h.Must(0, "audit", "--limit", "2").Stdout
				return strings.Contains(said, "plugin.reload.result") && strings.Contains(said, "host local"), said
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, binary := placed(t)
			h.Artifact("v1", "v2")
			address := h.Address()
			h.Define(harness.Application{Name: "shop", Components: []harness.Component{
				{Name: "web", Listen: address, Steps: []int{50, 100}, Pause: "2s"},
			}})
			h.Deployed("shop", "v1")
			traffic := h.Traffic("web", address)
			before := running(h)

			d := h.Deploy("shop", "v2")
			h.Await(d.ID, 0, harness.With("candidate.promoted", "percent", "50"))
			sum := place(t, h, binary, "a later build")
			h.Must(0, "plugin", "lock")
			upgrade(t, h)
			h.Ends(d.ID, harness.End{Status: "completed", Path: harness.Forward})
			h.Serves(address, "v2")
			traffic.Undisturbed()
			if diff := cmp.Diff([]string{"v1", "v2"}, h.Starts("web")); diff != "" {
				t.Errorf("started (-want +got):\n%s", diff)
			}
			if now := running(h); now.SHA256 != sum || now.PID == before.PID || now.State != "ready" {
				t.Errorf("it runs %+v, not %s", now, sum)
			}
		})
	}
}

// TestBadUpgrade locks a binary that is no good: the old one stays in charge, and
// deployments do not notice.
func TestBadUpgrade(t *testing.T) {
	t.Parallel()
	h, binary := placed(t)
	h.Artifact("v1")
	address := h.Address()
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{{Name: "web", Listen: address}}})
	before := running(h)
	good := h.Read("apm.lock.hcl")
	for name, bad := range map[string]struct {
		content string
		lock    bool
		told
	}{
		"not locked":     {string(binary) + "a later build", false, told{"has sha256", "but apm.lock.hcl pins " + before.SHA256, "run `apm plugin lock`"}},
		"ends at start":  {"#!/bin/sh\necho 'cannot open shared library' >&2\nexit 3\n", true, told{"ended with exit code 3 before it was ready; its last lines: cannot open shared library", "documentation"}},
		"other protocol": {"#!/bin/sh\necho '1|2|unix|/tmp/x|grpc|'\nexec sleep 60\n", true, told{"speaks version 2 of the plugin protocol, this host speaks version 1", "upgrade the host"}},
		"no first line":  {"echo hello\n", true, told{"begins with no #! line", "name its interpreter"}},
	} {
		sum := place(t, h, nil, bad.content)
		h.Write("apm.lock.hcl", good)
		if bad.lock {
			h.Write("apm.lock.hcl", strings.ReplaceAll(good, before.SHA256, sum))
		}
		r := h.Must(1, "plugin", "upgrade", "process")
		append(bad.told, `plugin "process" was not upgraded`, "the old one, version "+before.Version+", stays in charge").in(t, r.Stderr)
		if now := running(h); now.PID != before.PID || now.SHA256 != before.SHA256 || now.State != "ready" {
			t.Errorf("%s: it runs %+v", name, now)
		}
	}
	h.Quickly("shop", "v1")
	h.Serves(address, "v1")
	place(t, h, binary, "")
	h.Write("apm.lock.hcl", good)
}
