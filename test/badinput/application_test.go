package badinput_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
)

// applications deploys from application files that are wrong. The command line
// and REST say the same; files beside the wrong one are none the worse for it.
func applications(t *testing.T, w *world) {
	const file = "applications/bad.hcl"
	app := func(lines string) string { return "application \"bad\" {\n" + lines + "\n}\n" }
	// component's first line is 3, spec's 4, check's 4.
	component := func(lines string) string { return app("  component \"web\" {\n" + lines + "\n  }") }
	spec := func(lines string) string { return component("    spec {\n" + lines + "\n    }") }
	check := func(lines string) string {
		return component("    check \"http\" \"c\" {\n" + lines + "\n    }\n    spec { command = [\"/bin/true\"] }")
	}
	depend := func(pairs ...string) string {
		var b strings.Builder
		for _, pair := range pairs {
			name, on, _ := strings.Cut(pair, ":")
			b.WriteString("  component \"" + name + "\" {\n    depends_on = [" + on + "]\n    spec { command = [\"/bin/true\"] }\n  }\n")
		}
		return app(b.String())
	}
	promote := func(steps string) string {
		return component("    promote {\n      steps = " + steps + "\n    }\n    spec { command = [\"/bin/true\"] }")
	}
	policy := func(line string) string {
		return app("  policy {\n    " + line + "\n  }\n  component \"web\" {\n    spec { command = [\"/bin/true\"] }\n  }")
	}
	for name, c := range map[string]struct {
		text string
		told
	}{
		"syntax":                     {app("  component \"web\" {\n    platform =\n  }"), told{file + ":3:15", "invalid expression", "expected the start of an expression"}},
		"unclosed":                   {"application \"bad\" {\n", told{file + ":1:19", "unclosed configuration block", "closing brace"}},
		"binary":                     {app("\x00\x1b[31m"), told{file + ":2:1", "invalid", "this character is not used within the language"}},
		"not UTF-8":                  {app("  default_environment = \"\xff\""), told{file + ":2", "encoding", "UTF-8"}},
		"unknown key":                {component("    platfrm = \"process\""), told{file + ":3:5", `unknown attribute "platfrm"`, `did you mean "platform"?`}},
		"unknown block":              {app("  compnent \"web\" { }"), told{file + ":2:3", `unknown block "compnent"`, `did you mean "component"?`}},
		"block of a later version":   {app("  freeze { }"), told{file + ":2:3", `"freeze" is not in this version`, "remove it"}},
		"no component":               {app(""), told{file + ":1:1", "component", `component "`}},
		"component without name":     {app("  component { }"), told{file + ":2:3", `block "component" needs one name`, `write component "name"`}},
		"component twice":            {depend("web:", "web:"), told{file + ":6:3", `component "web" stands twice, first at ` + file + ":2", "keep one of them"}},
		"component that is a path":   {depend("../web:"), told{file + ":2:13", `component must not hold "/"`, "visible characters"}},
		"environment twice":          {app("  environment \"x\" { }\n  environment \"x\" { }\n  component \"web\" { }"), told{file + ":3:3", `environment "x" stands twice`, "keep one of them"}},
		"cycle":                      {depend(`web:"api"`, `api:"db"`, `db:"web"`), told{file + ":3:", "components depend on each other in a circle: web → ", "remove one of these dependencies"}},
		"cycle of two":               {depend(`web:"api"`, `api:"web"`), told{file + ":3:", "components depend on each other in a circle: web → ", "remove one of these dependencies"}},
		"depends on itself":          {depend(`web:"web"`), told{file + ":3:19", `component "web" depends on itself`, "remove it"}},
		"dependency missing":         {depend(`web:"ap"`, "api:"), told{file + ":3:19", `component "web" depends on "ap", which is no component of "bad"`, `did you mean "api"?`}},
		"dependency twice":           {depend(`web:"api", "api"`, "api:"), told{file + ":3:26", `component "api" stands twice`, "remove it"}},
		"unknown platform":           {component("    platform = \"procss\"\n    spec { }"), told{file + ":3:16", `there is no platform "procss"`, `did you mean "process"?`}},
		"unknown platform, far":      {component("    platform = \"kubernetes\"\n    spec { }"), told{file + ":3:16", `there is no platform "kubernetes"`, "known platforms: process"}},
		"spec missing":               {component(""), told{file + ":2:3", `missing "command"`, "program and arguments"}},
		"spec twice":                 {component("    spec { command = [\"x\"] }\n    spec { }"), told{file + ":4:5", "spec stands twice", "keep one of them"}},
		"spec, unknown key":          {spec("      comand = [\"x\"]"), told{file + ":4:7", `unknown attribute "comand"`, `did you mean "command"?`}},
		"spec, wrong type":           {spec("      command = \"./server\""), told{file + ":4:17", `wrong type for "command"`, "write a list of texts"}},
		"spec, empty command":        {spec("      command = []"), told{file + ":4:17", "command is empty", `such as ["./server"]`}},
		"spec, too many replicas":    {spec("      command = [\"/bin/true\"]\n      replicas = 101"), told{file + ":5:18", "replicas must be between 0 and 100, not 101", "between"}},
		"spec, number beyond all":    {spec("      command = [\"/bin/true\"]\n      replicas = 1e999999999"), told{file + ":5:18", "out of all range", "write a smaller one"}},
		"spec, duration":             {spec("      command = [\"/bin/true\"]\n      drain = \"5\""), told{file + ":5:15", `"5" is no duration`, `write it such as "10s"`}},
		"spec, duration too long":    {spec("      command = [\"/bin/true\"]\n      drain = \"2h\""), told{file + ":5:15", "drain must be between 0s and 1h, not 2h", "between"}},
		"spec, variable of env":      {spec("      command = [\"/bin/true\"]\n      env = { \"A=B\" = \"x\" }"), told{file + ":5:", `environment variable "A=B" has an impossible name`, "write a name without ="}},
		"spec, NUL in env":           {spec("      command = [\"/bin/true\"]\n      env = { A = \"x\\u0000\" }"), told{file + ":5:", "or a NUL byte in it", "write a name without = and a text"}},
		"spec, directory away":       {spec("      command  = [\"./server\"]\n      artifact = \"../artifacts/v1\"\n      directory = \"../../etc\""), told{file + ":6:19", `directory "../../etc" leads out of the artifact`, "name one within it"}},
		"spec, directory not there":  {spec("      command = [\"/bin/true\"]\n      directory = \"/nowhere\""), told{file + ":5:19", `there is no directory "/nowhere"`, "make it, or correct directory"}},
		"spec, command not there":    {spec("      command = [\"/bin/no-such-program\"]"), told{file + ":4:17", `command "/bin/no-such-program" was not found`, "correct command, or the file"}},
		"spec, command not in PATH":  {spec("      command = [\"no-such-program\"]"), told{file + ":4:17", `command "no-such-program" was not found in PATH`, "install it, or write the whole path"}},
		"spec, command no program":   {spec("      command = [\"" + w.Path("config.hcl") + "\"]"), told{file + ":4:17", "is not executable", "chmod +x"}},
		"spec, command relative":     {spec("      command = [\"./server\"]"), told{file + ":4:17", `command "./server" is relative`, "give an artifact"}},
		"port without listen":        {spec("      command = [\"/bin/true\"]\n      port \"http\" { }"), told{file + ":5:7", `missing "listen"`, "such as 127.0.0.1:8088"}},
		"port by name":               {spec("      command = [\"/bin/true\"]\n      port \"http\" { listen = \"example.com:80\" }"), told{file + ":5:30", `listen "example.com:80" names a host`, "give an IP address of this machine"}},
		"port beyond 65535":          {spec("      command = [\"/bin/true\"]\n      port \"http\" { listen = \"127.0.0.1:70000\" }"), told{file + ":5:30", `listen "127.0.0.1:70000" is not an address`, "write host:port"}},
		"port of two":                {spec("      command = [\"/bin/true\"]\n      port \"a\" { listen = \"127.0.0.1:1\" }\n      port \"b\" { listen = \"127.0.0.1:1\" }"), told{file + ":6:27", "is also the address of port", "each needs its own"}},
		"port of another protocol":   {spec("      command = [\"/bin/true\"]\n      port \"a\" {\n        listen = \"127.0.0.1:1\"\n        protocol = \"udp\"\n      }"), told{file + ":7:20", `protocol "udp" is unknown`, "use http or tcp"}},
		"percent out of order":       {promote("[50, 10, 100]"), told{file + ":4:", "step 10 follows step 50", "write them rising"}},
		"percent that never ends":    {promote("[10, 50]"), told{file + ":4:", "steps", "100"}},
		"percent beyond 100":         {promote("[50, 101]"), told{file + ":4:", "steps", "100"}},
		"percent of nothing":         {promote("[0, 100]"), told{file + ":4:", "steps", "from 1 to 100"}},
		"percent twice":              {promote("[50, 50, 100]"), told{file + ":4:", "step 50 follows step 50", "write them rising"}},
		"percent of a half":          {promote("[0.5, 100]"), told{file + ":4:", "steps", "from 1 to 100"}},
		"pause":                      {component("    promote {\n      pause = \"-1s\"\n    }\n    spec { command = [\"/bin/true\"] }"), told{file + ":4:15", `"pause" must not be negative`, "write a longer one"}},
		"check, unknown type":        {component("    check \"htp\" \"c\" { }\n    spec { command = [\"/bin/true\"] }"), told{file + ":3:11", `unknown check type "htp"`, `did you mean "http"?`}},
		"check of a later version":   {component("    check \"redis\" \"c\" { }\n    spec { command = [\"/bin/true\"] }"), told{file + ":3:11", `check type "redis" is not in this version`, "use http, tcp or grpc"}},
		"check, unknown key":         {check("      url = \"http://x\"\n      intervall = \"1s\""), told{file + ":5:7", `unknown attribute "intervall"`, `did you mean "interval"?`}},
		"check without url":          {check("      passes = 2"), told{file + ":3:5", `missing "url"`, "add url = …"}},
		"check, url":                 {check("      url = \"ftp://x\""), told{file + ":4:13", `"ftp://x"`, "http"}},
		"check, interval":            {check("      url = \"http://x\"\n      interval = \"soon\""), told{file + ":5:18", `"interval" is no duration: "soon"`, "a number and a unit"}},
		"check, timeout":             {check("      url = \"http://x\"\n      timeout = \"0s\""), told{file + ":5:17", `"timeout" must be at least 1ms`, `write "1ms" or longer`}},
		"check, passes":              {check("      url = \"http://x\"\n      passes = 0"), told{file + ":5:16", `"passes" is out of range`, "from 1 to"}},
		"check, status":              {check("      url = \"http://x\"\n      status = [99]"), told{file + ":5:17", `"status"`, "from 100 to 599"}},
		"check, pattern":             {check("      url = \"http://x\"\n      body = \"(\""), told{file + ":5:14", `"body" is no regular expression`, "write a regular expression (RE2)"}},
		"check, header":              {check("      url = \"http://x\"\n      headers = { A = \"x\\r\\ny\" }"), told{file + ":5:", `the header "A" holds a control character`, "write it in one line"}},
		"check, unknown placeholder": {check("      url = \"http://$${addrss}/\""), told{file + ":4:13", "addrss", "address"}},
		"check, unknown variable":    {check("      url = \"http://${addrss}/\""), told{file + ":4:", `unknown variable "addrss"`, `did you mean "address"?`}},
		"check twice":                {component("    check \"tcp\" \"c\" { address = \"x:1\" }\n    check \"tcp\" \"c\" { address = \"x:1\" }\n    spec { command = [\"/bin/true\"] }"), told{file + ":4:17", `check "c" stands twice`, "choose another name"}},
		"check, tcp address":         {component("    check \"tcp\" \"c\" { address = \"localhost\" }\n    spec { command = [\"/bin/true\"] }"), told{file + ":3:33", `"localhost"`, "host:port"}},
		"policy, unknown key":        {policy(`bakee = "1s"`), told{file + ":3:5", `unknown attribute "bakee"`, `did you mean "bake"?`}},
		"policy, on_failure":         {policy(`on_failure = "rolback"`), told{file + ":3:18", `"on_failure" cannot be "rolback"`, `did you mean "rollback"?`}},
		"policy, concurrent":         {policy(`concurrent = "wait"`), told{file + ":3:18", `"concurrent" cannot be "wait"`, "known here: queue, refuse, supersede"}},
		"policy, bake":               {policy(`bake = "-1s"`), told{file + ":3:12", `"bake" must not be negative`, "write a longer one"}},
		"policy, timeouts":           {policy("timeouts {\n      deploying = \"0s\"\n    }"), told{file + ":4:19", `"deploying" must be at least 1ms`, "or longer"}},
		"unknown variable":           {spec("      command = [\"/bin/${versio}\"]"), told{file + ":4:", `unknown variable "versio"`, `did you mean "version"?`}},
		"unknown function":           {spec("      command = [upper(version)]"), told{file + ":4:18", `unknown function "upper"`, "known here: env, file"}},
		"variable not set":           {spec("      command = [env(\"APM_NOT_SET\")]"), told{file + ":4:18", `no variable "APM_NOT_SET"`, "set it, and start the host again"}},
		"file not there":             {spec("      command = [file(\"secret.txt\")]"), told{file + ":4:18", `read "secret.txt": no such file`, "relative paths begin where this file lies"}},
		"a device":                   {spec("      command = [file(\"/dev/zero\")]"), told{file + ":4:18", `read "/dev/zero": not a regular file`, "name a file that can be read"}},
		"address in a spec":          {spec("      command = [\"${address}\"]"), told{file + ":4:", `"address" is known in checks only`, "$PORT"}},
		"control characters":         {component("    platform = \"\\u001b[2J\"\n    spec { }"), told{file + ":3:16", `there is no platform "\x1b[2J"`, "known platforms: process"}},
	} {
		t.Run(name, func(t *testing.T) {
			w.Write(file, c.text)
			defer gone(t, w.Path(file))
			changed := w.nothing(t)
			refused(t, w.CLI("deploy", "start", "--name", "bad", "--version", "v1"), 1, c.told)
			problem(t, w.Host, w.REST(http.MethodPost, "/api/v1/deployments", `{"name":"bad","version":"v1"}`), 422, c.told)
			if r := w.CLI("deploy", "start", "--name", "shop", "--version", "v2", "--dry-run"); r.Code != 0 {
				t.Errorf("the application beside it: %s", r)
			}
			changed()
		})
	}
}

