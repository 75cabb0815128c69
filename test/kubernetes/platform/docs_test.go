package platform_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

// TestPageHasTheKeys compares the page of the platform with what the plugin says of
// itself.
func TestPageHasTheKeys(t *testing.T) {
	t.Parallel()
	command := exec.CommandContext(t.Context(), harness.Binary(t, "apm"), "plugin", "inspect", binary, "--docs")
	command.Env = append(os.Environ(), "HOME="+t.TempDir())
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	_, keys, begins := strings.Cut(string(output), "## Keys of the platform\n")
	keys, _, ends := strings.Cut(keys, "## Example\n")
	page, err := os.ReadFile(filepath.Join(harness.Repository(t), "docs/platforms/kubernetes.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !begins || !ends || !strings.Contains(string(page), "## Keys of the platform\n"+keys) {
		t.Errorf("docs/platforms/kubernetes.md does not hold what the plugin says of itself:\n%s", keys)
	}
	_, can, _ := strings.Cut(string(output), "It can: ")
	can, _, _ = strings.Cut(can, ".\n")
	if !strings.Contains(string(page), "plugin can: "+can) {
		t.Errorf("docs/platforms/kubernetes.md does not tell that it can %s", can)
	}
}
