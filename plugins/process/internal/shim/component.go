// Package shim keeps one component running: its instances, the sockets in front
// of them, and the operations that change it. It runs as a process of its own,
// outlives the plugin and the host, and is the only writer of the component's
// state file. Everything that it would need after being killed is in that file
// before it acts.
package shim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/apm-deploy/apm/plugins/process/internal/artifact"
	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/proxy"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

type component struct {
	dir      string
	identity atomic.Pointer[state.Identity] // empty until the first call names it
	store    artifact.Store
	observer artifact.Observer
	log      *slog.Logger
	hub      *hub
	sw       proxy.Switch
	drivers  sync.WaitGroup
	quit     context.Context // ends when the shim is told to end

	mu          sync.Mutex
	st          *state.State
	servers     []*control.Server // the newest last: an older one still has streams
	lock        *state.Lock
	serving     *track
	candidate   *track
	fronts      map[string]*proxy.Front         // by listen address
	frontErrors map[string]frontError           // of addresses that could not be opened
	driver      *driver                         // of the newest operation
	began       mark                            // where the events stood when it was accepted
	beganOp     string                          // its id; "" where an earlier shim accepted it
	ready       bool                            // the candidate was
	inForce     int                             // share of the traffic that the candidate gets
	unsaved     bool                            // the last save failed
	drifts      map[string]map[string]sdk.Drift // that stand, by kind and subject
	closing     bool
}

// save writes the state down. The caller holds c.mu; the write is done when
// save returns. A disk that is full or gone is logged and tried again by
// maintain: traffic must not stop because of it.
func (c *component) save() error {
	err := state.Save(c.dir, c.st)
	c.unsaved = err != nil
	if err != nil {
		c.log.Error("state could not be saved", "error", err)
	}
	return err
}

func (c *component) recordProcess(id string, pid int) {
	start := procinfo.StartOf(pid)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropProcess(id)
	if start == "" {
		return // ended already
	}
	c.st.Processes = append(c.st.Processes, state.Process{Instance: id, PID: pid, Start: start})
	_ = c.save()
}

func (c *component) forgetProcess(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropProcess(id)
}

func (c *component) dropProcess(id string) {
	kept := c.st.Processes[:0]
	for _, process := range c.st.Processes {
		if process.Instance != id {
			kept = append(kept, process)
		}
	}
	c.st.Processes = kept
}

// tag marks the processes of the component in dir, see procinfo.Marked.
func tag(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:6]) + "-"
}