// places puts into the directory of applications what is no file to read: it is
// told, it hangs nothing, and the others are deployed as before.
func places(t *testing.T, w *world) {
	dir := w.Path("applications")
	at := func(name string) string { return filepath.Join(dir, name+".hcl") }
	for name, c := range map[string]struct {
		make func() error
		told // "" where the file is not looked at
	}{
		"directory": {func() error { return os.Mkdir(at("directory"), 0o755) }, told{"applications/directory.hcl", "not a regular file", "make it readable, or take it out"}},
		"pipe":      {func() error { return syscall.Mkfifo(at("pipe"), 0o600) }, told{"applications/pipe.hcl", "not a regular file", "make it readable, or take it out"}},
		"dangling":  {func() error { return os.Symlink("nothing", at("dangling")) }, told{"applications/dangling.hcl", "no such file", "make it readable, or take it out"}},
		"loop":      {func() error { return os.Symlink("loop.hcl", at("loop")) }, told{"applications/loop.hcl", "too many levels of symbolic links", "make it readable, or take it out"}},
		"device":    {func() error { return os.Symlink("/dev/zero", at("device")) }, told{"applications/device.hcl", "not a regular file", "make it readable, or take it out"}},
		"huge": {func() error {
			if err := os.WriteFile(at("huge"), nil, 0o644); err != nil {
				return err
			}
			return os.Truncate(at("huge"), 1<<30)
		}, told{"applications/huge.hcl", "larger than 4 MiB", "make it readable, or take it out"}},
		"twice": {func() error {
			return os.WriteFile(at("twice"), []byte("\n\napplication \"shop\" {\n}\n"), 0o644)
		}, told{}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.make(); err != nil {
				t.Fatal(err)
			}
			defer gone(t, at(name))
			changed := w.nothing(t)
			shop := w.CLI("deploy", "start", "--name", "shop", "--version", "v2", "--dry-run")
			if name == "twice" {
				refused(t, shop, 1, told{"applications/twice.hcl:3:1", `application "shop" is defined twice: applications/shop.hcl:1 and applications/twice.hcl:3`, "rename one of them"})
			} else {
				if shop.Code != 0 {
					t.Errorf("the application beside it: %s", shop)
				}
				refused(t, w.CLI("deploy", "start", "--name", name, "--version", "v1"), 1, c.told)
			}
			var list apiv1.ApplicationList
			w.REST(http.MethodGet, "/api/v1/applications", "").Decode(w.Host, &list)
			printable(t, fmt.Sprintf("%+v", list))
			changed()
		})
	}
}
