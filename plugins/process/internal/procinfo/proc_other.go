//go:build !linux

package procinfo

import (
	"os"
	"strconv"
	"syscall"
)

// StartOf returns a mark of the process, or "" if it does not run. Without a
// start time the mark is the pid alone.
func StartOf(pid int) string {
	if syscall.Kill(pid, 0) != nil {
		return ""
	}
	return "pid-" + strconv.Itoa(pid)
}

// Marked is not known here.
func Marked(string) []Process { return nil }

// Shims is not known here.
func Shims(string) []Shim { return nil }

// Holder is not known here.
func Holder(string) string { return "" }

// Programs are not known here.
func Programs(func(executable string, args []string) bool) []Program { return nil }

// ProgramOf is not known here.
func ProgramOf(int) (Program, bool) { return Program{}, false }

// Listener is not known here.
func Listener(string, ...int) (Socket, bool) { return Socket{}, false }

// Held is not known here.
func (s Socket) Held() bool { return s.fd != "" && s.inode != "" }

// GroupOf returns the process group of a process, 0 if it does not run.
func GroupOf(pid int) int {
	group, err := syscall.Getpgid(pid)
	if err != nil {
		return 0
	}
	return group
}

// Self is the path by which this binary can be started again.
func Self() (string, error) { return os.Executable() }

// Rename gives this process another name, which only Linux needs.
func Rename(string) error { return nil }
