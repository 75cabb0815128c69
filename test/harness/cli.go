package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Result is what a command of the command line did.
type Result struct {
	Arguments      []string
	Stdout, Stderr string
	Code           int
}

// String renders the result for a failed test.
func (r Result) String() string {
	return fmt.Sprintf("apm %s: exit code %d\nstdout: %s\nstderr: %s", strings.Join(r.Arguments, " "), r.Code, r.Stdout, r.Stderr)
}

// commandTime bounds one command.
const commandTime = 2 * time.Minute

// CLI runs apm in the home and waits for its end.
func (h *Host) CLI(arguments ...string) Result {
	h.t.Helper()
	return h.Run(Command{Arguments: arguments})
}

// Command is apm with more than arguments.
type Command struct {
	Arguments []string
	Stdin     string
	Dir       string   // default: the home
	Environ   []string // default: h.Environ()
	Program   string   // default: bin/apm
}

// Run runs a command and waits for its end.
func (h *Host) Run(c Command) Result {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	if c.Program == "" {
		c.Program = Binary(h.t, "apm")
	}
	command := exec.CommandContext(ctx, c.Program, c.Arguments...)
	command.Dir, command.Env = h.Home, h.Environ()
	if c.Dir != "" {
		command.Dir = c.Dir
	}
	if c.Environ != nil {
		command.Env = c.Environ
	}
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(c.Stdin), &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatalf("apm %s: %v", strings.Join(c.Arguments, " "), err)
	}
	if ctx.Err() != nil {
		h.t.Fatalf("apm %s did not end within %s\nstdout: %s\nstderr: %s", strings.Join(c.Arguments, " "), commandTime, &stdout, &stderr)
	}
	return Result{Arguments: c.Arguments, Stdout: stdout.String(), Stderr: stderr.String(), Code: command.ProcessState.ExitCode()}
}

// Must runs apm, fails the test when its exit code is another than wanted, and
// returns the result.
func (h *Host) Must(code int, arguments ...string) Result {
	h.t.Helper()
	r := h.CLI(arguments...)
	if r.Code != code {
		h.t.Fatalf("exit code %d was wanted: %s", code, r)
	}
	return r
}

// JSON decodes what a command wrote to stdout.
func (h *Host) JSON(r Result, into any) {
	h.t.Helper()
	if err := json.Unmarshal([]byte(r.Stdout), into); err != nil {
		h.t.Fatalf("decode the output: %v\n%s", err, r)
	}
}
