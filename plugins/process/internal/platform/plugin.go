// Package platform is the process platform as the host sees it: it turns the
// calls of the contract into requests to the shim of a component, and answers
// from the state file where there is no shim. It must never change anything of
// a component by itself.
package platform

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Name and Version of the plugin.
const (
	Name    = "process"
	Version = "0.1.0"
)

// Plugin describes the plugin to sdk/serve.
func Plugin() sdk.Plugin {
	return sdk.Plugin{
		Name: Name, Version: Version,
		Config: schema.MustOf(Config{}), Spec: schema.MustOf(Spec{}),
		New: func(log *slog.Logger) sdk.Platform { return New(log) },
	}
}

// Platform implements sdk.Platform and all of its optional interfaces but
// Drainer: there is nothing to flush here.
type Platform struct {
	log *slog.Logger

	mu           sync.RWMutex
	configured   bool
	installation string
	config       Config
	layout       state.Layout
}

// The parts of the contract that this platform has.
var (
	_ sdk.Platform        = (*Platform)(nil)
	_ sdk.Validator       = (*Platform)(nil)
	_ sdk.Planner         = (*Platform)(nil)
	_ sdk.PercentPromoter = (*Platform)(nil)
	_ sdk.Canceller       = (*Platform)(nil)
	_ sdk.TargetWatcher   = (*Platform)(nil)
	_ sdk.LogReader       = (*Platform)(nil)
	_ sdk.HealthReporter  = (*Platform)(nil)
	_ sdk.Inventorier     = (*Platform)(nil)
)

// New returns a platform that waits for Configure.
func New(log *slog.Logger) *Platform { return &Platform{log: log} }

// Configure checks the configuration and brings back the components of this
// installation whose shim was killed.
func (p *Platform) Configure(ctx context.Context, request sdk.ConfigureRequest) (diag.Diagnostics, error) {
	config, diags := schema.Read[Config](request.Config)
	if diags.HasErrors() {
		return diags, nil
	}
	root, err := config.root()
	if err != nil {
		return nil, internal("read configuration", err) // Check refused it
	}
	diags = append(diags, config.prepare(root)...)
	if diags.HasErrors() {
		return diags, nil
	}
	p.mu.Lock()
	p.configured, p.installation, p.config = true, request.InstallationID, config
	p.layout = state.Layout{Root: root}
	p.mu.Unlock()
	p.revive(ctx)
	return diags, nil
}

// Bounds of revive, which is part of Configure.
const (
	reviveAtOnce = 8
	reviveTime   = 30 * time.Second
)

// revive starts the shims that should run and do not, several at once. One that
// cannot be started, or not in time, is met again by the first call about its
// component.
func (p *Platform) revive(ctx context.Context) {
	dirs, err := p.layout.Components(p.installation)
	if err != nil {
		p.log.Warn("components could not be listed", "error", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reviveTime)
	defer cancel()
	var wg sync.WaitGroup
	slots := make(chan struct{}, reviveAtOnce)
	for _, dir := range dirs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			p.reviveOne(ctx, dir)
		})
	}
	wg.Wait()
}

func (p *Platform) reviveOne(ctx context.Context, dir string) {
	st, err := state.Load(dir)
	if err != nil || st.Tombstone() || alive(ctx, st) {
		return
	}
	log := p.log.With("component", st.Identity.Component, "application", st.Identity.Application, "environment", st.Identity.Environment)
	log.Info("component is brought back")
	if err := spawn(ctx, dir); err != nil {
		log.Warn("component could not be brought back", "error", err)
	}
}

// identity names the component of a target; its directory goes with it.
func (p *Platform) identity(target sdk.Target) (state.Identity, string, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if !p.configured {
		return state.Identity{}, "", sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonNotConfigured, "the platform is not configured")
	}
	id := state.Identity{
		Installation: p.installation, Application: target.Application,
		Environment: target.Environment, Component: target.Component,
	}
	return id, p.layout.Component(id), nil
}
