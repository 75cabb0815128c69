package shim

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
)

const (
	maintainEvery = 2 * time.Second
	idleEvery     = 100 * time.Millisecond
	idleEnd       = time.Second // of nobody asking, once there is nothing to run
)

// maintain looks after what somebody else may have taken away, until the shim
// has nothing to do any more or is told to end.
func (c *component) maintain(reopen func() error) {
	tick := time.NewTicker(maintainEvery)
	defer tick.Stop()
	idle := time.NewTicker(idleEvery)
	defer idle.Stop()
	drift := newDriftWatch(c)
	for {
		select {
		case <-c.quit.Done():
			return
		case <-idle.C:
			if c.mayEnd() {
				return
			}
		case <-tick.C:
			if err := c.restoreFiles(); err != nil {
				c.log.Error("state directory could not be restored", "error", err)
			}
			if err := reopen(); err != nil {
				c.log.Error("control socket could not be restored", "error", err)
			}
			c.reopenFronts()
			drift.look()
		}
	}
}

// mayEnd decides, once and for all, that there is nothing to do any more.
func (c *component) mayEnd() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.st.Tombstone() || c.driverRuns() {
		return false
	}
	for _, server := range c.servers {
		if since, idle := server.Idle(); !idle || time.Since(since) < idleEnd {
			return false
		}
	}
	c.closing = true
	return true
}

func (c *component) driverRuns() bool {
	if c.driver == nil {
		return false
	}
	select {
	case <-c.driver.done:
		return false
	default:
		return true
	}
}

// restoreFiles writes the state again if its file is gone, so that the component
// can be found and removed, or could not be written before.
func (c *component) restoreFiles() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.lock.Held(c.dir) {
		if err := os.MkdirAll(filepath.Join(c.dir, logsDir), 0o700); err != nil {
			return fmt.Errorf("make state directory: %w", err)
		}
		lock, err := state.TryLock(c.dir)
		if err != nil {
			return err
		}
		c.lock.Unlock()
		c.lock = lock
	}
	if _, err := os.Lstat(filepath.Join(c.dir, state.FileName)); c.unsaved || errors.Is(err, fs.ErrNotExist) {
		return c.save()
	}
	return nil
}

// frontError is why an address could not be opened.
type frontError struct {
	message string
	by      string // who has it; "" where nobody does
}

// reopenFronts tries again the addresses that the serving release should have.
func (c *component) reopenFronts() {
	c.mu.Lock()
	t := c.serving
	c.mu.Unlock()
	if t == nil {
		return
	}
	for _, port := range t.deployed.Release.Ports {
		if err := c.openFront(port.Listen); err != nil {
			problem := frontError{message: frontFailure(port, err).Message}
			if inUse(err) {
				problem.by = cmp.Or(procinfo.Holder(port.Listen), "unknown")
			}
			c.mu.Lock()
			c.frontErrors[port.Listen] = problem
			c.mu.Unlock()
		}
	}
}

// reopener keeps the control socket reachable.
func reopener(path string, listen func() error) func() error {
	return func() error {
		if _, err := os.Lstat(path); err == nil {
			return nil
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("make socket directory: %w", err)
		}
		return listen()
	}
}
