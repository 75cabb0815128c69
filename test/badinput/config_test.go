package badinput_test

import (
	"os"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

// pluginBlock is what most files begin with; its line is 1.
const pluginBlock = "plugin \"process\" { path = \"apm-plugin-process\" }\n"

// TestConfigFile validates files that are wrong, and tries to serve them: both
// say the same, and nothing is begun.
func TestConfigFile(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	before := files(t, h.Home, "/tmp")
	server := func(lines string) string { return "server {\n" + lines + "\n}\n" }
	inDeployment := func(lines string) string { return pluginBlock + "deployment {\n" + lines + "\n}\n" }
	for name, c := range map[string]struct {
		text string
		told
	}{
		"unknown key":                {server(`  lisen = "localhost:1"`), told{"bad.hcl:2:3", `unknown attribute "lisen"`, `did you mean "listen"?`}},
		"unknown block":              {"sever { }\n", told{"bad.hcl:1:1", `unknown block "sever"`, `did you mean "server"?`}},
		"unknown key far from any":   {server(`  colour = "red"`), told{"bad.hcl:2:3", `unknown attribute "colour"`, "known here: "}},
		"key in the wrong block":     {"listen = \"localhost:1\"\n", told{"bad.hcl:1:1", `unknown attribute "listen"`, "known here: "}},
		"key of a later version":     {inDeployment("  history {\n    database { url = \"postgres://x\" }\n  }"), told{"bad.hcl:4:5", `"database" is not in this version`, "remove it"}},
		"block of a later version":   {server("  tls { }"), told{"bad.hcl:2:3", `"tls" is not in this version`, "remove it"}},
		"syntax":                     {server("  listen ="), told{"bad.hcl:2:11", "invalid expression", "expected the start of an expression"}},
		"unclosed block":             {"server {\n", told{"bad.hcl:1:8", "unclosed configuration block", "closing brace"}},
		"binary":                     {"\x01\x1b[31m\x00", told{"bad.hcl:1:1", "invalid character", "not used within the language"}},
		"not UTF-8":                  {server("  listen = \"\xff\xfe\""), told{"bad.hcl:2", "encoding", "UTF-8"}},
		"text for a list":            {server(`  allowed_hosts = "localhost"`), told{"bad.hcl:2:19", `wrong type for "allowed_hosts"`, "list"}},
		"list for a text":            {"host {\n  data_dir = [\"x\"]\n}\n", told{"bad.hcl:2:14", `wrong type for "data_dir"`, "string"}},
		"text for a truth value":     {"plugin \"process\" {\n  path = \"x\"\n  dev  = \"perhaps\"\n}\n", told{"bad.hcl:3:10", `wrong type for "dev"`, "bool"}},
		"text for a number":          {server("  websocket {\n    buffer = \"many\"\n  }"), told{"bad.hcl:3:14", `wrong type for "buffer"`, "number"}},
		"attribute for a block":      {"server = { listen = \"localhost:1\" }\n", told{"bad.hcl:1:1", `"server" is a block`, "server {"}},
		"block for an attribute":     {"server {\n  listen { }\n}\n", told{"bad.hcl:2:3", `"listen" is an attribute`, "listen ="}},
		"missing key":                {"plugin \"process\" {\n}\n", told{"bad.hcl:1:1", `missing "path"`, "add path = …"}},
		"missing label":              {"plugin { path = \"x\" }\n", told{"bad.hcl:1:1", "plugin", `write plugin "name" { … }`}},
		"platform without plugin":    {pluginBlock + "platform \"batch\" { }\n", told{"bad.hcl:2:1", `platform "batch" names no plugin`, "process"}},
		"no plugin at all":           {"platform \"batch\" { }\n", told{"bad.hcl:1:1", `platform "batch" names no plugin`, `plugin "NAME" { path = `}},
		"block twice":                {"host { }\nhost { }\n", told{"bad.hcl:2:1", "host stands twice, first at bad.hcl:1", "one of them"}},
		"plugin twice":               {pluginBlock + pluginBlock, told{"bad.hcl:2:1", `plugin "process" stands twice, first at bad.hcl:1`, "one of them"}},
		"platform twice":             {inDeployment("  process { }") + "platform \"process\" { plugin = \"process\" }\n", told{"bad.hcl:5:1", `platform "process" stands twice, first at bad.hcl:3`, "choose another name"}},
		"attribute twice":            {server("  listen = \"localhost:1\"\n  listen = \"localhost:2\""), told{"bad.hcl:3:3", "listen", "only once"}},
		"variable not set":           {server(`  listen = env("APM_NOT_SET")`), told{"bad.hcl:2:12", `no variable "APM_NOT_SET"`, "set it, and start the host again"}},
		"file not there":             {server(`  listen = file("listen.txt")`), told{"bad.hcl:2:12", `read "listen.txt": no such file`, "relative paths begin where this file lies"}},
		"unknown function":           {server(`  listen = upper("x")`), told{"bad.hcl:2:12", "upper", "env"}},
		"variable of applications":   {server(`  listen = "${version}"`), told{"bad.hcl:2:15", `there are no variables here, "version" is none`, "put a text in quotes"}},
		"duration without unit":      {server("  websocket {\n    ping = \"15\"\n  }"), told{"bad.hcl:3:12", `"ping" is no duration: "15"`, "a number and a unit"}},
		"no duration":                {inDeployment("  process {\n    monitor { interval = \"soon\" }\n  }"), told{"bad.hcl:4:26", `"interval" is no duration: "soon"`, "a number and a unit"}},
		"negative duration":          {inDeployment("  process {\n    monitor { timeout = \"-1s\" }\n  }"), told{"bad.hcl:4:25", `"timeout" must be at least 10ms`, `write "10ms" or longer`}},
		"too short":                  {inDeployment("  history {\n    keep { age = \"5m\" }\n  }"), told{"bad.hcl:4:18", `"age" must be at least 1h`, `write "1h" or longer`}},
		"idle shorter than ping":     {server("  websocket {\n    ping = \"60s\"\n    idle = \"30s\"\n  }"), told{"bad.hcl:4:12", "idle (30s) must be longer than ping", "make idle at least twice ping"}},
		"number out of range":        {inDeployment("  history {\n    keep { count = 99999999999999999999 }\n  }"), told{"bad.hcl:4:20", `"count" is out of range`, "from 1 to"}},
		"listen without port":        {server(`  listen = "localhost"`), told{"bad.hcl:2:12", `"listen" is no address: "localhost"`, "write host:port"}},
		"port beyond 65535":          {server(`  listen = "localhost:99999"`), told{"bad.hcl:2:12", `"listen" is no address`, "write host:port"}},
		"host with scheme":           {server(`  allowed_hosts = ["http://localhost"]`), told{"bad.hcl:2:20", `"http://localhost" is no host`, "without port"}},
		"origin pattern":             {server(`  allowed_origins = ["*"]`), told{"bad.hcl:2:22", `"*" is no origin`, "write scheme and host"}},
		"anonymous admin":            {server(`  anonymous = "admin"`), told{"bad.hcl:2:15", `"anonymous" cannot be "admin"`, `write "viewer", or remove it`}},
		"anonymous on every address": {server("  listen = \"0.0.0.0:8080\"\n  anonymous = \"viewer\""), told{"bad.hcl:3:15", "on loopback only", `listen on "localhost:8080"`}},
		"data directory empty":       {"host {\n  data_dir = \"\"\n}\n", told{"bad.hcl:2:14", "data_dir is empty", "name a directory"}},
		"unknown platform":           {inDeployment("  kubernetes { }"), told{"bad.hcl:3:3", `"kubernetes" is neither a block of deployment nor a plugin`, `add plugin "kubernetes" { path = … }`}},
		"platform mistyped":          {inDeployment("  procss { }"), told{"bad.hcl:3:3", `"procss" is neither a block of deployment nor a plugin`, `did you mean "process"?`}},
		"unknown default platform":   {inDeployment("  default_platform = \"batch\""), told{"bad.hcl:3:22", `there is no platform "batch"`, "add"}},
		"default platform mistyped":  {inDeployment("  default_platform = \"procss\"\n  process { }"), told{"bad.hcl:3:22", `there is no platform "procss"`, `did you mean "process"?`}},
		"unknown plugin":             {pluginBlock + "platform \"x\" { plugin = \"docker\" }\n", told{"bad.hcl:2:25", `there is no plugin "docker"`, "known here: process"}},
		"plugin name":                {"plugin \"a/b\" { path = \"x\" }\n", told{"bad.hcl:1:1", `"a/b" is no name for a plugin`, "lower case letters"}},
		"no checksum":                {"plugin \"process\" {\n  path   = \"x\"\n  sha256 = \"abc\"\n}\n", told{"bad.hcl:3:12", `"sha256" is no SHA-256 checksum`, "64 hexadecimal digits"}},
		"log level":                  {"plugin \"process\" {\n  path      = \"x\"\n  log_level = \"loud\"\n}\n", told{"bad.hcl:3:15", `"log_level" cannot be "loud"`, "known here: debug, error, info, trace, warn"}},
		"variable name":              {"plugin \"process\" {\n  path        = \"x\"\n  environment = [\"A=B\"]\n}\n", told{"bad.hcl:3:18", `"A=B" is no name of a variable`, "names only"}},
		"pattern":                    {inDeployment(`  applications = ["[x"]`), told{"bad.hcl:3:19", `"[x" is no pattern for files`, `"applications/*.hcl"`}},
		"control characters":         {server("  listen = \"\\u001b[31mred\""), told{"bad.hcl:2:12", `"listen" is no address`, "write host:port"}},
		"10 kB":                      {server("  listen = \"" + strings.Repeat("x", 10_000) + "\""), told{"bad.hcl:2:12", `"listen" is no address`, "write host:port"}},
	} {
		t.Run(name, func(t *testing.T) {
			h.Write("bad.hcl", c.text)
			want := told{c.where, c.wrong, c.todo}
			validated := h.CLI("config", "validate", "bad.hcl")
			refused(t, validated, 1, want)
			served := h.CLI("serve", "--config-file", "bad.hcl")
			refused(t, served, 1, want)
			if served.Stderr != validated.Stderr {
				t.Errorf("serve says something else than config validate: %s", served)
			}
			if got := h.Read("bad.hcl"); got != c.text {
				t.Errorf("the file was changed to %q", got)
			}
		})
	}
	if err := os.Remove(h.Path("bad.hcl")); err != nil {
		t.Fatal(err)
	}
	differ(t, before, files(t, h.Home, "/tmp"))
}

// TestConfigFileNotRead is about what is no file to read.
func TestConfigFileNotRead(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	h.Write("secret/config.hcl", "")
	big := h.Path("big.hcl")
	if err := os.WriteFile(big, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, 1<<30); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file string
		told
	}{
		"not there":   {"nothing.hcl", told{"nothing.hcl", "no such file or directory", "--config-file"}},
		"a directory": {"secret", told{"secret", "not a regular file", "--config-file"}},
		"a device":    {"/dev/zero", told{"/dev/zero", "not a regular file", "--config-file"}},
		"too big":     {"big.hcl", told{"big.hcl", "larger than", "--config-file"}},
	} {
		t.Run(name, func(t *testing.T) {
			want := told{c.where, c.wrong, c.todo}
			refused(t, h.CLI("config", "validate", c.file), 1, want)
			refused(t, h.CLI("serve", "--config-file", c.file), 1, want)
			refused(t, h.Run(harness.Command{Arguments: []string{"serve"}, Environ: h.Environ("APM_CONFIG_FILE=" + c.file)}), 1, want)
		})
	}
	t.Run("none", func(t *testing.T) {
		if err := os.Rename(h.Path("config.hcl"), h.Path("config.away")); err != nil {
			t.Fatal(err)
		}
		refused(t, h.CLI("serve"), 1, told{"config.hcl", "there is no config.hcl; looked at config.hcl, " + h.Home + "/.config/apm/config.hcl, /etc/apm/config.hcl", "--config-file"})
	})
	t.Run("HOME not set", func(t *testing.T) {
		h.Write("config.hcl", "server {\n}\n")
		refused(t, h.Run(harness.Command{Arguments: []string{"serve"}, Environ: []string{"PATH=" + os.Getenv("PATH")}}), 1,
			told{"config.hcl:1:1", "data_dir is ~/.local/share/apm, but HOME is not set", `set HOME, or write host { data_dir = "/var/lib/apm" }`})
	})
}
