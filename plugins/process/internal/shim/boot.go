package shim

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/artifact"
	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/proxy"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
)

// run is the life of a shim that holds the lock on dir. started is called once
// it answers.
func run(quit context.Context, dir string, lock *state.Lock, log *slog.Logger, started func()) error {
	st, err := state.Load(dir)
	if errors.Is(err, state.ErrNone) {
		st, err = &state.State{}, nil
	}
	if err != nil {
		return err
	}
	socket, err := control.SocketPath(dir)
	if err != nil {
		return err
	}
	st.Nonce = newNonce()
	st.Shim = state.Shim{PID: os.Getpid(), Start: procinfo.StartOf(os.Getpid()), Socket: socket}
	sum := sha256.Sum256([]byte(st.Nonce))
	c := &component{
		dir: dir, store: artifact.Store{Dir: state.ArtifactsOf(dir)}, log: log,
		hub: newHub(hex.EncodeToString(sum[:8])), quit: quit, st: st, lock: lock,
		fronts: map[string]*proxy.Front{}, frontErrors: map[string]frontError{},
	}
	identity := st.Identity
	c.identity.Store(&identity)
	killLeftovers(st, dir)
	st.Processes = nil
	if err := state.Save(dir, st); err != nil {
		return err
	}
	if err := c.resume(); err != nil {
		return err
	}
	listen := func() error {
		listener, err := control.Listen(socket)
		if err != nil {
			return err
		}
		server := control.Serve(listener, st.Nonce, c.handle)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.servers = append(c.servers, server)
		return nil
	}
	if err := listen(); err != nil {
		return err
	}
	started()
	c.maintain(reopener(socket, listen))
	c.end()
	for _, server := range c.servers {
		server.Close()
	}
	return nil
}

func newNonce() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails
	return hex.EncodeToString(raw[:])
}

// resume brings the component to where its state says it should be.
func (c *component) resume() error {
	if c.st.Serving != nil {
		active := c.st.Operation(c.st.Active)
		if active == nil || active.Phase != state.PhaseRemoving {
			t, err := c.startTrack(*c.st.Serving)
			if err != nil {
				return err
			}
			c.mu.Lock()
			c.serving = t
			c.sw.Set(t.group, nil, 0)
			c.mu.Unlock()
			c.reopenFronts()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, op := range c.st.Operations { // in order: a superseded one before the one after it
		if op.Outcome == nil && op.Phase != state.PhaseFinished {
			c.drive(op.ID)
		}
	}
	return nil
}

// end stops everything without a change to what the state says: the next shim
// brings it back. Where the state is a tombstone there is nothing to stop.
func (c *component) end() {
	c.drivers.Wait()
	c.mu.Lock()
	tracks := []*track{c.serving, c.candidate}
	fronts := c.fronts
	c.fronts = map[string]*proxy.Front{}
	c.mu.Unlock()
	for _, front := range fronts {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		front.Close(ctx)
		cancel()
	}
	for _, t := range tracks {
		if t != nil {
			c.stop(t)
		}
	}
}

// leftoverGrace is what processes of a killed shim get to end by themselves.
const leftoverGrace = 2 * time.Second

// killLeftovers ends the instances of an earlier shim that was killed: their
// output goes nowhere and nobody restarts them.
func killLeftovers(st *state.State, dir string) {
	found := procinfo.Marked(tag(dir))
	for _, p := range st.Processes {
		if p.PID > 0 && p.Start != "" && procinfo.StartOf(p.PID) == p.Start {
			found = append(found, procinfo.Process{PID: p.PID, Start: p.Start})
		}
	}
	killAll(found)
}

func killAll(processes []procinfo.Process) {
	deadline := time.Now().Add(leftoverGrace)
	signal := syscall.SIGTERM
	for {
		left := processes[:0]
		for _, p := range processes {
			if procinfo.StartOf(p.PID) == p.Start {
				left = append(left, p)
			}
		}
		if processes = left; len(left) == 0 {
			return
		}
		for _, p := range left {
			if syscall.Getpgrp() != p.PID {
				_ = syscall.Kill(p.PID, signal)
			}
		}
		switch {
		case signal == syscall.SIGTERM:
			signal = 0 // asked once, looked at until the grace is over
		case time.Now().After(deadline):
			if signal == syscall.SIGKILL {
				return // the kernel ends them when it can
			}
			signal, deadline = syscall.SIGKILL, time.Now().Add(leftoverGrace)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// prepare makes the component's directory, private to this user. Those above
// can be passed through, so that instances of another user reach the artifacts.
func prepare(dir string) error {
	if err := os.MkdirAll(state.InstallationDir(dir), 0o711); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, logsDir), 0o700); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	return nil
}
