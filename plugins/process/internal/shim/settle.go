package shim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/record"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

func timeout(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// settle gives the new release all traffic and ends the old one, whose requests
// under way are waited for.
func (c *component) settle(d *driver, t *track) {
	op := c.operation(d.id)
	c.mu.Lock()
	old := c.serving
	c.serving, c.candidate, c.ready = t, nil, false
	t.deployed.Replaced = replaced(op, old)
	c.st.Serving = &t.deployed
	c.keepArtifact(t.deployed.Release)
	c.drifts = nil
	if op := c.st.Operation(d.id); op != nil {
		op.Phase = state.PhaseSettling
	}
	_ = c.save()
	c.sw.Set(t.group, nil, 0)
	c.mu.Unlock()
	if old != nil {
		c.retire(old)
	} else {
		c.closeFronts(t.deployed.Release.Drain)
	}
	c.succeed(d.id)
}

// retire ends a release that gets no new traffic any more.
func (c *component) retire(t *track) {
	drain := t.deployed.Release.Drain
	ctx, cancel := timeout(drain)
	defer cancel()
	if left := t.group.Drained(ctx); left > 0 {
		c.log.Warn("requests were still under way at the end of drain", "requests", left, "version", t.deployed.Version)
	}
	c.stop(t)
	c.closeFronts(drain)
}

// discard ends a candidate and leaves the old release as it was.
func (c *component) discard(t *track) {
	c.mu.Lock()
	c.candidate, c.ready = nil, false
	c.sw.Set(c.servingGroup(), nil, 0)
	c.mu.Unlock()
	c.retire(t)
}

// leftAs says what the end of a candidate left behind.
func (c *component) leftAs() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.st.Serving == nil {
		return "nothing runs, as before"
	}
	return fmt.Sprintf("version %s serves as before", c.st.Serving.Version)
}

// remove ends everything that the component has.
func (c *component) remove(d *driver) {
	c.setPhase(d.id, state.PhaseRemoving)
	c.mu.Lock()
	old := c.serving
	c.serving = nil
	c.mu.Unlock()
	if old != nil {
		c.closeFronts(old.deployed.Release.Drain) // waits for requests, lets no new ones in
		c.retire(old)
	}
	c.sw.Set(nil, nil, 0)
	killAll(procinfo.Marked(tag(c.dir))) // what left its group
	c.mu.Lock()
	c.st.Serving, c.st.Processes = nil, nil // the artifacts stay: a removal can be rolled back
	c.mu.Unlock()
	if err := os.RemoveAll(filepath.Join(c.dir, logsDir)); err != nil {
		c.log.Warn("logs could not be removed", "error", err)
	}
	c.finish(d.id, sdk.Outcome{Result: sdk.ResultSucceeded, Message: "removed"})
}

func (c *component) succeed(id string) {
	c.mu.Lock()
	t := c.serving
	c.mu.Unlock()
	outcome := sdk.Outcome{Result: sdk.ResultSucceeded}
	if t != nil {
		outcome.Revision = t.deployed.Version
		outcome.Addresses = publicAddresses(t)
		outcome.Message = fmt.Sprintf("version %s serves with %d instances", t.deployed.Version, len(t.members))
	}
	c.finish(id, outcome)
}

func (c *component) fail(id string, failure *sdk.Failure) {
	c.log.Warn("operation failed", "operation", id, "code", failure.Code, "reason", failure.Message)
	c.finish(id, sdk.Outcome{Result: sdk.ResultFailed, Message: failure.Message + "; " + c.leftAs(), Failure: failure})
}

// finish records the outcome, then tells it.
func (c *component) finish(id string, outcome sdk.Outcome) {
	c.mu.Lock()
	if op := c.st.Operation(id); op != nil {
		if op.Goal != nil && outcome.Result != sdk.ResultSucceeded {
			c.st.Tried = op.Goal.Release.Artifact
		}
		op.Outcome, op.Phase, op.Finished, op.Goal = record.OfOutcome(&outcome), state.PhaseFinished, time.Now(), nil
	}
	if c.st.Active == id {
		c.st.Active = ""
	}
	_ = c.save()
	c.mu.Unlock()
	c.hub.append(id, sdk.Event{Outcome: &outcome})
	c.tidy()
}

// keptLogs is how many releases keep their logs.
const keptLogs = 3

// tidy removes what no release needs any more.
func (c *component) tidy() {
	if err := c.store.Prune(time.Now(), c.usedArtifacts); err != nil {
		c.log.Warn("artifacts could not be pruned", "error", err)
	}
	c.mu.Lock()
	newest := c.st.Generation
	serving := c.generation()
	c.mu.Unlock()
	entries, err := os.ReadDir(filepath.Join(c.dir, logsDir))
	if err != nil {
		return
	}
	for _, entry := range entries {
		number, _, _ := strings.Cut(entry.Name(), "-")
		generation, err := strconv.Atoi(number)
		if err == nil && generation != serving && generation <= newest-keptLogs {
			_ = os.Remove(filepath.Join(c.dir, logsDir, entry.Name()))
		}
	}
}

// usedArtifacts names what any component of the installation may need again. A
// state that cannot be read could name anything: then nothing is pruned.
func (c *component) usedArtifacts() (map[string]bool, error) {
	installation := state.InstallationDir(c.dir)
	layout := state.Layout{Root: filepath.Dir(installation)}
	dirs, err := layout.ComponentsIn(filepath.Base(installation))
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, dir := range dirs {
		st, err := state.Load(dir)
		if errors.Is(err, state.ErrNone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, digest := range append(st.Artifacts, st.Tried) {
			used[digest] = true
		}
		if st.Serving != nil {
			used[st.Serving.Release.Artifact] = true
		}
		for _, op := range st.Operations {
			if op.Goal != nil {
				used[op.Goal.Release.Artifact] = true
			}
		}
	}
	return used, nil
}

// Claim names the claim of the component in dir on an artifact.
func Claim(dir string) string { return strings.TrimSuffix(tag(dir), "-") }
