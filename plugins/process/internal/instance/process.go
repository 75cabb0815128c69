package instance

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/logfile"
	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
)

// pipeGrace is how long output is still read after the group is gone: only a
// process that left the group can hold the pipe any longer.
const pipeGrace = time.Second

// once runs the process from its start to its end.
func (i *Instance) once(ctx context.Context) Exit {
	var run int
	i.set(func(s *Status) {
		if s.Run > 0 {
			s.Restarts++
		}
		s.Run++
		run = s.Run
		s.Phase, s.PID, s.StartedAt = Starting, 0, time.Now()
	})
	var portTaken atomic.Bool
	output := &reader{run: run, emit: func(line logfile.Line) {
		if addressInUse(line.Text) {
			portTaken.Store(true)
		}
		i.log.Append(line)
		i.config.Output(line)
	}}
	process, err := i.start(output)
	if err != nil {
		output.wait()
		return Exit{At: time.Now(), Run: run, Code: -1, StartErr: err}
	}
	i.set(func(s *Status) { s.PID = process.Pid })
	i.config.Started(process.Pid)

	exited := make(chan *os.ProcessState, 1)
	go func() {
		state, _ := process.Wait() // our own child: only a second Wait could fail
		exited <- state
	}()
	wasReady, state := i.follow(ctx, process.Pid, exited)
	killGroup(process.Pid, syscall.SIGKILL) // children that it left behind
	output.wait()
	exit := describe(state)
	exit.At, exit.Run, exit.WasReady = time.Now(), run, wasReady
	exit.PortTaken = !wasReady && portTaken.Load()
	return exit
}

// follow waits for readiness, then for the end, which ctx brings about.
func (i *Instance) follow(ctx context.Context, pid int, exited <-chan *os.ProcessState) (ready bool, state *os.ProcessState) {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	again := time.NewTicker(holderPoll)
	defer again.Stop()
	look, relook := tick.C, (<-chan time.Time)(nil)
	stop := ctx.Done()
	var kill <-chan time.Time
	began := time.Now()
	for {
		select {
		case state = <-exited:
			return ready, state
		case <-look:
			if i.accepts(ctx, began) && i.holds(pid) {
				ready, look, relook = true, nil, again.C
				i.set(func(s *Status) { s.Phase = Ready })
			}
		case <-relook:
			if !i.holds(pid) { // no traffic for a stranger
				look, relook = tick.C, nil
				i.set(func(s *Status) { s.Phase = Starting })
			}
		case <-stop:
			stop, look, relook = nil, nil, nil
			killGroup(pid, syscall.SIGTERM)
			kill = time.After(i.config.StopTimeout)
		case <-kill:
			killGroup(pid, syscall.SIGKILL)
		}
	}
}

func (i *Instance) start(output *reader) (*os.Process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	stdout, err := output.pipe("stdout")
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	stderr, err := output.pipe("stderr")
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if err := setUser(attributes, i.config.User); err != nil {
		return nil, err
	}
	return os.StartProcess(i.config.Executable, i.config.Args, &os.ProcAttr{
		Dir:   i.config.Dir,
		Env:   lastWins(i.config.Env, i.portEnv(), []string{procinfo.InstanceVariable + "=" + i.config.Mark}),
		Files: []*os.File{null, stdout, stderr},
		Sys:   attributes,
	})
}

// lastWins joins lists of "NAME=value". Programs differ in which of two they
// take, so that each name stands once.
func lastWins(lists ...[]string) []string {
	place := map[string]int{}
	var env []string
	for _, entry := range slices.Concat(lists...) {
		name, _, _ := strings.Cut(entry, "=")
		if at, twice := place[name]; twice {
			env[at] = entry
			continue
		}
		place[name] = len(env)
		env = append(env, entry)
	}
	return env
}

func killGroup(pid int, signal syscall.Signal) {
	_ = syscall.Kill(-pid, signal) // gone already is what we want
}

func describe(state *os.ProcessState) Exit {
	exit := Exit{Code: -1}
	if state == nil {
		return exit
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		exit.Signal = status.Signal().String()
		return exit
	}
	exit.Code = state.ExitCode()
	return exit
}

// MissingCommand says whether a start failed because of the command itself.
func MissingCommand(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) || errors.Is(err, exec.ErrNotFound) ||
		errors.Is(err, syscall.ENOEXEC) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR)
}

func addressInUse(line string) bool {
	lower := strings.ToLower(line)
	return strings.Contains(lower, "address already in use") || strings.Contains(lower, "eaddrinuse")
}

// reader turns what a process writes into lines.
type reader struct {
	run  int
	emit func(logfile.Line)

	mu    sync.Mutex
	wg    sync.WaitGroup
	pipes []*os.File
}

// pipe returns the end to write to; it is the process's, close it here after
// the start.
func (r *reader) pipe(stream string) (*os.File, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	r.pipes = append(r.pipes, out)
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		r.read(out, stream)
	}()
	return in, nil
}

func (r *reader) read(out io.Reader, stream string) {
	buffered := bufio.NewReaderSize(out, logfile.MaxLine)
	for {
		raw, err := buffered.ReadSlice('\n')
		if len(raw) > 0 {
			text := strings.ToValidUTF8(strings.TrimRight(string(raw), "\r\n"), "\uFFFD")
			r.mu.Lock()
			r.emit(logfile.Line{Time: time.Now(), Stream: stream, Run: r.run, Text: text})
			r.mu.Unlock()
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// wait returns when all output was read.
func (r *reader) wait() {
	done := make(chan struct{})
	go func() {
		r.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(pipeGrace):
		for _, pipe := range r.pipes {
			_ = pipe.SetReadDeadline(time.Now())
		}
		<-done
	}
	for _, pipe := range r.pipes {
		_ = pipe.Close()
	}
}
