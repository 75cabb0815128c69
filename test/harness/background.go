package harness

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Background is a command that runs beside the test.
type Background struct {
	host    *Host
	command *exec.Cmd
	ended   chan struct{}
	err     error         // after ended
	copied  chan struct{} // all that it wrote to its terminal has been read; nil: it has none
	hangUp  func()        // nil: it has no terminal
	stdout  string
	stderr  string
}

// Begin starts apm in the home. What it writes can be read while it runs. It is
// killed at the end of the test.
func (h *Host) Begin(arguments ...string) *Background {
	h.t.Helper()
	return h.begin(h.background(arguments))
}

// BeginUnder is Begin by way of a program that becomes apm, such as nohup.
func (h *Host) BeginUnder(program string, arguments ...string) *Background {
	h.t.Helper()
	b := h.background(arguments)
	path, err := exec.LookPath(program)
	if err != nil {
		h.t.Fatal(err)
	}
	b.command.Path, b.command.Args = path, append([]string{program}, b.command.Args...)
	return h.begin(b)
}

func (h *Host) begin(b *Background) *Background {
	h.t.Helper()
	dir, err := os.MkdirTemp(h.Path("tmp"), "background-")
	if err != nil {
		h.t.Fatal(err)
	}
	b.stdout, b.stderr = filepath.Join(dir, "stdout"), filepath.Join(dir, "stderr")
	stdout, err := os.Create(b.stdout)
	if err != nil {
		h.t.Fatal(err)
	}
	defer stdout.Close()
	stderr, err := os.Create(b.stderr)
	if err != nil {
		h.t.Fatal(err)
	}
	defer stderr.Close()
	b.command.Stdout, b.command.Stderr = stdout, stderr
	b.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	b.start()
	return b
}

func (h *Host) background(arguments []string) *Background {
	b := &Background{host: h, ended: make(chan struct{})}
	b.command = exec.Command(Binary(h.t, "apm"), arguments...)
	b.command.Dir, b.command.Env = h.Home, h.Environ()
	return b
}

func (b *Background) start() {
	b.host.t.Helper()
	if err := b.command.Start(); err != nil {
		b.host.t.Fatalf("start %v: %v", b.command.Args, err)
	}
	go func() {
		b.err = b.command.Wait()
		close(b.ended)
	}()
	b.host.t.Cleanup(b.Kill)
}

// PID of the command.
func (b *Background) PID() int { return b.command.Process.Pid }

// Stdout is what it has written so far.
func (b *Background) Stdout() string { return read(b.stdout) }

// Stderr is what it has written so far.
func (b *Background) Stderr() string { return read(b.stderr) }

func read(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(content)
}

// Says waits until it has written a text, to stdout or stderr.
func (b *Background) Says(text string) {
	b.host.t.Helper()
	Eventually(b.host.t, "the command says "+text, func() (bool, string) {
		said := b.Stdout() + b.Stderr()
		select {
		case <-b.ended:
			if !strings.Contains(said, text) {
				b.host.t.Fatalf("%v ended (%v) without having said %q:\n%s", b.command.Args, b.err, text, said)
			}
		default:
		}
		return strings.Contains(said, text), said
	})
}

// Signal sends it a signal.
func (b *Background) Signal(s syscall.Signal) {
	b.host.t.Helper()
	if err := b.command.Process.Signal(s); err != nil {
		b.host.t.Fatalf("signal %v: %v", b.command.Args, err)
	}
}

// HangUp takes its terminal away, as closing the window does.
func (b *Background) HangUp() { b.hangUp() }

// Ended says whether it has ended.
func (b *Background) Ended() bool {
	select {
	case <-b.ended:
		return true
	default:
		return false
	}
}

// Kill ends it as a crash does.
func (b *Background) Kill() {
	_ = b.command.Process.Kill() // it may have ended
	<-b.ended
}

// Wait waits for its end and returns what it did.
func (b *Background) Wait() Result {
	b.host.t.Helper()
	select {
	case <-b.ended:
	case <-time.After(commandTime):
		b.host.t.Fatalf("%v did not end within %s:\n%s%s", b.command.Args, commandTime, b.Stdout(), b.Stderr())
	}
	if b.copied != nil {
		select {
		case <-b.copied:
		case <-time.After(patience):
			b.host.t.Fatalf("%v has ended, and somebody still has its terminal", b.command.Args)
		}
	}
	return Result{
		Arguments: b.command.Args[1:], Stdout: b.Stdout(), Stderr: b.Stderr(), Code: b.command.ProcessState.ExitCode(),
	}
}

// BeginOnTerminal is Begin with a terminal of 80 columns and 24 lines as stdin,
// stdout and stderr. All that it writes is its stdout.
func (h *Host) BeginOnTerminal(arguments ...string) *Background {
	h.t.Helper()
	return h.BeginOn(Window{Columns: 80, Lines: 24}, arguments...)
}

// Window is the terminal that BeginOn gives to a command.
type Window struct {
	Columns, Lines uint16
	// Environ is added to that of the home; TERM is xterm unless it says another.
	Environ []string
}

// BeginOn is BeginOnTerminal with a terminal of another kind.
func (h *Host) BeginOn(window Window, arguments ...string) *Background {
	h.t.Helper()
	main, side, err := openTerminal(window.Columns, window.Lines)
	if err != nil {
		h.t.Fatalf("open a terminal: %v", err)
	}
	defer side.Close()
	b := h.background(arguments)
	b.command.Env = append(append(b.command.Env, "TERM=xterm"), window.Environ...)
	dir, err := os.MkdirTemp(h.Path("tmp"), "terminal-")
	if err != nil {
		h.t.Fatal(err)
	}
	b.stdout = filepath.Join(dir, "stdout")
	b.command.Stdin, b.command.Stdout, b.command.Stderr = side, side, side
	b.command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	file, err := os.Create(b.stdout)
	if err != nil {
		h.t.Fatal(err)
	}
	b.copied = make(chan struct{})
	go func() {
		_, _ = io.Copy(file, main) // ends with the terminal
		_ = file.Close()
		close(b.copied)
	}()
	b.hangUp = sync.OnceFunc(func() {
		_ = main.Close()
		<-b.copied
	})
	h.t.Cleanup(b.hangUp)
	b.start()
	return b
}
