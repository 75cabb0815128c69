package plugin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/test/harness"
)

// TestConform: the plugins that are built, with the file that is built beside each,
// have every case that can be shown from outside, and leave nothing behind.
func TestConform(t *testing.T) {
	t.Parallel()
	for name, files := range map[string][2]string{
		"process": {"plugins/apm-plugin-process", "conform.hcl"},
		"fake":    {"test/apm-plugin-fake", "apm-plugin-fake.conform.hcl"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conforms(t, name, harness.Binary(t, files[0]), files[1])
		})
	}
}

// conforms runs the suite on a binary, with the file that is beside it.
func conforms(t *testing.T, plugin, binary, file string) {
	h := harness.New(t)
	tmp := h.Path("tmp/conform")
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	junit := h.Path("report.xml")
	// Ended by an interrupt, it says which case did not end.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, harness.Binary(t, "apm"), "plugin", "test", binary,
		"-o", "json", "--junit", junit)
	cmd.Env, cmd.Dir = h.Environ("TMPDIR="+tmp), h.Home
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(os.Interrupt) }, time.Minute
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ended := cmd.Run()
	var report struct {
		File   string `json:"file"`
		Plugin struct {
			Name string `json:"name"`
		} `json:"plugin"`
		Passed int `json:"passed"`
		Failed int `json:"failed"`
		Cases  []struct {
			Name     string   `json:"name"`
			Status   string   `json:"status"`
			Messages []string `json:"messages"`
			Log      string   `json:"log"`
		} `json:"cases"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		t.Fatalf("%v, %v: %s%s", ended, err, &stdout, &stderr)
	}
	if ended != nil || report.Failed > 0 || report.Passed < 40 || report.Plugin.Name != plugin || filepath.Base(report.File) != file {
		t.Errorf("%v, %d passed, %d failed, with %q:\n%s", ended, report.Passed, report.Failed, report.File, &stderr)
	}
	for _, c := range report.Cases {
		if c.Status == "failed" {
			t.Errorf("%s: the plugin's log:\n%s", c.Name, c.Log)
		}
		why := strings.Join(c.Messages, " ")
		if c.Status == "skipped" && !strings.Contains(why, "within this process") && !strings.Contains(why, "the plugin has ") {
			t.Errorf("%s is skipped: %s", c.Name, why)
		}
		if !strings.Contains(stderr.String(), "\n"+c.Name+" ") {
			t.Errorf("%s is not in the table on standard error:\n%s", c.Name, &stderr)
		}
	}
	if document, err := os.ReadFile(junit); err != nil || strings.Count(string(document), "<testcase ") != len(report.Cases) {
		t.Errorf("JUnit XML: %v\n%s", err, document)
	}
	harness.Eventually(t, "nothing is left of what was deployed", func() (bool, string) {
		left := files(t, tmp)
		return len(left) == 0, strings.Join(left, " ")
	})
}

// files lists what is below a directory, without the one that the platform keeps
// its sockets in.
func files(t *testing.T, dir string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if path != dir && !(filepath.Dir(path) == dir && strings.HasPrefix(filepath.Base(path), "apm-process-")) {
			found = append(found, path)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) { // it goes while it is looked at
		t.Fatal(err)
	}
	return found
}
