//go:build linux

package testbed_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apm-deploy/apm/test/testbed"
	"github.com/apm-deploy/apm/test/testbed/internal/node"
	"github.com/apm-deploy/apm/test/testbed/internal/place"
)

// TestKilled kills a supervisor with everything it carries, starts a second node
// in the same place, and leaves that alone until it ends for want of users:
// nothing is left either time.
func TestKilled(t *testing.T) {
	t.Parallel()
	testbed.Kubernetes(t) // skips where no node can run
	work, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	repository, err := place.Repository(work)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "node")
	o := node.Options{Dir: dir, Repository: repository, Progress: io.Discard, Idle: 3 * time.Second}
	t.Cleanup(func() {
		if err := node.Down(context.Background(), dir); err != nil {
			t.Error(err)
		}
	})
	start := func() *place.Lock {
		t.Helper()
		state, lock, err := node.Up(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(lock.Release)
		again, second, err := node.Up(t.Context(), o)
		if err != nil || !again.Started.Equal(state.Started) {
			t.Fatalf("a second user gets another node: %+v, %v, not %+v", again, err, state)
		}
		second.Release()
		return lock
	}
	lock := start()
	first := look(t, dir)
	pid := number(t, filepath.Join(dir, "testbed.pid"))
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testbed.Eventually(t, 20*time.Second, "nothing runs in the namespaces of a killed node", first.processes)

	lock.Release() // its user is gone too
	lock = start()
	second := look(t, dir)
	if again := number(t, filepath.Join(dir, "testbed.pid")); again == pid {
		t.Error("the second node has the supervisor of the first")
	}
	lock.Release()
	for name, traces := range map[string]traces{"killed": first, "unused": second} {
		testbed.Eventually(t, 30*time.Second, "nothing is left of the "+name+" node", traces.left)
	}
}

func number(t *testing.T, path string) int {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := bytes.Cut(content, []byte(" "))
	n, err := strconv.Atoi(string(first))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// traces are what a node can be known by when it is gone.
type traces struct{ dir, namespace, device string }

func look(t *testing.T, dir string) traces {
	t.Helper()
	state, err := node.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := os.Readlink("/proc/" + strconv.Itoa(number(t, filepath.Join(dir, "init.pid"))) + "/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	found := traces{dir: dir, namespace: namespace}
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range interfaces {
		addresses, _ := one.Addrs()
		for _, address := range addresses {
			if strings.HasPrefix(address.String(), state.HostAddress+"/") {
				found.device = one.Name
			}
		}
	}
	// What is looked for later is there now.
	if found.device == "" || found.processes() == nil {
		t.Fatalf("a running node has no interface or no process: %+v", found)
	}
	return found
}

// processes tells of one that is in the namespaces or has the directory in its
// arguments.
func (r traces) processes() error {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range all {
		namespace, err := os.Readlink(process + "/ns/net")
		command, _ := os.ReadFile(process + "/cmdline")
		if err == nil && (namespace == r.namespace || bytes.Contains(command, []byte(r.dir+"/"))) {
			return errors.New(process + ": " + string(bytes.ReplaceAll(command, []byte{0}, []byte(" "))))
		}
	}
	return nil
}

func (r traces) left() error {
	if r.dir == "" { // it never ran
		return nil
	}
	if err := r.processes(); err != nil {
		return err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	if strings.Contains(string(mounts), r.dir+"/") {
		return errors.New("a mount is left")
	}
	if _, err := os.Stat("/sys/class/net/" + r.device); err == nil && r.device != "" {
		return errors.New("interface " + r.device + " is left")
	}
	if _, err := os.Stat(r.dir); !errors.Is(err, fs.ErrNotExist) {
		return errors.New("the state directory is left")
	}
	left, _ := filepath.Glob("/sys/fs/cgroup/*/" + node.Cgroup(r.dir))
	unified, _ := filepath.Glob("/sys/fs/cgroup/" + node.Cgroup(r.dir))
	if left = append(left, unified...); len(left) > 0 {
		return errors.New("cgroup " + left[0] + " is left")
	}
	return nil
}
