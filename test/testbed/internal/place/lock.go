package place

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// A Lock is a file that one process holds alone, or several share. The system
// takes it back from a process that dies.
type Lock struct{ file *os.File }

// ErrHeld is returned by Try for a lock that somebody else has.
var ErrHeld = errors.New("lock is held by another process")

// Try takes a lock without waiting; ErrHeld when it cannot be had.
func Try(path string, shared bool) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	for {
		err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return &Lock{file: file}, nil
		case errors.Is(err, syscall.EINTR):
			continue
		}
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrHeld
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
}

// Take waits for a lock until the context ends. waiting is called once when it
// is not free at once.
func Take(ctx context.Context, path string, shared bool, waiting func()) (*Lock, error) {
	for first := true; ; first = false {
		lock, err := Try(path, shared)
		if !errors.Is(err, ErrHeld) {
			return lock, err
		}
		if first && waiting != nil {
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock %s: %w", path, context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Release gives the lock back. A nil lock is none.
func (l *Lock) Release() {
	if l != nil {
		_ = l.file.Close()
	}
}
