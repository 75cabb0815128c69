//go:build linux

package node

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// units are the running components. They belong to the first process of a
// process namespace, which must wait for every orphan, so all processes are
// waited for in one place.
type units struct {
	log   io.Writer
	dir   string
	byPID map[int]*unit
	all   []*unit
	mu    sync.Mutex
}

// A unit is one component and the process that it has at the moment.
type unit struct {
	exited chan struct{}
	component
	pid    int
	wanted bool
}

// errUnit is wrapped by errors about a component that is not there.
var errUnit = errors.New("no such component")

// again is how long a component that ended unasked stays down.
const again = 500 * time.Millisecond

func newUnits(dir string, log io.Writer) *units {
	return &units{dir: dir, log: log, byPID: map[int]*unit{}}
}

// reap waits for processes until the namespace ends.
func (u *units) reap() {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	for range children {
		for {
			var status syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
			if errors.Is(err, syscall.EINTR) {
				continue
			}
			if err != nil || pid <= 0 {
				break
			}
			u.ended(pid, status)
		}
	}
}

func (u *units) ended(pid int, status syscall.WaitStatus) {
	u.mu.Lock()
	defer u.mu.Unlock()
	one := u.byPID[pid]
	if one == nil {
		return
	}
	delete(u.byPID, pid)
	one.pid = 0
	close(one.exited)
	if !one.wanted {
		return
	}
	fmt.Fprintf(u.log, "%s ended unasked: exit code %d, signal %d\n", one.name, status.ExitStatus(), status.Signal())
	time.AfterFunc(again, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if one.wanted && one.pid == 0 {
			if err := u.spawn(one); err != nil {
				fmt.Fprintln(u.log, err)
			}
		}
	})
}

// add starts components for the first time.
func (u *units) add(components ...component) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range components {
		one := &unit{component: c, wanted: true}
		u.all = append(u.all, one)
		if err := u.spawn(one); err != nil {
			return err
		}
	}
	return nil
}

// spawn is called with the lock held, so that a process that ends at once is
// known by then.
func (u *units) spawn(one *unit) error {
	path, err := exec.LookPath(one.program)
	if err != nil {
		return fmt.Errorf("start %s: %w", one.name, err)
	}
	output, err := os.OpenFile(logFile(u.dir, one.name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("start %s: %w", one.name, err)
	}
	defer output.Close()
	none, err := os.Open(os.DevNull)
	if err != nil {
		return fmt.Errorf("start %s: %w", one.name, err)
	}
	defer none.Close()
	one.pid, err = syscall.ForkExec(path, append([]string{one.name}, one.args...), &syscall.ProcAttr{
		Dir:   "/",
		Env:   os.Environ(),
		Files: []uintptr{none.Fd(), output.Fd(), output.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		one.pid = 0
		return fmt.Errorf("start %s: %w", one.name, err)
	}
	one.exited = make(chan struct{})
	u.byPID[one.pid] = one
	return nil
}

func (u *units) find(name string) (*unit, error) {
	for _, one := range u.all {
		if one.name == name {
			return one, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", errUnit, name)
}

// start starts a component that was stopped.
func (u *units) start(name string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	one, err := u.find(name)
	if err != nil {
		return err
	}
	one.wanted = true
	if one.pid != 0 {
		return nil
	}
	return u.spawn(one)
}

// grace is how long a component may take to end in good order. An API server
// would wait a minute for its watches.
const grace = 2 * time.Second

// stop ends a component with a signal and keeps it down. It is killed when it is
// still there after the time of grace.
func (u *units) stop(name string, signal syscall.Signal) error {
	u.mu.Lock()
	one, err := u.find(name)
	if err != nil {
		u.mu.Unlock()
		return err
	}
	one.wanted = false
	pid, exited := one.pid, one.exited
	u.mu.Unlock()
	if pid == 0 {
		return nil
	}
	for _, s := range []struct {
		signal   syscall.Signal
		patience time.Duration
	}{{signal, grace}, {syscall.SIGKILL, 10 * time.Second}} {
		if err := syscall.Kill(pid, s.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop %s: %w", name, err)
		}
		// A frozen process does not see another signal.
		_ = syscall.Kill(pid, syscall.SIGCONT)
		select {
		case <-exited:
			return nil
		case <-time.After(s.patience):
		}
	}
	return fmt.Errorf("stop %s: process %d does not end", name, pid)
}

// signal sends a signal to a component that runs.
func (u *units) signal(name string, signal syscall.Signal) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	one, err := u.find(name)
	if err != nil {
		return err
	}
	if one.pid == 0 {
		return fmt.Errorf("signal %s: it does not run", name)
	}
	return syscall.Kill(one.pid, signal)
}

// running maps the components to whether they have a process.
func (u *units) running() map[string]bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := map[string]bool{}
	for _, one := range u.all {
		all[one.name] = one.pid != 0
	}
	return all
}
