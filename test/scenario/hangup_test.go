package scenario_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

// TestHangUp asks a host on a terminal to read the lock file anew, and takes the
// terminal away: the first it does, with the second it ends as with Ctrl-C. Both
// are the same signal.
func TestHangUp(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	host := h.BeginOnTerminal("serve")
	host.Says("answers at")
	host.Signal(syscall.SIGHUP)
	host.Says("every plugin runs as it is locked")
	if _, err := os.Stat(filepath.Join(h.Data, "host.json")); err != nil || host.Ended() {
		t.Fatalf("it ended with a signal to read the lock file: %v, %s", err, host.Stdout())
	}
	host.HangUp()
	harness.Eventually(t, "the host ends with its terminal", func() (bool, string) { return host.Ended(), host.Stdout() })
	if _, err := os.Stat(filepath.Join(h.Data, "host.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it did not end in good order: %v", err)
	}
}

// TestNohup keeps a host that was told to ignore the end of its terminal.
func TestNohup(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	host := h.BeginUnder("nohup", "serve")
	host.Says("answers at")
	host.Signal(syscall.SIGHUP)
	if r := h.Must(0, "plugin", "list"); !strings.Contains(r.Stdout, "ready") {
		t.Errorf("it ended: %s", r)
	}
	host.Signal(syscall.SIGTERM)
	if r := host.Wait(); r.Code != 0 || strings.Contains(r.Stderr, "read anew") {
		t.Errorf("it ended with %s", r)
	}
}
