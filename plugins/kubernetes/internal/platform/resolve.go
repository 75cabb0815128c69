package platform

import (
	"context"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
)

// Resolve freezes the spec.
func (p *Platform) Resolve(ctx context.Context, request sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
	_, resolver, err := p.configured()
	if err != nil {
		return sdk.Release{}, nil, err
	}
	return resolver.Resolve(ctx, request.Target)
}
