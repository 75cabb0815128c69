// Package procinfo asks the kernel about processes: when one started, who holds
// a port, which shims run. Where the kernel does not tell, the answer is "not
// known"; nothing here ever guesses, and nothing changes a process.
package procinfo

import (
	"fmt"
	"path/filepath"
)

// InstanceVariable is in the environment of every instance and of all that an
// instance starts. Its value begins with the tag of the component's directory.
const InstanceVariable = "APM_INSTANCE"

// ShimCommand is the argument that makes the plugin's binary a shim, DirFlag
// names its directory, and ShimName is what ps and ss call it.
const (
	ShimCommand = "shim"
	DirFlag     = "--dir"
	ShimName    = "apm-shim"
)

// Process is a process with its start time: together they are never reused.
type Process struct {
	PID   int
	Start string
}

// Before says whether p started before other, as far as the kernel's clock tells
// them apart; of two that started together one is before the other all the same.
func (p Process) Before(other Process) bool {
	if len(p.Start) != len(other.Start) { // decimal numbers without leading zeros
		return len(p.Start) < len(other.Start)
	}
	if p.Start != other.Start {
		return p.Start < other.Start
	}
	return p.PID < other.PID
}

// Shim is a shim that runs.
type Shim struct {
	Process
	Dir string
}

// Program is a process with what it runs.
type Program struct {
	Process
	Executable string // the file, links resolved
	Args       []string
	Dir        string // where it works
	User       string // whose it is; a number where there is no name
	Mark       string // its InstanceVariable: it is an instance of some component, or came of one
	Hidden     bool   // we may not see whether it has a mark
}

// Socket is a socket that listens, as one descriptor of a process.
type Socket struct {
	PID   int
	fd    string // its link in /proc
	inode string
}

// String names it for people.
func (p Program) String() string {
	name := p.Executable
	if len(p.Args) > 0 {
		name = p.Args[0]
	}
	return fmt.Sprintf("pid %d (%s)", p.PID, filepath.Base(name))
}
