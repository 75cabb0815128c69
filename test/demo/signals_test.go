package demo_test

import (
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"github.com/apm-deploy/apm/test/harness"
)

// TestDemoWithoutTerminal runs once and ends, asked to or not, and writes nothing
// that only a terminal understands.
func TestDemoWithoutTerminal(t *testing.T) {
	h := harness.New(t)
	r := h.Must(0, "demo")
	h.NothingLeft()
	lines := strings.Split(r.Stdout, "\n")
	for i, want := range []string{`^VERSION +STATUS `, `^v1 +completed +[1-9]\d* +0 `, `^v2 +completed +[1-9]\d* +0 `, `^v3 +rolled_back +[1-9]\d* +0 +back on v2: `} {
		if i >= len(lines) || !regexp.MustCompile(want).MatchString(lines[i]) {
			t.Errorf("line %d does not match %s: %s", i+1, want, r.Stdout)
		}
	}
	if i := strings.IndexFunc(r.Stdout+r.Stderr, func(c rune) bool { return unicode.IsControl(c) && c != '\n' }); i >= 0 {
		t.Errorf("a control character at byte %d: %s", i, r)
	}
}

// TestDemoHungUp ends with its terminal, and leaves nothing.
func TestDemoHungUp(t *testing.T) {
	h := harness.New(t)
	demo := h.Begin("demo", "--once")
	demo.Says("v1 is completed")
	demo.Signal(syscall.SIGHUP)
	if r := demo.Wait(); r.Code != 130 {
		t.Errorf("after SIGHUP: %s", r)
	}
	h.NothingLeft()
}

var hostPID = regexp.MustCompile(`The host runs at \S+ \(pid (\d+)\)`)

// TestDemoLeftAtOnce presses Ctrl-C twice while the host does not answer: the
// demo ends, and the command that it prints removes what it left.
func TestDemoLeftAtOnce(t *testing.T) {
	h := harness.New(t)
	demo := h.Begin("demo", "--once")
	demo.Says("v1 is completed")
	found := hostPID.FindStringSubmatch(demo.Stderr())
	if found == nil {
		t.Fatalf("no line says which process the host is:\n%s", demo.Stderr())
	}
	host, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(host, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	demo.Signal(syscall.SIGINT)
	harness.Eventually(t, "it has ended", func() (bool, string) {
		if demo.Ended() {
			return true, ""
		}
		_ = syscall.Kill(demo.PID(), syscall.SIGINT) // the first one alone would wait for the host
		return false, demo.Stderr()
	})
	r := demo.Wait()
	_, command, printed := strings.Cut(r.Stderr, "Clean up with: ")
	if r.Code != 130 || !printed || !strings.Contains(r.Stderr, "what the demo deployed may still run") {
		t.Fatalf("after Ctrl-C twice: %s", r)
	}
	if err := syscall.Kill(host, syscall.SIGCONT); err != nil && err != syscall.ESRCH {
		t.Fatal(err)
	}
	command, _, _ = strings.Cut(command, "\n")
	harness.Eventually(t, "what was left is removed", func() (bool, string) {
		clean := h.Run(harness.Command{Program: "/bin/sh", Arguments: []string{"-c", command + " --yes"}})
		return clean.Code == 0 && len(h.Processes()) == 0, clean.String()
	})
	h.NothingLeft()
}
