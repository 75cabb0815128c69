package badinput_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// script writes a program that is no plugin.
func script(t *testing.T, h *harness.Host, name, text string) {
	t.Helper()
	h.Write(name, "#!/bin/sh\n"+text+"\n")
	if err := os.Chmod(h.Path(name), 0o755); err != nil {
		t.Fatal(err)
	}
}

// badPlugins are binaries and blocks that no plugin comes of: what their block
// says beside path, what the platform's block says, and what is said of it.
var badPlugins = map[string]struct {
	path, block, platform string
	told
}{
	"not-there":      {"nothing", `dev = true`, "", told{"HOME/nothing", "there is no file", "correct path in the plugin block of config.hcl"}},
	"a-directory":    {"tmp", `dev = true`, "", told{"HOME/tmp", "is a directory", "it must name the binary itself"}},
	"not-executable": {"config.hcl", `dev = true`, "", told{"HOME/config.hcl", "is not executable", "chmod +x HOME/config.hcl"}},
	"empty":          {"empty", `dev = true`, "", told{"HOME/empty", "is empty or cut off", "build it again"}},
	"cut-off":        {"cut-off", `dev = true`, "", told{"HOME/cut-off", "is a damaged binary", "build it again"}},
	"other-machine":  {"windows", `dev = true`, "", told{"HOME/windows", "is built for windows, this machine is linux/", "build it for this machine"}},
	"no-checksum":    {"PLUGIN", ``, "", told{`plugin "no-checksum"`, "no checksum is pinned for it, neither in its plugin block nor in apm.lock.hcl", "run `apm plugin lock`"}},
	"other-checksum": {"PLUGIN", `sha256 = "` + strings.Repeat("0", 64) + `"`, "", told{"PLUGIN has sha256 SUM", "but the plugin block of config.hcl pins " + strings.Repeat("0", 64), "write the new checksum there"}},
	"locked-other":   {"PLUGIN", ``, "", told{"PLUGIN has sha256 SUM", "but apm.lock.hcl pins " + strings.Repeat("1", 64), "if you rebuilt or replaced it on purpose, run `apm plugin lock`"}},
	"unknown-key":    {"PLUGIN", `dev = true`, `stat_dir = "x"`, told{"config.hcl:LINE:3", `unknown attribute "stat_dir"`, `did you mean "state_dir"?`}},
	"wrong-type":     {"PLUGIN", `dev = true`, `keep = "many"`, told{"config.hcl:LINE:10", `wrong type for "keep"`, "write a number"}},
	"out-of-range":   {"PLUGIN", `dev = true`, `keep = 0`, told{"config.hcl:LINE:10", "keep must be between 1 and", "not 0"}},
	"unknown-user":   {"PLUGIN", `dev = true`, `user = "no-such-user"`, told{"config.hcl:LINE:10", "no-such-user", "name a user of this machine"}},
	"ends-at-start":  {"ends", `dev = true`, "", told{`plugin "ends-at-start"`, "ended with exit code 3 before it was ready; its last lines: cannot open shared library", "see its lines in the host's log"}},
	"talks":          {"talks", `dev = true`, "", told{`plugin "talks"`, `wrote to standard output before its handshake: "Hello \x1b[31mworld"`, "remove the print"}},
	"other-protocol": {"other", `dev = true`, "", told{`plugin "other-protocol"`, "speaks version 99 of the plugin protocol", "upgrade the host"}},
}

