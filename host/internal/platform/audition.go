package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
)

// audition starts a pinned binary beside the one that runs, and asks it what a
// plugin answers before Configure: what it is, and whether it takes the
// configuration. Nothing on the platform changes by it.
func (c *Catalog) audition(ctx context.Context, pin Pin, spec Spec, setup Setup) (_ *process, _ sdk.Description, err error) {
	p, err := start(ctx, c.launch(pin, spec.Name, pin.Path))
	if err != nil {
		return nil, sdk.Description{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.discard())
		}
	}()
	description, err := c.describe(ctx, p, pin)
	if err != nil {
		return nil, description, err
	}
	config, err := setup.Decode(spec.Name, description.Config)
	if err != nil {
		return nil, description, err
	}
	c.secretsOf(spec.Name).add(deployment.SensitiveValues(config, description.Config.Sensitive())...)
	asking, cancel := context.WithTimeout(ctx, c.config.Times.Describe)
	defer cancel()
	diagnostics, err := p.platform.Validate(asking, config, nil)
	switch {
	case sdk.CodeOf(err) == sdk.Unimplemented: // Configure will say
	case err != nil:
		return nil, description, p.explainCall(ctx, "validate", pin, err)
	}
	// Its warnings are for Configure to say.
	if err := refusal(ctx, setup, spec, diagnostics, slog.New(slog.DiscardHandler)); err != nil {
		return nil, description, err
	}
	return p, description, nil
}

// refusal is the error of a plugin that does not take the configuration; nil
// where there are only warnings, which are logged.
func refusal(ctx context.Context, setup Setup, spec Spec, diagnostics diag.Diagnostics, log *slog.Logger) error {
	problems := make([]deployment.Problem, 0, len(diagnostics))
	for _, d := range diagnostics {
		problem := locate(setup, spec.Name, d)
		if d.Severity == diag.Warning {
			log.WarnContext(ctx, "platform configuration", "warning", problem.String())
			continue
		}
		problems = append(problems, problem)
	}
	if !diagnostics.HasErrors() {
		return nil
	}
	e := unusable(nil, fmt.Sprintf("correct the block of platform %q in config.hcl", spec.Name),
		"platform %q: its plugin refuses the configuration", spec.Name)
	e.Problems = problems
	return mistake{e}
}
