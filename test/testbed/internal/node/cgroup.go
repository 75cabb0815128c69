//go:build linux

package node

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const cgroups = "/sys/fs/cgroup"

// Cgroup is the name of the cgroup that a node's pods are in, at the root of each
// hierarchy.
func Cgroup(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return "apm-testbed-" + hex.EncodeToString(sum[:6])
}

// hierarchies are the mounted ones: one of version 2, or one per controller.
func hierarchies() ([]string, error) {
	if _, err := os.Stat(filepath.Join(cgroups, "cgroup.controllers")); err == nil {
		return []string{cgroups}, nil
	}
	entries, err := os.ReadDir(cgroups)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, entry := range entries {
		dir := filepath.Join(cgroups, entry.Name())
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil {
			dirs = append(dirs, dir)
		}
	}
	if len(dirs) == 0 {
		return nil, fmt.Errorf("no cgroups are mounted in %s", cgroups)
	}
	return dirs, nil
}

func makeCgroups(dir string) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range all {
		if err := os.Mkdir(filepath.Join(root, Cgroup(dir)), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// removeCgroups ends whatever still runs in them, which can only be something
// that a node of this directory started, and removes them.
func removeCgroups(dir string) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	var last error
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		last = nil
		for _, root := range all {
			last = errors.Join(last, removeCgroup(filepath.Join(root, Cgroup(dir))))
		}
		if last == nil || time.Now().After(deadline) {
			return last
		}
	}
}

func removeCgroup(top string) error {
	var dirs []string
	_ = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	var failed error
	for _, dir := range slices.Backward(dirs) {
		content, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for _, line := range strings.Fields(string(content)) {
			if pid, err := strconv.Atoi(line); err == nil && pid > 1 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, syscall.ENOENT) {
			failed = fmt.Errorf("remove cgroup %s: %w", dir, err)
		}
	}
	return failed
}
