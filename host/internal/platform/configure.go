package platform

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Spec is a platform block of config.hcl: a configured instance of a plugin.
type Spec struct {
	Name   string
	Plugin string
}

// Setup is what a plugin is configured with, the same for all platforms.
type Setup struct {
	// Decode reads the platform's block against the plugin's schema and returns
	// JSON, complete and typed. Its error is a person's to mend.
	Decode func(platform string, s schema.Schema) ([]byte, error)
	// Locate finds where a diagnostic's path was written; nil: nowhere.
	Locate         func(platform string, d diag.Diagnostic) deployment.Problem
	HostVersion    string
	InstallationID string
}

const scratchDir = "platforms"

// configure asks a fresh process what it is and hands it its configuration.
// Errors that only a person can mend are mistakes.
func (c *Catalog) configure(ctx context.Context, p *process, pin Pin, spec Spec, setup Setup, log *slog.Logger) (sdk.Description, error) {
	description, err := c.describe(ctx, p, pin)
	if err != nil {
		return description, err
	}
	config, err := setup.Decode(spec.Name, description.Config)
	if err != nil {
		return description, mistake{err}
	}
	c.secretsOf(spec.Name).add(deployment.SensitiveValues(config, description.Config.Sensitive())...)
	scratch := filepath.Join(c.config.DataDir, scratchDir, spec.Name)
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return description, unusable(err, "see that the data directory can be written", "platform %q: make scratch directory: %v", spec.Name, err)
	}
	configuring, cancel := context.WithTimeout(ctx, c.config.Times.Configure)
	defer cancel()
	diagnostics, err := p.platform.Configure(configuring, sdk.ConfigureRequest{
		Platform: spec.Name, Config: config, HostVersion: setup.HostVersion,
		InstallationID: setup.InstallationID, DataDir: scratch,
	})
	if err != nil {
		return description, p.explainCall(ctx, "configure", pin, err)
	}
	return description, refusal(ctx, setup, spec, diagnostics, log)
}

// describe asks a process what it is, and whether it is what was pinned.
func (c *Catalog) describe(ctx context.Context, p *process, pin Pin) (sdk.Description, error) {
	description, err := c.asked(ctx, p, pin)
	if err != nil {
		return description, err
	}
	if err := pin.matches(description); err != nil {
		return description, mistake{err}
	}
	return description, wellFormed(description, pin)
}

// asked is what a process says of itself.
func (c *Catalog) asked(ctx context.Context, p *process, pin Pin) (sdk.Description, error) {
	asking, cancel := context.WithTimeout(ctx, c.config.Times.Describe)
	defer cancel()
	description, err := p.platform.Describe(asking)
	if err != nil {
		return sdk.Description{}, p.explainCall(ctx, "describe", pin, err)
	}
	return description, nil
}

// wellFormed says what contradicts itself in the schemas of a plugin.
func wellFormed(description sdk.Description, pin Pin) error {
	for block, s := range map[string]schema.Schema{"config": description.Config, "spec": description.Spec} {
		if err := s.Validate(); err != nil {
			return mistake{unusable(err, "report it to the plugin's author", "plugin %q: its %s schema contradicts itself: %v", pin.Plugin.Name, block, err)}
		}
	}
	return nil
}

// explainCall says why a call before Ready failed.
func (p *process) explainCall(ctx context.Context, call string, pin Pin, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	name := pin.Plugin.Name
	var answered *sdk.Error
	if errors.As(err, &answered) {
		return unusable(err, answerRemedy(answered), "plugin %q: %s: %s", name, call, p.tail.secrets.text(answered.Message))
	}
	if errors.Is(err, sdk.ErrPluginGone) && p.endsWithin(exitGrace) {
		return unusable(err, ownerRemedy, "plugin %q: %s while the host called %s%s", name, p.child.ending(), call, p.lastWords())
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return unusable(err, ownerRemedy, "plugin %q: did not answer %s in time%s", name, call, p.lastWords())
	}
	return unusable(err, ownerRemedy, "plugin %q: %s: %s%s", name, call, p.tail.secrets.text(err.Error()), p.lastWords())
}

func answerRemedy(e *sdk.Error) string {
	if e.Reason == sdk.ReasonAuth {
		return "correct the credentials in the platform's block of config.hcl"
	}
	return ownerRemedy
}

func locate(setup Setup, platform string, d diag.Diagnostic) deployment.Problem {
	if setup.Locate != nil {
		return setup.Locate(platform, d)
	}
	return deployment.Problem{
		Field: strings.Join(d.Path, "."), Message: d.Summary, Remedy: d.Detail, Warning: d.Severity == diag.Warning,
	}
}
