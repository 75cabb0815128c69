package platform

import (
	"context"

	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Validate checks a configuration and a spec beyond their schemas.
func (p *Platform) Validate(_ context.Context, config, spec []byte) (diag.Diagnostics, error) {
	var diags diag.Diagnostics
	if len(config) > 0 {
		var c Config
		found := schema.Decode(config, &c)
		if !found.HasErrors() {
			_, more := c.check()
			found = append(found, more...)
		}
		diags = append(diags, found...)
	}
	if len(spec) > 0 {
		var s Spec
		found := schema.Decode(spec, &s)
		if !found.HasErrors() {
			found = append(found, s.check()...)
		}
		diags = append(diags, found...)
	}
	return diags, nil
}
