package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/config"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/platform"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Catalog is the catalog of the plugins that the configuration names.
func Catalog(settings *config.Config, log *slog.Logger) (*platform.Catalog, error) {
	named := settings.Plugins()
	plugins := make([]platform.Plugin, 0, len(named))
	for _, p := range named {
		plugins = append(plugins, platform.Plugin(p))
	}
	return platform.NewCatalog(platform.CatalogConfig{
		Plugins: plugins, LockFile: settings.LockPath(), DataDir: settings.DataDir, Log: log,
	})
}

// Setup is what the plugins are configured with.
func Setup(settings *config.Config, version, installation string) platform.Setup {
	var mu sync.Mutex
	schemas := map[string]schema.Schema{} // as each plugin showed it last
	return platform.Setup{
		Decode: func(name string, s schema.Schema) ([]byte, error) {
			mu.Lock()
			schemas[name] = s
			mu.Unlock()
			decoded, _, err := settings.DecodePlatform(name, s)
			return decoded, err
		},
		Locate: func(name string, d diag.Diagnostic) deployment.Problem {
			mu.Lock()
			s := schemas[name]
			mu.Unlock()
			if located := settings.LocatePlatform(name, s, diag.Diagnostics{d}); len(located) == 1 {
				return located[0]
			}
			return deployment.Problem{
				Field: strings.Join(d.Path, "."), Message: d.Summary, Remedy: d.Detail, Warning: d.Severity == diag.Warning,
			}
		},
		HostVersion: version, InstallationID: installation,
	}
}

// platformSpecs are the platforms of the configuration.
func platformSpecs(settings *config.Config) []platform.Spec {
	named := settings.Platforms()
	out := make([]platform.Spec, 0, len(named))
	for _, p := range named {
		out = append(out, platform.Spec{Name: p.Name, Plugin: p.Plugin})
	}
	return out
}

// specs tells the configuration what the platforms accept.
type specs struct{ supervisor *platform.Supervisor }

// Spec implements config.Platforms.
func (s specs) Spec(_ context.Context, name string) (schema.Schema, error) {
	description, err := s.supervisor.Describe(name)
	return description.Spec, err
}

// Validate implements config.Platforms.
func (s specs) Validate(ctx context.Context, name string, spec []byte) (diag.Diagnostics, error) {
	p, err := s.supervisor.Get(name)
	if err != nil {
		return nil, err
	}
	validator, validates := p.(sdk.Validator)
	if !validates {
		return nil, nil
	}
	return validator.Validate(ctx, nil, spec)
}

// plugins tells the server about the platforms and the processes behind them.
type plugins struct {
	supervisor *platform.Supervisor
	settings   *config.Config
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

// plugin shows one platform.
func (p plugins) plugin(state platform.State) v1.Plugin {
	out := v1.Plugin{
		Platform: state.Platform, Plugin: state.Plugin, Version: state.Version, SHA256: state.SHA256,
		State: string(state.Phase), Reason: state.Reason, PID: state.PID, Restarts: max(state.Starts-1, 0),
		Since: state.Since, Attributes: state.Attributes, Capabilities: []string{},
	}
	var cause *deployment.Error
	if errors.As(state.Err, &cause) && cause.Remedy != "" {
		out.Reason += "; " + cause.Remedy
	}
	for _, configured := range p.settings.Plugins() {
		if configured.Name == state.Plugin {
			out.Path = configured.Path
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

// capabilities names what a plugin can do.
func capabilities(c sdk.Capabilities) []string {
	names := []string{}
	for _, one := range []struct {
		name string
		has  bool
	}{
		{"plan", c.Plan},
		{"staged", c.Staged},
		{"percent", c.Percent},
		{"cancel", c.Cancel},
		{"watch_target", c.WatchTarget},
		{"logs", c.Logs},
		{"inventory", c.Inventory},
	} {
		if one.has {
			names = append(names, one.name)
		}
	}
	return names
}

// schemaKeys lists the keys of a schema; those of a labelled block stand as
// port.NAME.listen.
func schemaKeys(prefix string, block schema.Block) []v1.SchemaKey {
	var keys []v1.SchemaKey
	for _, a := range block.Attributes {
		keys = append(keys, v1.SchemaKey{
			Name: prefix + a.Name, Type: a.Type, Required: a.Required, Sensitive: a.Sensitive,
			Path: a.Path, Deprecated: a.Deprecated, Default: a.Default, Description: a.Description,
		})
	}
	for _, b := range block.Blocks {
		inner := prefix + b.Name + "."
		if b.Nesting == schema.Map {
			inner += "NAME."
		}
		keys = append(keys, schemaKeys(inner, b.Block)...)
	}
	return keys
}

// definitions tells the server which applications there are.
type definitions struct{ applications *config.Applications }

// Applications implements server.Applications.
func (d definitions) Applications(ctx context.Context) ([]v1.Application, error) {
	listed := d.applications.List(ctx)
	out := make([]v1.Application, 0, len(listed))
	for _, a := range listed {
		out = append(out, v1.Application{
			Name: a.Name, File: a.File, Environments: a.Environments, Components: a.Components, Problem: a.Problem,
		})
	}
	return out, nil
}
