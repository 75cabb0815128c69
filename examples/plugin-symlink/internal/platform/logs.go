package platform

import (
	"context"

	"github.com/apm-deploy/apm/sdk"
)

// Logs sends what the newest operation said while it copied, or with Previous the
// one before. Files themselves say nothing.
func (p *Platform) Logs(ctx context.Context, r sdk.LogsRequest, send func(lines ...sdk.LogLine) error) error {
	_, written, err := p.component(r.Target)
	if err != nil {
		return err
	}
	return written.Logs(ctx, r, send)
}
