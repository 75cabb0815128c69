package platform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/shim"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
)

// attempts is how often a shim is started anew before a call gives up.
const attempts = 4

// errNothing is returned where nothing runs and none should be started for the
// question.
var errNothing = errors.New("nothing runs")

// need says when a shim is started for a call.
type need int

const (
	needed  need = iota // always: only a shim can answer
	ifAlive             // only where the component should run
)

// call asks the shim of the component in dir.
func call(ctx context.Context, dir string, when need, request control.Request, result any) error {
	return withShim(ctx, dir, when, func(st *state.State) error {
		return control.Call(ctx, st, request, result)
	})
}

// withShim calls use with the state of a running shim. A shim that does not
// answer is started, and asked again: every request may be repeated.
func withShim(ctx context.Context, dir string, when need, use func(*state.State) error) error {
	var problem error
	for range attempts {
		st, err := state.Load(dir)
		none := errors.Is(err, state.ErrNone)
		if err != nil && !none {
			return err
		}
		if err == nil {
			problem = use(st)
			if !errors.Is(problem, control.ErrNoShim) {
				return problem
			}
		}
		// Without a state file a shim may run all the same: somebody removed it.
		if when == ifAlive && (none && len(procinfo.Shims(dir)) == 0 || !none && st.Tombstone()) {
			return errNothing
		}
		if err := spawn(ctx, dir); err != nil {
			return fmt.Errorf("start shim: %w", err)
		}
	}
	return problem
}

// spawnTimeout bounds the start of a shim, which may wait for the end of
// another.
const spawnTimeout = 30 * time.Second

// spawn starts a shim for the component in dir, or finds that there is one, and
// returns when it answers.
func spawn(ctx context.Context, dir string) error {
	self, err := procinfo.Self()
	if err != nil {
		return fmt.Errorf("find own binary: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, spawnTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, self, shim.Arguments(dir)...)
	command.Args[0] = "apm-plugin-process"
	command.Env = environment()
	command.Dir = "/"
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // what ends our group spares it
	output, err := command.CombinedOutput()
	if err != nil {
		return errors.Join(ctx.Err(), errors.New(strings.TrimSpace(string(output))), err)
	}
	return nil
}

// environment is what a shim gets, and passes on to instances: nothing of the
// plugin's own.
func environment() []string {
	var env []string
	for _, key := range []string{"PATH", "HOME", "TMPDIR", "LANG"} {
		if value, ok := os.LookupEnv(key); ok {
			env = append(env, key+"="+value)
		}
	}
	return env
}

// shimTimeout bounds the wait for one shim where others wait to be asked.
const shimTimeout = 2 * time.Second

// alive says whether the shim that st speaks of answers.
func alive(ctx context.Context, st *state.State) bool {
	ctx, cancel := context.WithTimeout(ctx, shimTimeout)
	defer cancel()
	return control.Call(ctx, st, control.Request{Method: control.Describe}, nil) == nil
}
