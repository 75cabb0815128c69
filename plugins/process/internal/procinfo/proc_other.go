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

// Self is the path by which this binary can be started again.
func Self() (string, error) { return os.Executable() }
