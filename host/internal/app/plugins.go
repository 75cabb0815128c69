package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/config"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/engine"
	"github.com/apm-deploy/apm/host/internal/platform"
)

// plugins tells the server about the platforms and the processes behind them.
type plugins struct {
	supervisor *platform.Supervisor
	settings   *config.Config
	engine     *engine.Engine
	changes    *changes
}

// Plugins implements server.Plugins.
func (p plugins) Plugins(context.Context) ([]v1.Plugin, error) {
	states := p.supervisor.States()
	out := make([]v1.Plugin, 0, len(states))
	for _, state := range states {
		out = append(out, p.plugin(state))
	}
	return out, nil
}

// Plugin implements server.Plugins.
func (p plugins) Plugin(_ context.Context, name string) (v1.Plugin, error) {
	for _, state := range p.supervisor.States() {
		if state.Platform != name {
			continue
		}
		out := p.plugin(state)
		if description, err := p.supervisor.Describe(name); err == nil {
			out.Config = schemaKeys("", description.Config.Block)
			out.Spec = schemaKeys("", description.Spec.Block)
			out.Schema = schemaOf(description)
		}
		return out, nil
	}
	_, err := p.supervisor.Get(name)
	if err == nil {
		err = &deployment.Error{Code: deployment.NotFound, Message: "platform " + name + " is not in config.hcl"}
	}
	return v1.Plugin{}, err
}

// Restart implements server.Plugins.
func (p plugins) Restart(_ context.Context, name string) error { return p.supervisor.Restart(name) }

// Resolve implements server.Plugins.
func (p plugins) Resolve(name string) (string, error) {
	var known []string
	for _, one := range p.settings.Plugins() {
		if one.Name == name {
			return name, nil
		}
		known = append(known, one.Name)
	}
	for _, one := range p.settings.Platforms() {
		if one.Name == name {
			return one.Plugin, nil
		}
	}
	slices.Sort(known)
	return "", &deployment.Error{
		Code: deployment.NotFound, Message: fmt.Sprintf("plugin %q is not in config.hcl", name),
		Remedy: "known plugins: " + strings.Join(known, ", "),
	}
}

// Upgrade implements server.Plugins.
func (p plugins) Upgrade(ctx context.Context, name string) (v1.PluginUpgrade, error) {
	r, err := p.supervisor.Upgrade(ctx, name)
	return v1.PluginUpgrade{
		Plugin: r.Plugin, FromVersion: r.FromVersion, ToVersion: r.ToVersion,
		FromSHA256: r.FromSHA256, ToSHA256: r.ToSHA256, Platforms: r.Platforms, Unchanged: r.Unchanged,
	}, err
}

// Changes implements server.Plugins.
func (p plugins) Changes() (rings <-chan struct{}, stop func()) { return p.changes.listen() }

// changes rings for everybody who listens.
type changes struct {
	mu    sync.Mutex
	bells map[chan struct{}]struct{}
}

func (c *changes) listen() (rings <-chan struct{}, stop func()) {
	bell := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bells == nil {
		c.bells = map[chan struct{}]struct{}{}
	}
	c.bells[bell] = struct{}{}
	return bell, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.bells, bell)
	}
}

func (c *changes) ring() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for bell := range c.bells {
		select {
		case bell <- struct{}{}:
		default: // it rings already
		}
	}
}

// plugin shows one platform.
func (p plugins) plugin(state platform.State) v1.Plugin {
	out := v1.Plugin{
		Platform: state.Platform, Plugin: state.Plugin, Version: state.Version, SHA256: state.SHA256,
		State: string(state.Phase), Reason: state.Reason, PID: state.PID, Restarts: max(state.Starts-1, 0),
		Since: state.Since, Attributes: state.Attributes, Capabilities: []string{}, Output: state.Output,
		Misdeeds: map[string]uint64{},
	}
	if state.Phase == platform.Backoff && !state.NextStart.IsZero() {
		out.NextStart = &state.NextStart
	}
	for rule, count := range p.engine.Misdeeds(state.Platform) {
		out.Misdeeds[string(rule)] = count
	}
	var cause *deployment.Error
	if errors.As(state.Err, &cause) && cause.Remedy != "" {
		out.Reason += "; " + cause.Remedy
	}
	if state.Phase == platform.Broken {
		out.Reason += "; then apm plugin restart " + state.Platform
	}
	for _, configured := range p.settings.Plugins() {
		if configured.Name != state.Plugin {
			continue
		}
		out.Path, out.PinnedBy = configured.Path, config.LockFile
		switch {
		case configured.SHA256 != "":
			out.PinnedBy = "config.hcl"
		case configured.Dev:
			out.PinnedBy = ""
		}
		if configured.MemoryLimit > 0 || configured.OpenFiles > 0 {
			out.Limits = &v1.PluginLimits{MemoryBytes: configured.MemoryLimit, OpenFiles: configured.OpenFiles}
		}
	}
	switch state.Phase {
	case platform.Ready:
		out.Health = "healthy"
	case platform.Unhealthy:
		out.Health = "unhealthy"
	default:
		out.Health = "unknown"
	}
	if description, err := p.supervisor.Describe(state.Platform); err == nil {
		out.Capabilities = capabilities(description.Capabilities)
	}
	return out
}
