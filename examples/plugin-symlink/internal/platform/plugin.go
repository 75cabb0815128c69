// Package platform is the contract between APM and this platform, a file for each
// part of it. What lies on disk is the business of package component; this package
// decides when it changes, and must never change it without the component's lock.
package platform

import (
	"log/slog"
	"sync"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Name and Version of the plugin. The name is the label of its plugin block in
// config.hcl.
const (
	Name    = "symlink"
	Version = "0.1.0"
)

// Plugin describes the plugin to package serve.
func Plugin() sdk.Plugin {
	return sdk.Plugin{
		Name: Name, Version: Version,
		Config: schema.MustOf(Config{}), Spec: schema.MustOf(Spec{}),
		New: func(log *slog.Logger) sdk.Platform {
			return &Platform{log: log, changed: make(chan struct{}), drivers: map[component.Dir]*sync.Mutex{}}
		},
	}
}

// Platform deploys file releases below one directory.
type Platform struct {
	log          *slog.Logger
	config       Config // written by Configure, which comes before every other call
	installation string

	mu      sync.Mutex
	changed chan struct{}                 // closed and replaced whenever something was written
	drivers map[component.Dir]*sync.Mutex // held by who drives an operation of the component
}

// The parts of the contract that this platform has. It has no steps of traffic: a
// link leads to one release or to another.
var (
	_ sdk.Platform       = (*Platform)(nil)
	_ sdk.Validator      = (*Platform)(nil)
	_ sdk.Planner        = (*Platform)(nil)
	_ sdk.Promoter       = (*Platform)(nil)
	_ sdk.Canceller      = (*Platform)(nil)
	_ sdk.TargetWatcher  = (*Platform)(nil)
	_ sdk.LogReader      = (*Platform)(nil)
	_ sdk.HealthReporter = (*Platform)(nil)
	_ sdk.Inventorier    = (*Platform)(nil)
)

// dir returns the directory of a target's component.
func (p *Platform) dir(target sdk.Target) (component.Dir, error) {
	dir, err := component.Of(p.config.Root, target.Application, target.Environment, target.Component)
	if err != nil {
		return "", sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "%w: rename it", err)
	}
	return dir, nil
}

// announce wakes everybody who watches.
func (p *Platform) announce() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
}

// wakeup returns a channel that is closed at the next announce. Take it before you
// look, and nothing is missed.
func (p *Platform) wakeup() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}
