package demo

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// lingerTime is how long a process that supervised the application may take to
// end once nobody needs it.
const lingerTime = 10 * time.Second

// awaitGone waits until no process names the installation in its command line
// any more: those that outlive a host end a moment after what they looked after.
// One that stays is an error that names it. Where the system does not tell command
// lines, nothing is waited for.
func awaitGone(ctx context.Context, installation string) error {
	ctx, cancel := context.WithTimeout(ctx, lingerTime)
	defer cancel()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		pid := processNaming(installation)
		if pid == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %s still runs", pid)
		case <-ticker.C:
		}
	}
}

// processNaming returns the pid of a process that names the installation, or "".
func processNaming(installation string) string {
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || installation == "" {
		return ""
	}
	for _, path := range paths {
		if words, err := os.ReadFile(path); err == nil && bytes.Contains(words, []byte(installation)) {
			return filepath.Base(filepath.Dir(path))
		}
	}
	return ""
}

// removeTraces removes what the process platform keeps for rollbacks of an
// installation that will never be back.
func removeTraces(state, installation string) error {
	if state == "" || installation == "" {
		return nil
	}
	return os.RemoveAll(filepath.Join(state, installation))
}
