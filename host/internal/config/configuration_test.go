package config_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/config"
	"github.com/apm-deploy/apm/sdk/schema"
)

func TestReadConfiguration(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"a.hcl": `command  = ["./x", file("word")]
artifact = "dist"
files    = ["a", "/b"]
port "http" { listen = "x:1" }
port "admin" { listen = "x:2" }
mount {
  from = "m"
  to   = "/m"
}
mount {
  from = "/n"
  to   = "/n"
}
limits { files = 3 }
`,
		"word":   "hello",
		"b.json": ` {"artifact": "~x", "replicas": 2, "mount": {"from": "m"}, "port": 5} `,
	})
	for name, want := range map[string]string{
		"a.hcl": `{"artifact":"` + dir + `/dist","command":["./x","hello"],"files":["` + dir + `/a","/b"],"limits":{"files":3},` +
			`"mount":[{"from":"` + dir + `/m","to":"/m"},{"from":"/n","to":"/n"}],"port":{"admin":{"listen":"x:2"},"http":{"listen":"x:1"}}}`,
		"b.json": `{"artifact":"` + dir + `/~x","mount":{"from":"` + dir + `/m"},"port":5,"replicas":2}`,
	} {
		raw, err := config.ReadConfiguration(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(config.AbsolutePaths(schema.MustOf(processSpec{}), dir, raw))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestReadConfigurationRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a = \n":                       "a.hcl:1:5: invalid expression; expected the start of an expression, but found an invalid expression token\n    a =",
		"a = version\n":                "a.hcl:1:5: there are no variables here, \"version\" is none; put a text in quotes: \"version\"\n    a = version",
		"p \"x\" {}\np \"x\" {}\n":     "a.hcl:2:1: p \"x\" stands twice\n    p \"x\" {}",
		"p \"x\" {}\np {}\n":           "a.hcl:2:1: blocks \"p\" have one name each, or none\n    p {}",
		"p = 1\np {}\n":                "a.hcl:2:1: \"p\" stands here as an attribute too\n    p {}",
		"a = 1e999999999\n":            "a.hcl:1:5: \"a\" holds a number out of all range; write a smaller one\n    a = 1e999999999",
		"a = [for x in [1] : missing]": "a.hcl:1:21: there are no variables here, \"missing\" is none; put a text in quotes: \"missing\"\n    a = [for x in [1] : missing]",
	} {
		dir := write(t, map[string]string{"a.hcl": text})
		_, err := config.ReadConfiguration(filepath.Join(dir, "a.hcl"))
		if diff := cmp.Diff(want, problems(t, dir, err)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	dir := write(t, map[string]string{"a.json": `[1]`})
	for name, want := range map[string]string{
		"a.json": "a.json: an object is needed, this is a list",
		"b.json": "b.json: no such file or directory",
	} {
		_, err := config.ReadConfiguration(filepath.Join(dir, name))
		if diff := cmp.Diff(want, problems(t, dir, err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
