package scenario_test

import (
	"strings"
	"syscall"
	"testing"
	"unicode"

	"github.com/apm-deploy/apm/test/harness"
)

// TestLiveView draws on a terminal, however small, and leaves it as it was; where
// the terminal or a person says so, it writes lines instead.
func TestLiveView(t *testing.T) {
	t.Parallel()
	h, _, d := shop(t, "v1")
	for name, window := range map[string]harness.Window{
		"small": {Columns: 40, Lines: 10},
		"large": {Columns: 200, Lines: 60},
	} {
		t.Run(name, func(t *testing.T) {
			r := watched(t, h, window, d[0].ID)
			hidden, shown := strings.LastIndex(r, "\x1b[?25l"), strings.LastIndex(r, "\x1b[?25h")
			if hidden < 0 || shown < hidden {
				t.Errorf("the cursor is hidden at byte %d and shown again at %d: %q", hidden, shown, r)
			}
		})
	}
	for name, environ := range map[string][]string{"NO_COLOR": {"NO_COLOR=1"}, "TERM=dumb": {"TERM=dumb"}} {
		t.Run(name, func(t *testing.T) {
			r := strings.ReplaceAll(watched(t, h, harness.Window{Columns: 80, Lines: 24, Environ: environ}, d[0].ID), "\r\n", "\n")
			if i := strings.IndexFunc(r, func(c rune) bool { return unicode.IsControl(c) && c != '\n' }); i >= 0 {
				t.Errorf("a control character at byte %d: %q", i, r)
			}
		})
	}
}

// watched is all that a watch writes to a terminal.
func watched(t *testing.T, h *harness.Host, window harness.Window, id string) string {
	t.Helper()
	watch := h.BeginOn(window, "deploy", "watch", id)
	r := watch.Wait()
	if r.Code != 0 || !strings.Contains(r.Stdout, "completed") {
		t.Errorf("the watch: %s", r)
	}
	return r.Stdout
}

// TestLiveViewThatIsLeft: Ctrl-C leaves the view, never the deployment.
func TestLiveViewThatIsLeft(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t, "v1")
	h.Artifact("v2")
	h.Sicken("web", "v2") // its candidate waits
	d := h.Deploy("shop", "v2")
	watch := h.BeginOn(harness.Window{Columns: 60, Lines: 12}, "deploy", "watch", d.ID)
	watch.Says("healthz")
	watch.Signal(syscall.SIGINT)
	if r := watch.Wait(); r.Code != 130 || !strings.Contains(r.Stdout, "the deployment goes on") || !strings.Contains(r.Stdout, "deploy watch "+d.ID) {
		t.Errorf("after Ctrl-C: %s", r)
	}
	h.Sicken("web")
	h.Ends(d.ID, harness.End{Status: "completed", Path: harness.Forward})
	h.Serves(address, "v2")
}
