//go:build linux

package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// sysctls that kubelet wants to have. It finds them in files of its own, so that
// those of the machine stay as they are.
var sysctls = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// A mounting is one step to the file system that the node sees.
type mounting struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

// arrangeMounts runs in the namespaces of the node: the machine sees nothing of
// it.
func (a arrangement) arrangeMounts() error {
	const plain = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC
	held := filepath.Join(a.Dir, "cgroup")
	steps := []mounting{
		{target: "/", flags: syscall.MS_REC | syscall.MS_PRIVATE},
		{source: "proc", target: "/proc", kind: "proc", flags: plain},
		// /sys/class/net is that of the namespace only in a new sysfs; the cgroups
		// that are mounted in the old one are carried over.
		{source: cgroups, target: held, flags: syscall.MS_BIND | syscall.MS_REC},
		{source: "sysfs", target: "/sys", kind: "sysfs", flags: plain},
		{source: held, target: cgroups, flags: syscall.MS_BIND | syscall.MS_REC},
		{source: a.Programs, target: filepath.Join(a.Dir, "programs"), flags: syscall.MS_BIND},
		{source: filepath.Join(a.Dir, "var/lib"), target: "/var/lib", flags: syscall.MS_BIND},
		{source: filepath.Join(a.Dir, "var/log"), target: "/var/log", flags: syscall.MS_BIND},
		{source: "tmpfs", target: "/run", kind: "tmpfs", flags: syscall.MS_NOSUID | syscall.MS_NODEV, data: "mode=755"},
	}
	if info, err := os.Lstat("/var/run"); err == nil && info.IsDir() {
		steps = append(steps, mounting{source: "/run", target: "/var/run", flags: syscall.MS_BIND})
	}
	for name, value := range sysctls {
		file := filepath.Join(a.Dir, "sysctl", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if _, err := os.Stat("/proc/sys/" + name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		steps = append(steps, mounting{source: file, target: "/proc/sys/" + name, flags: syscall.MS_BIND})
	}
	// Volumes may ask for propagation between pods and node.
	steps = append(steps, mounting{target: "/", flags: syscall.MS_REC | syscall.MS_SHARED})
	for _, dir := range []string{"cgroup", "programs", "var/lib", "var/log", "logs"} {
		if err := os.MkdirAll(filepath.Join(a.Dir, dir), 0o755); err != nil {
			return err
		}
	}
	for _, m := range steps {
		if err := syscall.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.source, m.target, err)
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}