// TestPlugins starts one host with all of them beside one that is well: each says
// what is wrong with it, refuses what is to be deployed on it, and the good one
// does not notice.
func TestPlugins(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	script(t, h, "ends", `echo "cannot open shared library" >&2; exit 3`)
	script(t, h, "talks", `printf 'Hello \033[31mworld\n'; exec sleep 60`)
	script(t, h, "other", `echo '1|99|unix|/tmp/x|grpc|'; exec sleep 60`)
	h.Write("empty", "")
	h.Write("cut-off", "\x7fELF\x02\x01\x01")
	h.Write("windows", "MZ\x90\x00\x03")
	for _, name := range []string{"empty", "cut-off", "windows"} {
		if err := os.Chmod(h.Path(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	lock := h.Read("apm.lock.hcl")
	_, rest, _ := strings.Cut(lock, `sha256  = "`)
	sum, _, _ := strings.Cut(rest, `"`)
	h.Write("apm.lock.hcl", lock+"\nplugin \"locked-other\" {\n  version = \"0.1.0\"\n  sha256  = \""+strings.Repeat("1", 64)+"\"\n}\n")
	words := strings.NewReplacer("HOME", h.Home, "PLUGIN", h.Plugin, "SUM", sum)
	config := h.DefaultConfig()
	lines := map[string]int{}
	for name, bad := range badPlugins {
		path := words.Replace(bad.path)
		plugin := name
		if bad.platform == "" {
			config += fmt.Sprintf("plugin %q {\n  path = %q\n  %s\n}\n", name, path, bad.block)
		} else {
			plugin = "process"
		}
		config += fmt.Sprintf("platform \"on-%s\" {\n  plugin = %q\n  %s\n}\n", name, plugin, bad.platform)
		lines[name] = strings.Count(config, "\n") - 1
	}
	h.WriteConfig(config)
	if r := h.CLI("config", "validate"); r.Code != 0 {
		t.Fatal(r)
	}
	host := h.Begin("serve")
	host.Says("answers at")

	for name, bad := range badPlugins {
		t.Run(name, func(t *testing.T) {
			words := strings.NewReplacer("HOME", h.Home, "PLUGIN", h.Plugin, "SUM", sum, "LINE", fmt.Sprint(lines[name]))
			want := told{words.Replace(bad.where), words.Replace(bad.wrong), words.Replace(bad.todo)}
			var plugin apiv1.Plugin
			// Those that end are started again before they are given up.
			harness.Eventually(t, "it is given up", func() (bool, string) {
				h.REST(http.MethodGet, "/api/v1/plugins/on-"+name, "").Decode(h, &plugin)
				return plugin.State == "broken", fmt.Sprintf("%+v", plugin)
			})
			presentable(t, plugin.Reason)
			told{want.where, want.wrong, want.todo}.in(t, plugin.Reason)

			shown := h.Must(0, "plugin", "inspect", "on-"+name)
			presentable(t, shown.Stdout+shown.Stderr)
			want.in(t, shown.Stdout)

			r := h.CLI("deploy", "start", "--name", "x", "--version", "v1", "--platform", "on-"+name, "--set", `command=["/bin/true"]`)
			refused(t, r, 1, told{"on-" + name, want.wrong, want.todo})
		})
	}
	plugins := h.REST(http.MethodGet, "/api/v1/plugins/process", "")
	var good apiv1.Plugin
	if plugins.Decode(h, &good); good.State != "ready" || good.Restarts != 0 {
		t.Errorf("the good one: %s", plugins.Body)
	}
	if list := h.Must(0, "deploy", "list", "-o", "json", "--jq", ".deployments"); strings.TrimSpace(list.Stdout) != "[]" {
		t.Errorf("deployments were begun: %s", list)
	}
	printable(t, h.Must(0, "plugin", "list", "-o", "wide").Stdout)
	printable(t, host.Stderr())
}

// TestLockFile pins plugins that cannot be pinned, and reads lock files that are wrong.
func TestLockFile(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	script(t, h, "ends", `echo "cannot open shared library" >&2; exit 3`)
	h.WriteConfig(h.DefaultConfig() + "plugin \"ends\" { path = \"ends\" }\nplugin \"nothing\" { path = \"nothing\" }\n")
	good := h.Read("apm.lock.hcl")
	for name, c := range map[string]struct {
		lock      string
		arguments []string
		code      int
		told
	}{
		"unknown plugin": {good, []string{"procss"}, 7, told{`plugin "procss"`, "is not in config.hcl", "known plugins: "}},
		"not there":      {good, []string{"nothing"}, 1, told{h.Path("nothing"), "there is no file", "correct path in the plugin block"}},
		"ends":           {good, []string{"ends"}, 1, told{`plugin "ends"`, "ended with exit code 3 before it was ready; its last lines: cannot open shared library", "documentation"}},
		"one of many":    {good, nil, 1, told{`plugin "ends"`, "ended with exit code 3", "documentation"}},
		"syntax":         {"plugin \"process\" {\n", []string{"process"}, 1, told{"apm.lock.hcl:1:18", "Unclosed configuration block", "correct it, or remove it and run `apm plugin lock`"}},
		"missing key":    {"plugin \"process\" {\n  version = \"0.1.0\"\n}\n", []string{"process"}, 1, told{"apm.lock.hcl:1:18", `The argument "sha256" is required`, "correct it, or remove it"}},
		"no checksum":    {"plugin \"process\" {\n  version = \"0.1.0\"\n  sha256  = \"\\u001b\"\n}\n", []string{"process"}, 1, told{"apm.lock.hcl", "is not 64 lower-case hexadecimal digits", "run `apm plugin lock`"}},
		"twice":          {good + good, []string{"process"}, 1, told{"apm.lock.hcl", `plugin "process" stands twice`, "remove one of the two blocks"}},
	} {
		t.Run(name, func(t *testing.T) {
			h.Write("apm.lock.hcl", c.lock)
			before := files(t, h.Home, "/data", "/tmp")
			refused(t, h.CLI(append([]string{"plugin", "lock"}, c.arguments...)...), c.code, told{c.where, c.wrong, c.todo})
			differ(t, before, files(t, h.Home, "/data", "/tmp"))
		})
	}
}
