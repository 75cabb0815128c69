package platform

import (
	"errors"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes give the process a group of its own, and have the kernel kill it
// when the thread that started it ends, which is when the host does.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// reap waits for the end of the process and ends what is left of its group
// before its number can become another's.
func (c *child) reap(cmd *exec.Cmd) {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Nothing may be left of the group, and how the plugin ended is read from its
	// state.
	_, _ = killGroup(cmd.Process.Pid), cmd.Wait()
	c.reaped, c.state = true, cmd.ProcessState
}

func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }
