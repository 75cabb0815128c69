package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/host/internal/cli"
	"github.com/apm-deploy/apm/sdk/plugintest"
)

func TestPluginTestHelp(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, nil, "plugin", "test", "--help")
	if code != cli.ExitDone || stderr != "" {
		t.Errorf("exit %d, %s", code, stderr)
	}
	golden(t, "plugin-test-help", stdout)
}

func TestPluginTestLists(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, nil, "plugin", "test", "--list")
	if code != cli.ExitDone || stderr != "" || stdout != strings.Join(plugintest.Cases(), "\n")+"\n" {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	code, stdout, _ = run(t, nil, "plugin", "test", "--list", "--run", "^staged: steps$", "-o", "jsonl")
	if code != cli.ExitDone || stdout != "\"staged: steps\"\n" {
		t.Errorf("exit %d, %s", code, stdout)
	}
}

// Nothing was tested: exit code 2, and what to do.
func TestPluginTestRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, []byte(content), mode))
		return path
	}
	plain := write("plain", "", 0o600)
	bad := write("bad.hcl", "config {}\nspek \"v1\" {}\n", 0o600)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no binary":       {nil, "the argument BINARY is missing"},
		"two binaries":    {[]string{plain, plain}, "unexpected argument"},
		"not there":       {[]string{filepath.Join(dir, "none")}, "there is no binary"},
		"not executable":  {[]string{plain}, "is not executable: chmod +x"},
		"bad file":        {[]string{"/bin/sh", "--config", bad}, bad + `:2:1: unknown block "spek" in the file; did you mean "spec"?`},
		"no case":         {[]string{plain, "--run", "nothing of the kind"}, "matches no case"},
		"unknown flag":    {[]string{plain, "--juint", "x"}, "unknown flag: --juint; did you mean --junit?"},
		"two for stdout":  {[]string{plain, "--json", "-", "-o", "json"}, "name a file, or leave one out"},
		"no time":         {[]string{plain, "--timeout", "soon"}, `--timeout "soon"`},
		"nothing to list": {[]string{"--list", "--run", "("}, "is no regular expression"},
	} {
		code, stdout, stderr := run(t, nil, append([]string{"plugin", "test"}, test.args...)...)
		if code != cli.ExitUsage || stdout != "" || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q; want %q", name, code, stdout, stderr, test.want)
		}
	}
}
