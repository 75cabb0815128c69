package platform

import (
	"context"

	"github.com/apm-deploy/apm/sdk"
)

// Recover says what became of an operation, from nothing but what is written down.
func (p *Platform) Recover(ctx context.Context, r sdk.RecoverRequest) (sdk.Recovery, error) {
	dir, written, err := p.component(r.Target)
	if err != nil {
		return sdk.Recovery{}, err
	}
	return written.Recover(ctx, r, func() string {
		if dir.HasReleases() {
			return "there are releases, but what was written of them is gone: look which one is current"
		}
		return ""
	})
}
