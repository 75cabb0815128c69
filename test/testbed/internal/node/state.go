//go:build linux

package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Name is that of the node in its cluster.
const Name = "testbed"

// A State is what others need to know of a running node.
type State struct {
	Started time.Time `json:"started"`
	// Dir is the state directory.
	Dir string `json:"dir"`
	// Kubeconfig is a file for a member of system:masters.
	Kubeconfig string `json:"kubeconfig"`
	// Programs is where kubectl and the others are.
	Programs string `json:"programs"`
	// Version is that of Kubernetes.
	Version string `json:"version"`
	// Address is that of the node as the machine sees it: NodePorts answer there.
	Address string `json:"address"`
	// HostAddress is that of the machine as the node and its pods see it.
	HostAddress string `json:"host_address"`
	// Registry is the address of the node's own registry, on the machine and in
	// the node alike.
	Registry string `json:"registry"`
	// Fingerprint tells of which sources the node is.
	Fingerprint string `json:"fingerprint"`
	// Kept nodes stay when nobody uses them.
	Kept bool `json:"kept"`
}

// The files of a state directory that others look at. Locks stand beside it: the
// directory comes and goes.
func pidFile(dir string) string   { return filepath.Join(dir, "testbed.pid") }
func initFile(dir string) string  { return filepath.Join(dir, "init.pid") }
func stateFile(dir string) string { return filepath.Join(dir, "state.json") }
func socket(dir string) string    { return filepath.Join(dir, "control.sock") }
func logFile(dir, name string) string {
	return filepath.Join(dir, "logs", name+".log")
}

// UsersLock is shared by everybody who uses the node of a directory.
func UsersLock(dir string) string { return dir + ".users" }

func startLock(dir string) string { return dir + ".lock" }

// Read returns the state of the node of a directory; fs.ErrNotExist when none is
// running there, or none that is ready.
func Read(dir string) (*State, error) {
	content, err := os.ReadFile(stateFile(dir))
	if err != nil {
		return nil, err
	}
	state := new(State)
	if err := json.Unmarshal(content, state); err != nil {
		return nil, fmt.Errorf("read %s: %w", stateFile(dir), err)
	}
	if _, alive := running(pidFile(dir)); !alive {
		return nil, fmt.Errorf("the node of %s is gone: %w", dir, fs.ErrNotExist)
	}
	return state, nil
}

func (s *State) write() error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(stateFile(s.Dir), append(content, '\n'))
}

func replaceFile(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// writePID notes a process with the moment of its start, so that another one
// that gets its number later is not taken for it.
func writePID(path string, pid int) error {
	since, err := startTime(pid)
	if err != nil {
		return err
	}
	return replaceFile(path, fmt.Appendf(nil, "%d %s\n", pid, since))
}

// running says which process a pid file names, and whether it is alive.
func running(path string) (pid int, alive bool) {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	number, since, _ := bytes.Cut(bytes.TrimSpace(content), []byte(" "))
	if pid, err = strconv.Atoi(string(number)); err != nil || pid <= 1 {
		return 0, false
	}
	now, err := startTime(pid)
	return pid, err == nil && now == string(since)
}

// startTime is the 22nd field of /proc/PID/stat; a process that has ended but was
// not waited for counts as gone.
func startTime(pid int) (string, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The name, in parentheses, may hold blanks.
	fields := bytes.Fields(content[bytes.LastIndexByte(content, ')')+1:])
	if len(fields) < 20 {
		return "", fmt.Errorf("read the start of process %d: %q", pid, content)
	}
	if state := string(fields[0]); state == "Z" || state == "X" {
		return "", errors.New("process has ended")
	}
	return string(fields[19]), nil
}

// kill ends the process of a pid file and waits until it is gone.
func kill(path string, signal syscall.Signal, patience time.Duration) error {
	pid, alive := running(path)
	if !alive {
		return nil
	}
	if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal process %d of %s: %w", pid, path, err)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, alive := running(path); !alive {
			return nil
		}
	}
	return fmt.Errorf("process %d of %s is still there %s after signal %v", pid, path, patience, signal)
}
