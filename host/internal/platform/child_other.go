//go:build !linux

package platform

import (
	"os/exec"
	"syscall"
)

// attributes give the process a group of its own. That it ends with the host is
// left to the lifeline and to the plugin's look at its parent.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// reap waits for the end of the process and ends what is left of its group.
func (c *child) reap(cmd *exec.Cmd) {
	// How the plugin ended is read from its state.
	_ = cmd.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = killGroup(cmd.Process.Pid)
	c.reaped, c.state = true, cmd.ProcessState
}

func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }
