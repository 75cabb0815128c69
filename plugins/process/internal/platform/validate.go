package platform

import (
	"context"

	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Validate checks a configuration and a spec beyond their schemas.
func (p *Platform) Validate(_ context.Context, config, spec []byte) (diag.Diagnostics, error) {
	return schema.Check[Config, Spec](config, spec), nil
}
