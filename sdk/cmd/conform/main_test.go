package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// build builds this command and the fake plugin into a directory.
func build(t *testing.T) (conform, plugin string) {
	t.Helper()
	dir := t.TempDir()
	conform, plugin = filepath.Join(dir, "conform"), filepath.Join(dir, "apm-plugin-fake")
	for binary, source := range map[string]string{conform: ".", plugin: "../apm-plugin-fake"} {
		if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, source).CombinedOutput(); err != nil {
			t.Fatalf("build: %v\n%s", err, output)
		}
	}
	return conform, plugin
}

// file is what the suite deploys; extra goes into the config block.
func file(t *testing.T, plugin, extra string) {
	t.Helper()
	content := fmt.Sprintf(`
config {
  root = "${tmp}/root"
  %s
}
spec "v1" { file = "${tmp}/v1" }
spec "v2" { file = "${tmp}/v2" }
prepare { command = ["/bin/sh", "-c", "mkdir '${tmp}/root' && echo one >'${tmp}/v1' && echo two >'${tmp}/v2'"] }
`, extra)
	if err := os.WriteFile(filepath.Join(filepath.Dir(plugin), "conform.hcl"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// exitCode is what a command ended with.
func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	default:
		return -1
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	conform, plugin := build(t)
	for _, test := range []struct {
		extra string
		args  []string
		want  int
		says  string
	}{
		{"", []string{plugin, "--run", "stale epoch|clean start"}, 0, "passed: 3 passed, 0 failed, 0 skipped"},
		{`fault "break" { rule = "epoch" }`, []string{plugin, "--run", "stale epoch|clean start"}, 1, "failed: stale epoch refused"},
		{"fault {}", []string{plugin}, 2, `conform.hcl:4:3: block "fault" needs one name`},
		{"", []string{plugin, "--what"}, 2, "unknown flag --what"},
		{"", []string{"/bin/true"}, 2, "exit before the handshake"},
	} {
		file(t, plugin, test.extra)
		output, err := exec.CommandContext(t.Context(), conform, test.args...).CombinedOutput()
		if code := exitCode(err); code != test.want || !strings.Contains(string(output), test.says) {
			t.Errorf("%q: exit %d, want %d and %q:\n%s", test.args, code, test.want, test.says, output)
		}
	}
}

// Ctrl-C in the middle of a case that would never end: what was deployed is
// removed, and no process and no file is left.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	conform, plugin := build(t)
	for name, extra := range map[string]string{
		"between": "",
		"hanging": "fault \"hang\" {\n  call = \"watch\"\n  operation = \"deploy\"\n}",
	} {
		file(t, plugin, extra)
		tmp := filepath.Join(filepath.Dir(plugin), name)
		if err := os.Mkdir(tmp, 0o700); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), conform, plugin)
		cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, &output
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		deployed := awaitDeploy(t.Context(), tmp)
		ran := running(t, plugin)
		interrupted := cmd.Process.Signal(syscall.SIGINT)
		code := exitCode(cmd.Wait())
		if !deployed || len(ran) == 0 || interrupted != nil || code != 1 || !strings.Contains(output.String(), "\ninterrupted: the last ") {
			t.Errorf("%s: deployed %t, plugins %v, exit %d:\n%s", name, deployed, ran, code, &output)
		}
		if left := running(t, plugin); len(left) > 0 {
			t.Errorf("%s: plugins are left: %v", name, left)
		}
		if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
			t.Errorf("%s: files are left: %v %v", name, left, err)
		}
	}
}

// awaitDeploy waits until something is deployed below the directory of a run.
func awaitDeploy(ctx context.Context, tmp string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if found, _ := filepath.Glob(filepath.Join(tmp, "conform*", "root", "*", "*")); len(found) > 0 {
			return true
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
	return false
}

// running returns the processes of a program, as Linux tells them.
func running(t *testing.T, program string) (pids []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == program {
			pids = append(pids, filepath.Base(filepath.Dir(link)))
		}
	}
	return pids
}
