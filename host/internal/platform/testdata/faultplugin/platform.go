package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
)

// platform answers Probe, and fails as the mode says.
type platform struct {
	sdk.Platform

	log *slog.Logger
}

func (p *platform) Configure(ctx context.Context, r sdk.ConfigureRequest) (diag.Diagnostics, error) {
	driveAlone(r.Platform)
	note("configured", "%s %s %s %s", r.Platform, r.Config, r.InstallationID, r.HostVersion)
	p.log.Info("configured", "answer", 42, "platform", "another")
	var found diag.Diagnostics
	switch mode() {
	case "refuse-two":
		if r.Platform == "two" {
			found.Errorf([]string{"greeting"}, "not polite enough for two")
		}
	case "refuse":
		found.Errorf([]string{"greeting"}, "not polite enough")
	case "refuse-error":
		return nil, sdk.Errorf(sdk.Unauthenticated, sdk.ReasonAuth, "the platform does not know us")
	case "platform-down":
		return nil, sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "the daemon does not answer")
	case "die-in-configure":
		os.Exit(4)
	case "hang-in-configure":
		note("hangs", "%d", os.Getpid())
		<-ctx.Done()
	case "flood":
		for i := range 20_000 {
			fmt.Fprintf(os.Stderr, "line %d\n", i)
		}
		fmt.Fprintln(os.Stderr, strings.Repeat("x", 1<<20))
	case "exit-soon":
		go func() {
			time.Sleep(20 * time.Millisecond)
			os.Exit(5)
		}()
	case "children":
		leaveChildren()
	}
	return found, nil
}

func (p *platform) Validate(context.Context, []byte, []byte) (diag.Diagnostics, error) {
	var found diag.Diagnostics
	if mode() == "refuse-validate" {
		found.Errorf([]string{"greeting"}, "no longer polite enough")
	}
	return found, nil
}

// Deploy takes a while, so that it can be interrupted.
func (p *platform) Deploy(_ context.Context, r sdk.DeployRequest) (sdk.Handle, error) {
	note("deploying", "%d", os.Getpid())
	time.Sleep(500 * time.Millisecond)
	note("deployed", "%d", os.Getpid())
	return sdk.Handle{State: []byte(fmt.Sprint(len(r.Release.State)))}, nil
}

// Snapshot returns as many bytes as the component's name says.
func (p *platform) Snapshot(_ context.Context, r sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	n := amount(r.Target.Component)
	return sdk.SnapshotResult{Snapshot: sdk.Snapshot{State: make([]byte, n)}}, nil
}

// Watch sends as many events as the component's name says, as fast as it can.
func (p *platform) Watch(_ context.Context, r sdk.WatchRequest, sink sdk.Sink) error {
	return flood(amount(r.Target.Component), sink)
}

func (p *platform) Probe(ctx context.Context, r sdk.ProbeRequest) (sdk.ProbeResult, error) {
	switch r.Target.Component {
	case "die":
		os.Exit(7)
	case "wait":
		<-ctx.Done()
		return sdk.ProbeResult{}, ctx.Err()
	}
	if harm, n, has := strings.Cut(r.Target.Component, " "); has {
		return sdk.ProbeResult{Revision: harms[harm](amount(n))}, nil
	}
	return sdk.ProbeResult{Revision: fmt.Sprint(os.Getpid())}, nil
}

func (p *platform) Inventory(_ context.Context, installation string) ([]sdk.InventoryItem, error) {
	return []sdk.InventoryItem{{InstallationID: installation, Component: "api"}}, nil
}

// Health follows the file "health" in the control directory.
func (p *platform) Health(ctx context.Context, report func(sdk.Health) error) error {
	last := ""
	for ticks := time.NewTicker(10 * time.Millisecond); ; {
		content, err := os.ReadFile(filepath.Join(control(), "health"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		switch mode() {
		case "unhealthy":
			content = []byte("not feeling well")
		case "moody":
			return moody(report)
		}
		if now := string(content); now != last {
			last = now
			h := sdk.Health{State: sdk.HealthHealthy}
			if now != "" {
				h = sdk.Health{State: sdk.HealthUnhealthy, Description: now, Attributes: map[string]string{"seen": "yes"}}
			}
			if err := report(h); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			ticks.Stop()
			return nil
		case <-ticks.C:
		}
	}
}

// moody is unwell and well again, with many words, as fast as it is heard.
func moody(report func(sdk.Health) error) error {
	unwell := sdk.Health{State: sdk.HealthUnhealthy, Description: strings.Repeat("not feeling well ", 10_000), Attributes: map[string]string{}}
	for i := range 1000 {
		unwell.Attributes[fmt.Sprint("ache ", i)] = "yes"
	}
	for {
		if err := errors.Join(report(unwell), report(sdk.Health{State: sdk.HealthHealthy})); err != nil {
			return err
		}
	}
}
