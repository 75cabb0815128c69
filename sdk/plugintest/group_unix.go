//go:build unix

package plugintest

import (
	"os/exec"
	"syscall"
)

// inGroup has a plugin lead a process group, as the host does: what belongs to the
// plugin ends with it, and what it deployed must not.
func inGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends the plugin and what it left in its group.
func killGroup(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended by itself
}
