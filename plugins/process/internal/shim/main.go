package shim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
)

// Arguments of the shim's process:
//
//	shim --detach --dir DIR   starts a shim in a session of its own, returns once it answers
//	shim --dir DIR            is the shim
const detachFlag = "--detach"

// readyFD is where a started shim says that it answers.
const readyFD = 3

// readyWord is what it says; anything else is why it ended.
const readyWord = "ready"

// lockWait is how long a shim waits for one that is about to end.
const lockWait = 15 * time.Second

// Main runs the shim's process and returns its exit code.
func Main(args []string) int {
	switch {
	case len(args) == 3 && args[0] == detachFlag && args[1] == procinfo.DirFlag:
		return detach(args[2])
	case len(args) == 2 && args[0] == procinfo.DirFlag:
		return serve(args[1])
	default:
		fmt.Fprintln(os.Stderr, "the shim is started by the process plugin itself; usage: shim --dir DIR")
		return 2
	}
}

// Arguments returns those that make Main start a shim for dir.
func Arguments(dir string) []string {
	return []string{procinfo.ShimCommand, detachFlag, procinfo.DirFlag, dir}
}

// detach is the parent that goes away: the shim is nobody's child then, and no
// plugin has to wait for it.
func detach(dir string) int {
	if err := startDetached(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func startDetached(dir string) error {
	if err := prepare(dir); err != nil {
		return err
	}
	self, err := procinfo.Self()
	if err != nil {
		return fmt.Errorf("find own binary: %w", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("start shim: %w", err)
	}
	defer null.Close()
	// Bounded: it is begun anew, and only a panic writes to it.
	output, err := os.OpenFile(filepath.Join(dir, "shim.err"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("start shim: %w", err)
	}
	defer output.Close()
	ready, word, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start shim: %w", err)
	}
	defer ready.Close()
	process, err := os.StartProcess(self, []string{"apm-plugin-process", procinfo.ShimCommand, procinfo.DirFlag, dir}, &os.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []*os.File{null, output, output, word},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	_ = word.Close()
	if err != nil {
		return fmt.Errorf("start shim: %w", err)
	}
	said, err := io.ReadAll(ready)
	if err != nil {
		return fmt.Errorf("start shim: %w", err)
	}
	switch string(said) {
	case readyWord:
		return process.Release()
	case "":
		return fmt.Errorf("shim ended at its start; see %s", output.Name())
	default:
		return errors.New(string(said))
	}
}

func serve(dir string) int {
	word := os.NewFile(readyFD, "ready")
	syscall.CloseOnExec(readyFD)
	quit, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	signal.Ignore(syscall.SIGHUP)
	log := slog.New(slog.NewJSONHandler(&boundedFile{path: filepath.Join(dir, "shim.log")}, nil))
	if err := procinfo.Rename(procinfo.ShimName); err != nil {
		log.Warn("cannot take its own name", "error", err)
	}
	lock, err := acquire(dir)
	if err == nil && lock != nil {
		err = run(quit, dir, lock, log, func() { say(word, readyWord) })
	}
	if err != nil {
		log.Error("shim ended", "error", err)
		say(word, err.Error())
		return 1
	}
	say(word, readyWord) // another shim answers
	return 0
}

// say writes the first word only; the reader is gone after it.
func say(word *os.File, text string) {
	_, _ = io.WriteString(word, text)
	_ = word.Close()
}

// acquire takes the lock on dir. It returns no lock and no error when another
// shim has it and answers.
func acquire(dir string) (*state.Lock, error) {
	deadline := time.Now().Add(lockWait)
	for {
		if !bereft(dir) {
			lock, err := state.TryLock(dir)
			if err == nil {
				return lock, nil
			}
			if !errors.Is(err, state.ErrLocked) {
				return nil, err
			}
		}
		if answers(dir) {
			return nil, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("another shim holds %q and does not answer; end it by hand (kill -9) and try again", dir)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// bereft says that an older shim runs for dir whose files, the lock among them,
// were removed. It restores them soon; until then the lock proves nothing.
func bereft(dir string) bool {
	if _, err := state.Load(dir); !errors.Is(err, state.ErrNone) {
		return false
	}
	self := procinfo.Process{PID: os.Getpid(), Start: procinfo.StartOf(os.Getpid())}
	for _, other := range procinfo.Shims(dir) {
		if other.Dir == dir && other.Before(self) {
			return true
		}
	}
	return false
}

func answers(dir string) bool {
	st, err := state.Load(dir)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return control.Call(ctx, st, control.Request{Method: control.Describe}, nil) == nil
}

// maxLog bounds the shim's own log.
const maxLog = 1 << 20

// boundedFile is a log file that begins anew when it is full.
type boundedFile struct{ path string }

// Write is called under the handler's lock.
func (b *boundedFile) Write(line []byte) (int, error) {
	if info, err := os.Stat(b.path); err == nil && info.Size() > maxLog {
		_ = os.Rename(b.path, b.path+".1")
	}
	file, err := os.OpenFile(b.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return file.Write(line)
}
