package platform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const (
	runPrefix = "apm-plugin-"
	// maxSocketPath is the longest path of a Unix socket that every system takes;
	// longestSocket stands for the name that a plugin makes up below the run
	// directory.
	maxSocketPath = 104
	longestSocket = "plugin1234567890"
	runLock       = "lock"
	sweepAfter    = time.Minute
)

// runDir is the directory of one start, for the plugin's socket. A lock on a
// file in it, which ends with the host's process whatever ends that, says that
// it is in use.
type runDir struct {
	path string
	lock *os.File
}

// runBases are where run directories may lie: the one that was named, else those
// that there are.
func runBases(named string) []string {
	if named != "" {
		return []string{named}
	}
	var bases []string
	for _, base := range []string{os.Getenv("XDG_RUNTIME_DIR"), "/tmp", os.TempDir()} {
		if base != "" && !slices.Contains(bases, base) {
			bases = append(bases, base)
		}
	}
	return bases
}

// newRunDir makes a private directory whose path is short enough for sockets.
func newRunDir(base string) (*runDir, error) {
	var found []error
	for _, base := range runBases(base) {
		dir, err := makeRunDir(base)
		if err == nil {
			return dir, nil
		}
		found = append(found, err)
	}
	return nil, unusable(errors.Join(found...), "set XDG_RUNTIME_DIR to a short directory that the host may write",
		"make run directory: %v", errors.Join(found...))
}

func makeRunDir(base string) (_ *runDir, err error) {
	if !filepath.IsAbs(base) {
		return nil, fmt.Errorf("%q is not absolute", base)
	}
	path, err := os.MkdirTemp(base, runPrefix) // mode 0700
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}()
	path = filepath.Clean(path)
	if length := len(path) + 1 + len(longestSocket); length > maxSocketPath {
		return nil, fmt.Errorf("%q is too long a path: its sockets would have %d bytes, the limit is %d", base, length, maxSocketPath)
	}
	lock, err := os.OpenFile(filepath.Join(path, runLock), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock run directory: %w", err), lock.Close())
	}
	return &runDir{path, lock}, nil
}

func (d *runDir) remove() error {
	return errors.Join(os.RemoveAll(d.path), d.lock.Close())
}

// sweepRunDirs removes the run directories of hosts that were killed.
func sweepRunDirs(base string) error {
	var found []error
	for _, base := range runBases(base) {
		dirs, err := filepath.Glob(filepath.Join(base, runPrefix+"*"))
		found = append(found, err)
		for _, dir := range dirs {
			if abandoned(dir) {
				found = append(found, os.RemoveAll(dir))
			}
		}
	}
	return errors.Join(found...)
}

// abandoned says whether dir is ours and nobody holds its lock. A young one may
// not have its lock yet.
func abandoned(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || time.Since(info.ModTime()) < sweepAfter {
		return false
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Getuid() {
		return false
	}
	lock, err := os.Open(filepath.Join(dir, runLock))
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	defer func() { _ = lock.Close() }()
	return syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
