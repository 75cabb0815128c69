//go:build linux

package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/test/testbed/internal/place"
)

// Down ends the node of a directory and removes everything of it, also what a
// killed one left. It is no error when there is none.
func Down(ctx context.Context, dir string) error {
	lock, err := place.Take(ctx, startLock(dir), false, nil)
	if err != nil {
		return err
	}
	defer lock.Release()
	return clean(dir)
}

// DownUnlessKept is Down for a node that nobody asked to keep and nobody uses.
func DownUnlessKept(ctx context.Context, dir string) error {
	if kept(dir) {
		return nil
	}
	alone, err := place.Try(UsersLock(dir), false)
	if errors.Is(err, place.ErrHeld) {
		return nil
	}
	if err != nil {
		return err
	}
	defer alone.Release()
	return Down(ctx, dir)
}

// clean is called with the lock of starts held.
func clean(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	// The supervisor tidies up by itself when it can.
	if err := kill(pidFile(dir), syscall.SIGTERM, 20*time.Second); err != nil {
		if err := kill(pidFile(dir), syscall.SIGKILL, 5*time.Second); err != nil {
			return err
		}
	}
	if err := kill(initFile(dir), syscall.SIGKILL, 10*time.Second); err != nil {
		return err
	}
	if err := removeCgroups(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the state directory: %w", err)
	}
	return nil
}

// Tail returns the last lines of the logs of a node, the most telling ones last.
func Tail(dir string) string {
	const lines = 15
	files, _ := filepath.Glob(filepath.Join(dir, "logs", "*.log"))
	slices.SortFunc(files, func(a, b string) int { return modified(a).Compare(modified(b)) })
	var b strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil || len(content) == 0 {
			continue
		}
		last := strings.Split(strings.TrimSpace(string(content)), "\n")
		last = last[max(0, len(last)-lines):]
		fmt.Fprintf(&b, "---- %s ends with:\n%s\n", filepath.Base(file), strings.Join(last, "\n"))
	}
	return b.String()
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
