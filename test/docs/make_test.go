package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

// run runs a target of the Makefile in a directory that has nothing but it and
// go.work, with another go before the one of this machine ("": none at all).
func run(t *testing.T, dir, version, target string) (output string, code int) {
	t.Helper()
	path := t.TempDir()
	for _, name := range []string{"sh", "make", "sed", "awk"} {
		program, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(program, filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
	if version != "" {
		if err := os.WriteFile(filepath.Join(path, "go"), []byte("#!/bin/sh\necho "+version+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), "make", target)
	command.Dir, command.Env = dir, []string{"PATH=" + path}
	text, err := command.CombinedOutput()
	if command.ProcessState == nil {
		t.Fatal(err)
	}
	return string(text), command.ProcessState.ExitCode()
}

// TestMakefile is what a new user sees of it before anything is built.
func TestMakefile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"Makefile", "go.work"} {
		content, err := os.ReadFile(filepath.Join(harness.Repository(t), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	needed := regexp.MustCompile(`(?m)^go ([\d.]+)$`).FindStringSubmatch(read(t, "go.work").text)[1]
	for name, c := range map[string]struct {
		version string
		code    int
		want    string
	}{
		"none":   {"", 2, "APM needs Go " + needed + ", and there is no go on the PATH."},
		"old":    {"go1.21.13", 2, "APM needs Go " + needed + "; this is go1.21.13."},
		"enough": {"go" + needed, 0, ""},
		"newer":  {"go99.1", 0, ""},
	} {
		output, code := run(t, dir, c.version, "check-go")
		if code != c.code || !strings.Contains(output, c.want) || code != 0 && !strings.Contains(output, "https://go.dev/dl/") {
			t.Errorf("%s: exit code %d, %s", name, code, output)
		}
	}

	const minutes = "takes some minutes"
	if output, code := run(t, dir, "go99.1", "first-build-takes-long"); code != 0 || !strings.Contains(output, minutes) {
		t.Errorf("the first build: exit code %d, %s", code, output)
	}
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin", "apm"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if output, code := run(t, dir, "go99.1", "first-build-takes-long"); code != 0 || strings.Contains(output, minutes) {
		t.Errorf("the second build: exit code %d, %s", code, output)
	}

	help, _ := run(t, dir, "go99.1", "help")
	for _, target := range []string{"build", "demo", "test", "lint", "generate", "clean", "help"} {
		if !regexp.MustCompile(`(?m)^  ` + target + ` +\S`).MatchString(help) {
			t.Errorf("make does not tell of %s:\n%s", target, help)
		}
	}
}
