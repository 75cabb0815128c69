package plugin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

// TestConform: the plugin that is built, with the conform.hcl that is built beside
// it, has every case that can be shown from outside, and leaves nothing behind.
func TestConform(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	tmp := h.Path("tmp/conform")
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	junit := h.Path("report.xml")
	r := h.Run(harness.Command{
		Arguments: []string{"plugin", "test", harness.Binary(t, "plugins/apm-plugin-process"), "-o", "json", "--junit", junit},
		Environ:   h.Environ("TMPDIR=" + tmp),
	})
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
		} `json:"cases"`
	}
	h.JSON(r, &report)
	if r.Code != 0 || report.Failed > 0 || report.Passed < 40 || report.Plugin.Name != "process" || filepath.Base(report.File) != "conform.hcl" {
		t.Errorf("%d passed, %d failed, with %q: %s", report.Passed, report.Failed, report.File, r)
	}
	for _, c := range report.Cases {
		why := strings.Join(c.Messages, " ")
		if c.Status == "skipped" && !strings.Contains(why, "within this process") && !strings.Contains(why, "the plugin has ") {
			t.Errorf("%s is skipped: %s", c.Name, why)
		}
		if !strings.Contains(r.Stderr, "\n"+c.Name+" ") {
			t.Errorf("%s is not in the table on standard error:\n%s", c.Name, r.Stderr)
		}
	}
	if document, err := os.ReadFile(junit); err != nil || strings.Count(string(document), "<testcase ") != len(report.Cases) {
		t.Errorf("JUnit XML: %v\n%s", err, document)
	}
	harness.Eventually(t, "nothing is left of what was deployed", func() (bool, string) {
		left, err := os.ReadDir(tmp)
		return err == nil && len(left) == 0, strings.Join(names(left), " ")
	})
}

func names(entries []os.DirEntry) []string {
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}
