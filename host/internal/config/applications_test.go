package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/config"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

const fine = `application "fine" {
  component "x" {
    spec { command = ["x"] }
  }
  environment "prod" {
    component "y" {
      spec { command = ["y"] }
    }
  }
}
`

func TestList(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"applications/fine.hcl":    fine,
		"applications/broken.hcl":  "application \"half\" {\n  component \"c\" {}\n  x = \n}\n",
		"applications/empty.hcl":   "",
		"applications/garbage.hcl": "%%%",
		"applications/twin1.hcl":   "application \"twin\" {\n  component \"c\" {}\n}\n",
		"applications/twin2.hcl":   "\napplication \"twin\" {\n  component \"c\" {}\n}\n",
		"applications/typo.hcl":    "application \"typo\" {\n  polcy {}\n}\n",
		"applications/readme.txt":  "no application",
		"applications/dir.hcl/x":   "",
	})
	a := applications(t, dir)
	got := a.List(t.Context())
	for i := range got {
		got[i].File = strings.TrimPrefix(got[i].File, dir+"/")
		got[i].Problem = strings.ReplaceAll(got[i].Problem, dir+"/", "")
	}
	none, c := []string{}, []string{"c"}
	want := []config.Application{
		{Name: "dir", File: "applications/dir.hcl", Environments: none, Components: none, Problem: "applications/dir.hcl: cannot be read: not a regular file; make it readable, or take it out of the directory"},
		{Name: "fine", File: "applications/fine.hcl", Environments: []string{"prod"}, Components: []string{"x", "y"}},
		{Name: "garbage", File: "applications/garbage.hcl", Environments: none, Components: none, Problem: "applications/garbage.hcl:1:1: argument or block definition required; an argument or block definition is required here"},
		{Name: "half", File: "applications/broken.hcl", Environments: none, Components: c, Problem: "applications/broken.hcl:3:7: invalid expression; expected the start of an expression, but found an invalid expression token"},
		{Name: "twin", File: "applications/twin1.hcl", Environments: none, Components: c, Problem: "defined twice: applications/twin1.hcl:1 and applications/twin2.hcl:2"},
		{Name: "twin", File: "applications/twin2.hcl", Environments: none, Components: c, Problem: "defined twice: applications/twin1.hcl:1 and applications/twin2.hcl:2"},
		{Name: "typo", File: "applications/typo.hcl", Environments: none, Components: none, Problem: `applications/typo.hcl:2:3: unknown block "polcy"; did you mean "policy"?`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}

	// Broken files of others stop nobody.
	define(t, a, deployment.Request{Name: "fine", Version: "v1"}, nil)
	// But a broken file is not passed by for the last definition, or the request.
	last := deployment.Definition{Source: deployment.Source{Request: deployment.Request{Name: "half", Platform: "process", Configuration: raw(`{"command":["x"]}`)}}}
	for name, want := range map[string]string{
		"half":    "applications/broken.hcl is not valid",
		"garbage": "applications/garbage.hcl is not valid",
		"twin":    `application "twin" is defined twice: applications/twin1.hcl:1 and applications/twin2.hcl:2; applications/twin1.hcl:1:1: application "twin" is defined here; rename one of them; applications/twin2.hcl:2:1:`,
		"typo":    `application "typo" is not valid; applications/typo.hcl:2:3:`,
	} {
		_, _, err := a.Define(t.Context(), deployment.Request{Name: name, Version: "v1"}, &last)
		if err == nil || deployment.CodeOf(err) != deployment.Invalid || !strings.HasPrefix(strings.ReplaceAll(err.Error(), dir+"/", ""), want) {
			t.Errorf("%s: got %v\nwant %s", name, err, want)
		}
	}
}

// A file is read at each call, and several globs that match it count once.
func TestFilesAreReadAfresh(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"config.hcl":            strings.Replace(minimal, "deployment {", "deployment {\n  applications = [\"applications/*.hcl\", \"applications/f*.hcl\"]", 1),
		"applications/fine.hcl": fine,
	})
	a := applications(t, dir)
	define(t, a, deployment.Request{Name: "fine", Version: "v1"}, nil)
	put(t, dir, "applications/fine.hcl", strings.Replace(fine, `["x"]`, `["new"]`, 1))
	if def := define(t, a, deployment.Request{Name: "fine", Version: "v1"}, nil); !strings.Contains(string(def.Components[0].Spec), `"command":["new"]`) {
		t.Errorf("got %s", def.Components[0].Spec)
	}
	if err := os.Remove(filepath.Join(dir, "applications/fine.hcl")); err != nil {
		t.Fatal(err)
	}
	if list := a.List(t.Context()); len(list) != 0 {
		t.Errorf("got %v", list)
	}
}

// A directory whose name looks like a pattern is no pattern.
func TestDirectoryOfOddName(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a[b]*")
	put(t, dir, "config.hcl", minimal)
	put(t, dir, "applications/fine.hcl", fine)
	if list := applications(t, dir).List(t.Context()); len(list) != 1 {
		t.Errorf("got %v", list)
	}
}
