package platform

import (
	"context"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
)

// Promote lets drive make a candidate current.
func (p *Platform) Promote(ctx context.Context, r sdk.PromoteRequest) (sdk.Handle, error) {
	_, written, err := p.component(r.Target)
	if err != nil {
		return sdk.Handle{}, err
	}
	return written.Promote(ctx, r)
}

// Cancel ends an operation whose release is not current yet, and removes its copy.
func (p *Platform) Cancel(ctx context.Context, r sdk.CancelRequest) error {
	dir, written, err := p.component(r.Target)
	if err != nil {
		return err
	}
	return written.Cancel(ctx, r, func(o *component.Operation) error {
		return answer("discard candidate", dir.Discard(o.Goal))
	})
}
