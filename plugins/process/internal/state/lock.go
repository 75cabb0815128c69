package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrLocked is returned by TryLock while another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// Lock is an exclusive lock on a directory. It ends with the process that holds
// it, and is not inherited by processes that it starts.
type Lock struct{ file *os.File }

// TryLock takes the lock on dir, or returns ErrLocked.
func TryLock(dir string) (*Lock, error) { return lock(dir, unix.LOCK_EX|unix.LOCK_NB) }

// WaitLock takes the lock on dir and waits for it as long as it takes: for
// sections that end by themselves soon.
func WaitLock(dir string) (*Lock, error) { return lock(dir, unix.LOCK_EX) }

func lock(dir string, how int) (*Lock, error) {
	file, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %q: %w", dir, err)
	}
	for {
		err = unix.Flock(int(file.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		_ = file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, fmt.Errorf("lock %q: %w", dir, err)
	}
	return &Lock{file: file}, nil
}

// Held says whether the lock still guards dir: it does not when the directory
// was removed and perhaps made anew.
func (l *Lock) Held(dir string) bool {
	ours, err := l.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(filepath.Join(dir, ".lock"))
	return err == nil && os.SameFile(ours, there)
}

// Unlock gives the lock back.
func (l *Lock) Unlock() { _ = l.file.Close() }
