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
	contains(t, stderr, "not-there", "name the plugin's one file where it is")
	_, stderr = h.do(t, cli.ExitError, "plugin", "inspect", "/bin/true")
	contains(t, stderr, "before it was ready", "apm plugin test /bin/true shows how far it gets")
}

// The first line about a platform whose plugin is not well has its reason.
func TestPluginInspectOfABrokenOne(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.processes.with(func() { h.processes.state = "broken" })
	stdout, _ := h.do(t, cli.ExitDone, "plugin", "inspect", "memory")
	contains(t, stdout, "memory: plugin memory 1.0.0, broken: exit status 7\n")
	h.processes.with(func() { h.processes.silent = true })
	stdout, _ = h.do(t, cli.ExitDone, "plugin", "inspect", "memory")
	contains(t, stdout, "memory: plugin memory, broken: exit status 7\n")
}
