package conform_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/conform"
	"github.com/apm-deploy/apm/sdk/plugintest"
	"github.com/apm-deploy/apm/sdk/schema"
)

type platformBlock struct {
	Root   string `apm:"root,required,path" doc:"Where everything is kept. Nothing else may be there."`
	Keep   int    `apm:"keep" default:"5"`
	Scrap  string `apm:"scrap,path" default:"\"scrap\""`
	Remote *struct {
		URL string `apm:"url,required"`
	} `apm:"remote,block"`
}

type specBlock struct {
	Source string            `apm:"source,required,path"`
	Extra  []string          `apm:"extra,path"`
	Env    map[string]string `apm:"env,sensitive"`
	Size   int               `apm:"size"`
	Ports  map[string]struct {
		Name   string `apm:"name,label"`
		Listen string `apm:"listen,required"`
	} `apm:"port,block"`
	Hooks []struct {
		Command []string `apm:"command,required"`
	} `apm:"hook,block"`
}

var description = sdk.Description{
	Name: "files", Version: "1.0.0", Config: schema.MustOf(platformBlock{}), Spec: schema.MustOf(specBlock{}),
}

// write writes a conform.hcl into a directory of its own, and goes there: messages
// name the file as it was named.
func write(t *testing.T, content string) (dir string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "conform.hcl"), []byte(content), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// load reads a file whose content is given.
func load(t *testing.T, content string) (dir string, file *conform.File, c plugintest.Config, err error) {
	t.Helper()
	dir = write(t, content)
	if file, err = conform.Read(filepath.Join(dir, "conform.hcl")); err != nil {
		return dir, nil, c, err
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err = file.Config(description)
	return dir, file, c, err
}

const good = `
secrets     = ["canary"]
timeout     = "90s"
environment = { B = "2", A = "1" }

config {
  root = "state"
  remote { url = env("HOME") }
}

spec "v1" {
  source = "one"
  extra  = ["a", "/b", "~/c"]
  env    = { TOKEN = "canary" }
  size   = "3"
  port "http" { listen = "${dir}:1" }
  port "admin" { listen = "x" }
  hook { command = ["a"] }
  hook { command = ["b", "c"] }
}

spec "v2" { source = "two" }
spec "slow" { source = "slow" }
spec "chatty" { source = "chatty" }
spec "failing" { source = "failing" }

spec "bad" {
  size    = "many"
  unknown = [1, { a = null }]
  port "http" {}
  nothing { like = "it" }
}

change_files {
  command = ["touch", "x"]
  undo    = ["rm", "x"]
}
change_live { command = ["./change", "y"] }
prune { command = ["./prune"] }
serves { command = ["cat"] }
`

func TestGoodFile(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	dir, file, c, err := load(t, good)
	if err != nil {
		t.Fatal(err)
	}
	for what, check := range map[string]struct{ want, got string }{
		"config": {`{"remote":{"url":"` + home + `"},"root":"` + dir + `/state","scrap":"` + dir + `/scrap"}`, string(c.Platform)},
		"v1": {`{"env":{"TOKEN":"canary"},"extra":["` + dir + `/a","/b","` + home + `/c"],"hook":[{"command":["a"]},{"command":["b","c"]}],` +
			`"port":{"admin":{"listen":"x"},"http":{"listen":"` + dir + `:1"}},"size":3,"source":"` + dir + `/one"}`, string(c.SpecV1)},
		"v2":      {`{"source":"` + dir + `/two"}`, string(c.SpecV2)},
		"slow":    {`{"source":"` + dir + `/slow"}`, string(c.SpecSlow)},
		"chatty":  {`{"source":"` + dir + `/chatty"}`, string(c.SpecChatty)},
		"failing": {`{"source":"` + dir + `/failing"}`, string(c.SpecFailing)},
		// What the plugin is there to refuse is handed to it as it was written.
		"bad": {`{"nothing":{"like":"it"},"port":{"http":{}},"size":"many","unknown":[1,{"a":null}]}`, string(c.SpecBad)},
	} {
		if diff := cmp.Diff(check.want, check.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	if diff := cmp.Diff([]string{"A=1", "B=2"}, c.Env); diff != "" || c.Timeout != 90*time.Second || len(c.Secrets) != 1 {
		t.Errorf("environment %v, timeout %v, secrets %v", c.Env, c.Timeout, c.Secrets)
	}
	if c.ChangeFiles == nil || c.ChangeLive == nil || c.Serves == nil || c.Prune == nil {
		t.Error("a hook is missing")
	}
	if _, ds := description.Spec.Complete(c.SpecV1); ds.HasErrors() {
		t.Errorf("spec v1 does not fit the schema that it was read by: %v", ds)
	}
	if err := file.Prepare(t.Context()); err != nil {
		t.Errorf("nothing to prepare: %v", err)
	}
}

// A secret is found wherever it may stand, whatever JSON makes of it.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const secret, config = `a\"<b\"`, "config { root = \"r\" }\n"
	for where, content := range map[string]string{
		"environment": `environment = { TOKEN = "` + secret + `" }` + "\n" + config + two,
		"spec":        config + `spec "v1" { source = "` + secret + `" }` + "\n" + `spec "v2" { source = "two" }`,
	} {
		if _, _, _, err := load(t, content+"\n"+`secrets = ["`+secret+`"]`); err != nil {
			t.Errorf("in %s: %v", where, err)
		}
	}
}

// One port for one name, others for others, and a directory that is there and goes.
func TestVariablesAndFunctions(t *testing.T) {
	t.Parallel()
	_, file, c, err := load(t, `
config { root = tmp }
spec "v1" { source = "p${free_port("a")}" }
spec "v2" { source = "p${free_port("a")}-${free_port("b")}" }
environment = ["TMP=${tmp}"]`)
	if err != nil {
		t.Fatal(err)
	}
	one := strings.Trim(filepath.Base(string(c.SpecV1)), `"}`)
	two := strings.Trim(filepath.Base(string(c.SpecV2)), `"}`)
	if !strings.HasPrefix(two, one+"-") || strings.HasSuffix(two, strings.TrimPrefix(one, "p")) || one == "p0" {
		t.Errorf("ports: %s and %s", one, two)
	}
	tmp := strings.TrimPrefix(file.Environment[0], "TMP=")
	if err := os.MkdirAll(filepath.Join(tmp, "kept", "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(tmp, "kept"), 0o500); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(tmp); !os.IsNotExist(err) {
		t.Errorf("${tmp} after Close: %v", err)
	}
}

const two = "spec \"v1\" { source = \"1\" }\nspec \"v2\" { source = \"2\" }\n"

func TestBadFiles(t *testing.T) {
	t.Parallel()
	const config = "config { root = \"r\" }\n"
	for name, test := range map[string]struct{ content, want string }{
		"no HCL":                   {"config {\n  root = \n}", "conform.hcl:2:10: invalid expression; expected the start of an expression"},
		"not closed":               {"config {", "conform.hcl:1:8: unclosed configuration block"},
		"unknown attribute":        {"timeuot = \"1s\"", `conform.hcl:1:1: unknown attribute "timeuot" in the file; did you mean "timeout"?`},
		"unknown block":            {"spek \"v1\" {}", `conform.hcl:1:1: unknown block "spek" in the file; did you mean "spec"?`},
		"block as attribute":       {"config = {}", `conform.hcl:1:1: "config" is a block, it has no =; write config { … }`},
		"attribute as block":       {"timeout {}", `conform.hcl:1:1: "timeout" is an attribute, not a block; write timeout = …`},
		"unknown spec":             {"spec \"v3\" {}", `conform.hcl:1:6: unknown spec "v3"; did you mean "v1"?`},
		"spec without name":        {"spec {}", `conform.hcl:1:1: block "spec" needs one name; write spec "v1" { … }`},
		"config with name":         {"config \"x\" {}", `conform.hcl:1:8: block "config" has no name; write config { … }`},
		"twice":                    {config + "config {}", `conform.hcl:2:1: config stands twice; keep one of them`},
		"spec twice":               {config + two + "spec \"v2\" {}", `conform.hcl:4:1: spec "v2" stands twice; keep one of them`},
		"v1 alone":                 {config + "spec \"v1\" { source = \"1\" }", `conform.hcl:2:1: spec "v1" stands here without spec "v2"; add spec "v2" { … }`},
		"chatty alone":             {config + "spec \"chatty\" { source = \"1\" }", `conform.hcl:2:1: spec "chatty" stands here without spec "v1"; add spec "v1" { … }`},
		"v1 is v2":                 {config + "spec \"v1\" { source = \"1\" }\nspec \"v2\" { source = \"1\" }", `conform.hcl:3:1: spec "v1" and spec "v2" are the same; have them run something different`},
		"no duration":              {"timeout = \"soon\"", `conform.hcl:1:11: "soon" is no duration above zero; write a duration, as in "60s"`},
		"timeout of zero":          {"timeout = \"0s\"", `conform.hcl:1:11: "0s" is no duration above zero`},
		"timeout of another type":  {"timeout = [1]", `conform.hcl:1:11: wrong type for "timeout": string required`},
		"secrets of another type":  {"secrets = [\n  \"a\",\n  {},\n]", `conform.hcl:3:3: wrong type for "secrets": string required`},
		"a null secret":            {"secrets = [null]", `conform.hcl:1:11: wrong type for "secrets": null is no value`},
		"an empty secret":          {config + two + "secrets = [\"\"]", `conform.hcl:4:11: an empty text is no secret; leave it out`},
		"secrets without a spec":   {config + "secrets = [\"a\"]", `conform.hcl:2:11: secrets without something to deploy; add spec "v1" and spec "v2", or leave secrets out`},
		"a secret that is nowhere": {config + two + "secrets = [\"r\", \"canary\"]", `conform.hcl:4:11: secret 2 of the list stands neither in config nor in spec "v1" or "v2", nor in environment; write it there`},
		"environment without =":    {"environment = [\"A\"]", `conform.hcl:1:15: item 1 of environment is no variable; write { NAME = "value" } or ["NAME=value"]`},
		"environment, other type":  {"environment = true", `conform.hcl:1:15: wrong type for "environment"`},
		"environment of contract":  {"environment = { PLUGIN_CLIENT_CERT = \"\" }", `conform.hcl:1:15: PLUGIN_CLIENT_CERT is a variable of the contract, which the suite sets; leave it out`},
		"null environment":         {"environment = null", `conform.hcl:1:15: "environment" is null`},

		"unknown variable":   {"timeout = \"${dri}\"", `conform.hcl:1:14: unknown variable "dri"; did you mean "dir"? (a variable of a shell is written $${dri})`},
		"unknown function":   {"timeout = file(\"x\")", `conform.hcl:1:11: unknown function "file"; known here: env, free_port`},
		"variable not set":   {"timeout = env(\"NO_SUCH_VARIABLE\")", `conform.hcl:1:11: the environment variable NO_SUCH_VARIABLE is not set: set it, or write the value itself`},
		"too many arguments": {"timeout = env(\"A\", \"B\")", `conform.hcl:1:21: too many function arguments`},
		"a huge number":      {config + "spec \"v1\" {\n  source = \"1\"\n  size = 1e999999\n}\nspec \"v2\" { source = \"2\" }", `conform.hcl:4:10: a number out of all range; write a smaller one`},

		"command missing":         {"change_live {}", `conform.hcl:1:1: missing "command" in change_live; add command = ["program", "argument"]`},
		"command empty":           {"change_files { command = [] }", `conform.hcl:1:26: "command" in change_files is empty; write a program and its arguments`},
		"command of a text":       {"change_files { command = \"touch x\" }", `conform.hcl:1:26: wrong type for "command": list of string required, but have string; write a list of texts, as in ["a", "b"]`},
		"undo where there's none": {"change_live {\n  command = [\"a\"]\n  undo = [\"b\"]\n}", `conform.hcl:3:3: unknown attribute "undo" in change_live`},
		"undo empty":              {"prepare {\n  command = [\"a\"]\n  undo = [\"\"]\n}", `conform.hcl:3:10: "undo" in prepare is empty`},
		"two ways to ask":         {"serves {\n  command = [\"a\"]\n  port = \"http\"\n}", `conform.hcl:3:3: "port" and "command" in serves exclude each other; keep the command, or port and path`},
		"no path":                 {"serves { path = \"version\" }", `conform.hcl:1:17: "version" is no path; write it as in "/version"`},
		"no port":                 {"serves { port = \"\" }", `conform.hcl:1:17: "port" in serves is empty`},
		"block in a hook":         {"serves {\n  headers {}\n}", `conform.hcl:2:3: unknown block "headers" in serves; known here: command, path, port`},

		"config missing":           {two, `conform.hcl:1:1: missing "root" in config; add root = …: where everything is kept`},
		"required missing":         {config + "spec \"v1\" {}\nspec \"v2\" { source = \"2\" }", `conform.hcl:2:1: missing "source" in spec "v1"; add source = …`},
		"required null":            {config + "spec \"v1\" { source = null }\nspec \"v2\" { source = \"2\" }", `conform.hcl:2:22: "source" in spec "v1" must not be null`},
		"not in the schema":        {config + "spec \"v1\" {\n  sourec = \"1\"\n}\nspec \"v2\" { source = \"2\" }", `conform.hcl:3:3: unknown attribute "sourec" in spec "v1"; did you mean "source"?`},
		"block not in the schema":  {config + two + "spec \"slow\" {\n  source = \"3\"\n  prot \"x\" {}\n}", `conform.hcl:6:3: unknown block "prot" in spec "slow"; did you mean "port"?`},
		"wrong type":               {"config {\n  root = \"r\"\n  keep = \"many\"\n}", `conform.hcl:3:10: wrong type for "keep" in config: a number is required; its type is number`},
		"wrong type within":        {config + "spec \"v1\" {\n  source = \"1\"\n  env = {\n    A = \"1\"\n    B = []\n  }\n}\nspec \"v2\" { source = \"2\" }", `conform.hcl:6:9: wrong type for "env" in spec "v1": string required, but have tuple; its type is map(string)`},
		"attribute for a block":    {config + "spec \"v1\" {\n  source = \"1\"\n  port = {}\n}\nspec \"v2\" { source = \"2\" }", `conform.hcl:4:3: "port" in spec "v1" is a block, it has no =; write port { … }`},
		"block for an attribute":   {config + "spec \"v1\" {\n  source {}\n}\nspec \"v2\" { source = \"2\" }", `conform.hcl:3:3: "source" in spec "v1" is an attribute, not a block; write source = …`},
		"label missing":            {config + "spec \"v1\" {\n  source = \"1\"\n  port {}\n}\nspec \"v2\" { source = \"2\" }", `conform.hcl:4:3: block "port" needs one name; write port "name" { … }`},
		"label too many":           {config + "spec \"v1\" {\n  source = \"1\"\n  hook \"x\" { command = [] }\n}\nspec \"v2\" { source = \"2\" }", `conform.hcl:4:8: block "hook" has no name; write hook { … }`},
		"label twice":              {config + "spec \"v1\" {\n  source = \"1\"\n  port \"x\" { listen = \"1\" }\n  port \"x\" { listen = \"2\" }\n}\nspec \"v2\" { source = \"2\" }", `conform.hcl:5:3: port "x" in spec "v1" stands twice; keep one of them`},
		"single block twice":       {"config {\n  root = \"r\"\n  remote { url = \"1\" }\n  remote { url = \"2\" }\n}", `conform.hcl:4:3: at most 1 of block "remote" can stand in config; remove it`},
		"missing in nested block":  {"config {\n  root = \"r\"\n  remote {}\n}", `conform.hcl:3:3: missing "url" in remote`},
		"unknown in nested block":  {"config {\n  root = \"r\"\n  remote {\n    url = \"1\"\n    user = \"2\"\n  }\n}", `conform.hcl:5:5: unknown attribute "user" in remote`},
		"error in a lenient block": {config + "spec \"bad\" {\n  x = nothing\n}", `conform.hcl:3:7: unknown variable "nothing"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, _, _, err := load(t, test.content)
			if err == nil {
				t.Fatalf("nothing is wrong with\n%s", test.content)
			}
			if !strings.Contains(err.Error(), dir+"/"+test.want) {
				t.Errorf("want %s\n got %s", test.want, strings.ReplaceAll(err.Error(), dir+"/", ""))
			}
		})
	}
}

// All that is wrong is said at once, in the order of the file, with the line.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	dir, _, _, err := load(t, "config {\n  keep = \"\x1bmany\"\n}\nspec \"v1\" {}\nspec \"v2\" { x = 1 }\n")
	if err == nil {
		t.Fatal("no error")
	}
	want := "conform.hcl:1:1: missing \"root\" in config; add root = …: where everything is kept\n    config {\n" +
		"conform.hcl:2:10: wrong type for \"keep\" in config: a number is required; its type is number\n    keep = \"many\"\n" +
		"conform.hcl:4:1: missing \"source\" in spec \"v1\"; add source = …\n    spec \"v1\" {}\n" +
		"conform.hcl:5:1: missing \"source\" in spec \"v2\"; add source = …\n    spec \"v2\" { x = 1 }\n" +
		"conform.hcl:5:13: unknown attribute \"x\" in spec \"v2\"; known here: env, extra, hook, port, size, source\n    spec \"v2\" { x = 1 }"
	if diff := cmp.Diff(want, strings.ReplaceAll(err.Error(), dir+"/", "")); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestManyProblemsAreCounted(t *testing.T) {
	t.Parallel()
	_, _, _, err := load(t, strings.Repeat("nothing {}\n", 30))
	if err == nil || strings.Count(err.Error(), "unknown block") != 20 || !strings.HasSuffix(err.Error(), "\n10 more problems") {
		t.Errorf("%v", err)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	big := filepath.Join(dir, "big.hcl")
	if err := os.WriteFile(big, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none.hcl"): "no such file or directory",
		dir:                            "not a regular file",
		big:                            "larger than 1 MiB",
	} {
		if _, err := conform.Read(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

// A file that is wrong leaves no ${tmp} behind.
func TestNothingIsLeftOfABadFile(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	if _, _, _, err := load(t, "nothing {}"); err == nil {
		t.Fatal("no error")
	}
	left, err := filepath.Glob(filepath.Join(tmp, "conform*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}
