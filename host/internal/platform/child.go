package platform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"
)

const (
	busyTries = 40 // of a binary whose copy is still open for writing in a process just forked
	busyWait  = 25 * time.Millisecond
	// pipesGrace is how long standard output and error are read on after the
	// plugin's end: a process that it left behind may hold them open for ever.
	pipesGrace = 500 * time.Millisecond
)

// child is the process of a plugin, as go-plugin's runner. Its own, because the
// one that go-plugin makes hands over the host's standard input, takes a process
// for alive as long as anyone holds its pipes, and kills one process, not its
// group.
type child struct {
	command  func() *exec.Cmd
	relay    *relay
	out      *firstLine
	errors   *os.File
	writers  []*os.File
	launched chan struct{} // closed when the start was tried
	exited   chan struct{} // closed when the process was reaped
	settled  chan struct{} // closed when its output was read to the end

	mu       sync.Mutex
	startErr error
	pid      int
	killed   bool   // by us
	reason   string // of killing it, as a clause; "" where it was time
	reaped   bool
	state    *os.ProcessState
}

var _ runner.Runner = (*child)(nil)

// newChild prepares a process; command makes a fresh, complete exec.Cmd but for
// its output.
func newChild(command func() *exec.Cmd, relay *relay) (*child, error) {
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	errRead, errWrite, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make pipe: %w", err), outRead.Close(), outWrite.Close())
	}
	return &child{
		command: command, relay: relay, out: &firstLine{source: slowly(outRead)}, errors: errRead,
		writers:  []*os.File{outWrite, errWrite},
		launched: make(chan struct{}), exited: make(chan struct{}), settled: make(chan struct{}),
	}, nil
}

// Start starts the process. go-plugin calls it, once.
func (c *child) Start(ctx context.Context) error {
	go c.live(ctx)
	<-c.launched
	if err := c.started(); err != nil {
		return err
	}
	return nil
}

// live is the whole life of the process on one thread, because Linux kills the
// plugin when the thread that started it ends (see attributes).
func (c *child) live(ctx context.Context) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(c.settled)

	cmd, err := c.launch(ctx)
	for _, writer := range c.writers {
		_ = writer.Close()
	}
	c.mu.Lock()
	c.startErr = err
	if err == nil {
		c.pid = cmd.Process.Pid
	}
	c.mu.Unlock()
	close(c.launched)
	if err != nil {
		_, _ = c.errors.Close(), c.out.Close()
		close(c.exited)
		return
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		c.relay.run(c.errors)
	}()

	c.reap(cmd)
	close(c.exited)

	timer := time.NewTimer(pipesGrace)
	defer timer.Stop()
	select {
	case <-read:
	case <-timer.C:
	}
	_, _ = c.errors.Close(), c.out.Close()
	<-read
}

func (c *child) launch(ctx context.Context) (*exec.Cmd, error) {
	for try := 1; ; try++ {
		cmd := c.command()
		cmd.Stdout, cmd.Stderr = c.writers[0], c.writers[1]
		err := cmd.Start()
		if err == nil || !errors.Is(err, syscall.ETXTBSY) || try == busyTries {
			return cmd, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(busyWait):
		}
	}
}

func (c *child) started() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.startErr
}

// kill ends the whole group at once. It may be called at any time.
func (c *child) kill() { c.killFor("") }

// killFor ends the whole group, for a reason that ending says then. The first
// reason stands.
func (c *child) killFor(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pid == 0 || c.reaped {
		return
	}
	if !c.killed {
		c.killed, c.reason = true, reason
	}
	_ = killGroup(c.pid)
}

// Wait waits for the end of the process.
func (c *child) Wait(context.Context) error {
	<-c.exited
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != nil && !c.state.Success() {
		return errors.New(c.state.String())
	}
	return nil
}

// Kill ends the group, unless the process ends by itself: go-plugin kills as soon
// as standard output ends, and how the process ends then is what a user needs to
// know.
func (c *child) Kill(context.Context) error {
	timer := time.NewTimer(exitGrace)
	defer timer.Stop()
	select {
	case <-c.exited:
	case <-timer.C:
		c.kill()
	}
	return nil
}

// byItself says whether the process ended without being killed by the host.
func (c *child) byItself() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state != nil && !c.killed
}

// ending says how the process ended, as a clause.
func (c *child) ending() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == nil {
		return "is still running"
	}
	if c.reason != "" {
		return c.reason
	}
	if status, ok := c.state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return fmt.Sprintf("was killed by signal %d (%s)", status.Signal(), status.Signal())
	}
	return fmt.Sprintf("ended with exit code %d", c.state.ExitCode())
}

// ID returns the pid, "" where there is no process.
func (c *child) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pid == 0 {
		return ""
	}
	return strconv.Itoa(c.pid)
}

// Name names the process.
func (c *child) Name() string { return "plugin" }

// Diagnose has nothing to add: explainStart knows more.
func (c *child) Diagnose(context.Context) string { return "" }

// Stdout is where the handshake comes from.
func (c *child) Stdout() io.ReadCloser { return c.out }

// Stderr is empty for go-plugin: the relay reads it.
func (c *child) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// PluginToHost changes no address: both see the same file system.
func (c *child) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin changes no address.
func (c *child) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// abandon closes what a process that never started holds.
func (c *child) abandon() {
	_, _ = c.errors.Close(), c.out.Close()
	for _, writer := range c.writers {
		_ = writer.Close()
	}
}
