package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/live"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

const (
	// cleanTime is how long it may take to remove what was deployed.
	cleanTime = 2 * time.Minute
	// rounds is how often targets are looked at again: a deployment that is
	// cancelled restores what ran before, which then is removed.
	rounds = 5
)

// cleanUp removes what was deployed, ends the processes and wipes the
// directory. Without a host there is nothing to remove.
func (d *demo) cleanUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, cleanTime)
	defer cancel()
	var err error
	if d.load != nil {
		_ = d.load.stop() // its counts are of no use any more
		d.load = nil
	}
	if d.host == nil {
		return d.dir.wipe()
	}
	installation := ""
	if d.client != nil {
		if health, err := d.client.Health(ctx); err == nil {
			installation = health.Installation
		}
		err = d.removeAll(ctx)
	}
	d.host.stop(ctx)
	if err == nil {
		err = awaitGone(ctx, installation)
	}
	if err != nil {
		return fmt.Errorf("remove what the demo deployed: %w", err)
	}
	return errors.Join(removeTraces(d.PlatformState, installation), d.dir.wipe())
}

// removeAll removes every target of the host.
func (d *demo) removeAll(ctx context.Context) error {
	for range rounds {
		targets, err := d.client.Targets(ctx)
		if err != nil {
			return err
		}
		left := false
		for _, target := range targets.Targets {
			for _, id := range append(target.Queue, target.Holder) {
				if id == "" {
					continue
				}
				left = true
				if err := d.settle(ctx, id); err != nil {
					return err
				}
			}
			if target.Holder != "" || len(target.Components) == 0 {
				continue
			}
			left = true
			if err := d.removeTarget(ctx, target); err != nil && !held(err) {
				return err
			}
		}
		if !left {
			return nil
		}
	}
	return errors.New("something still runs")
}

// settle cancels an open deployment and waits until it has ended. One that can
// no longer be cancelled ends by itself.
func (d *demo) settle(ctx context.Context, id string) error {
	if _, err := d.client.Cancel(ctx, id, "the demo ends", ""); err != nil && ctx.Err() != nil {
		return err
	}
	_, err := d.await(ctx, id, 0)
	return err
}

func (d *demo) removeTarget(ctx context.Context, target apiv1.Target) error {
	removal, err := d.client.Remove(ctx, target.Application, target.Environment, apiv1.RemoveRequest{Reason: "the demo ends"}, "")
	if err != nil {
		return err
	}
	state, err := d.await(ctx, removal.ID, max(removal.Run, 1))
	if err != nil {
		return err
	}
	if deployment.Status(state.Status) != deployment.Completed {
		return fmt.Errorf("the removal of %s ended %s: %s", target.Application, state.Status, state.Reason)
	}
	return nil
}

// held says whether something was refused because a deployment was accepted since
// somebody looked: whoever looks again finds it.
func held(err error) bool {
	var problem *client.Problem
	return errors.As(err, &problem) && problem.Status == http.StatusConflict
}

// await follows a deployment silently.
func (d *demo) await(ctx context.Context, id string, run int) (*live.State, error) {
	stream := func(ctx context.Context, yield func(apiv1.Event) error) error {
		return d.client.Watch(ctx, id, client.FromNow, yield)
	}
	return live.Follow(ctx, stream, live.Config{Run: run, Event: func(apiv1.Event) error { return nil }})
}

// cleanEarlier removes what a demo left that was killed: its host may still
// run, and what it deployed does.
func (d *demo) cleanEarlier(ctx context.Context) error {
	if running, err := readHostFile(d.dir.path(hostFile)); err == nil && running.PID > 0 && d.isOurs(ctx, running) {
		if err := endProcess(ctx, running.PID); err != nil {
			return fmt.Errorf("end the host of the earlier demo (pid %d): %w", running.PID, err)
		}
	}
	if _, err := os.Stat(d.dir.path(configFile)); err != nil {
		return d.dir.wipe()
	}
	// The programs may have been built anew since.
	if err := d.prepare(ctx); err != nil {
		return err
	}
	if err := d.start(ctx); err != nil {
		return fmt.Errorf("start the host of the earlier demo: %w; clean up with: %s, then remove %s", err, d.CleanUp, d.dir.root)
	}
	err := d.cleanUp(ctx)
	d.host, d.client = nil, nil
	return err
}

// isOurs says whether the host that a file names still runs: pids are used
// again, so it must say itself that it is the one.
func (d *demo) isOurs(ctx context.Context, running holder) bool {
	host, err := d.Connect()
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	health, err := host.Health(ctx)
	return err == nil && health.PID == running.PID
}

// endProcess ends a process that is no child, and waits until it is gone.
func endProcess(ctx context.Context, pid int) error {
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return ignoreGone(err)
	}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	deadline := time.NewTimer(stopTime)
	defer deadline.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return ignoreGone(syscall.Kill(pid, syscall.SIGKILL))
		case <-ticker.C:
			if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
				return nil
			}
		}
	}
}

func ignoreGone(err error) error {
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}
