package cli_test

import (
	"testing"

	"github.com/apm-deploy/apm/host/internal/cli"
)

func TestPluginInspect(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	stdout, _ := h.do(t, cli.ExitDone, "plugin", "inspect", "memory")
	contains(t, stdout, "memory: plugin memory 1.0.0, ready", "pinned by nothing", "process       42, since", "content  string  (required)")
	stdout, _ = h.do(t, cli.ExitDone, "plugin", "inspect", "memory", "--docs")
	contains(t, stdout, "# Plugin memory", "| `content` | `string` | required | What it is. Nobody asks why. |", "### `port \"NAME\" { }`")
	_, stderr := h.do(t, cli.ExitUsage, "plugin", "inspect", "memory", "--docs", "-o", "json")
	contains(t, stderr, "--docs and -o exclude each other")
	_, stderr = h.do(t, cli.ExitNotFound, "plugin", "inspect", "nothing", "--docs")
	contains(t, stderr, "nothing")
	_, stderr = h.do(t, cli.ExitError, "plugin", "inspect", "./not-there", "--docs")
	contains(t, stderr, "not-there")
}
