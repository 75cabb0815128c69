package app

import (
	"context"
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
