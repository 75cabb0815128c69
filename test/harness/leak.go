package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	apiv1 "github.com/apm-deploy/apm/api/v1"
)

// end removes what was deployed, ends the host, and looks for what is left.
func (h *Host) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if h.t.Failed() {
		h.report(ctx)
	}
	if h.Running() && h.Client != nil {
		if err := h.removeAll(ctx); err != nil {
			h.t.Errorf("remove what was deployed: %v", err)
		}
	}
	h.Stop()
	if h.Installation != "" {
		h.WriteConfig(h.DefaultConfig())
		h.CLI("plugin", "lock")
		// Hosts of other tests that are just starting may be one of this
		// installation, for all that doctor knows.
		if seen, ok := within(patience, func() (bool, string) {
			r := h.CLI("doctor", "--clean", "--yes", "--installation", h.Installation)
			return r.Code == 0, r.String()
		}); !ok {
			h.t.Errorf("clean up: %s", seen)
		}
	}
	h.NothingLeft()
	for _, pid := range h.Processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err := os.RemoveAll(h.Home); err != nil {
		h.t.Errorf("remove the home: %v", err)
	}
}

// NothingLeft fails the test when a process with this home is left, or when
// somebody listens on a port of the host or of an application.
func (h *Host) NothingLeft() {
	h.t.Helper()
	seen, ok := within(20*time.Second, func() (bool, string) {
		var left []string
		for _, pid := range h.Processes() {
			left = append(left, fmt.Sprintf("process %d: %s", pid, commandLine(pid)))
		}
		for _, port := range append([]int{h.Port}, h.ports...) {
			if !Free(port) {
				left = append(left, fmt.Sprintf("port %d is taken", port))
			}
		}
		return len(left) == 0, strings.Join(left, "\n")
	})
	if !ok {
		h.t.Errorf("left behind:\n%s", seen)
	}
}

// Processes returns the pids of all processes that have this home in their
// environment or command line.
func (h *Host) Processes() []int {
	var pids []int
	directories, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	for _, dir := range directories {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		for _, name := range []string{"environ", "cmdline"} {
			if content, err := os.ReadFile(filepath.Join(dir, name)); err == nil && bytes.Contains(content, []byte(h.Home)) {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

func commandLine(pid int) string {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return err.Error()
	}
	return string(bytes.ReplaceAll(content, []byte{0}, []byte{' '}))
}

// removeAll removes every target; one that a deployment holds is let go first.
func (h *Host) removeAll(ctx context.Context) error {
	for range 10 {
		targets, err := h.Client.Targets(ctx)
		if err != nil {
			return err
		}
		left := false
		for _, target := range targets.Targets {
			if slices.Contains(h.faked, target.Application) {
				continue // files, on a platform that may not be well
			}
			open := target.Queue
			if target.Holder != "" {
				open = append(open, target.Holder)
			}
			for _, id := range open {
				left = true
				_, _ = h.Client.Cancel(ctx, id, "the test ends", "") // it may have ended, or be rolling back
				if err := h.settled(ctx, id); err != nil {
					return err
				}
			}
			if len(open) > 0 || len(target.Components) == 0 {
				continue
			}
			left = true
			d, err := h.Client.Remove(ctx, target.Application, target.Environment, apiv1.RemoveRequest{Reason: "the test ends"}, "")
			if err != nil {
				return err
			}
			if err := h.settled(ctx, d.ID); err != nil {
				return err
			}
		}
		if !left {
			return nil
		}
	}
	return errors.New("something still runs")
}

func (h *Host) settled(ctx context.Context, id string) error {
	if seen, ok := within(patience, func() (bool, string) {
		d, err := h.Client.Get(ctx, id)
		if err != nil {
			return false, err.Error()
		}
		return Terminal(d.Status) && d.EndedAt != nil, d.Status + ": " + d.Reason
	}); !ok {
		return fmt.Errorf("deployment %s does not end: %s", id, seen)
	}
	return nil
}
