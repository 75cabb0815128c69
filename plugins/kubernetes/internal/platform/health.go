package platform

import (
	"context"
	"reflect"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/access"
	"github.com/apm-deploy/apm/sdk"
)

// healthEvery is how often the cluster is looked at.
const healthEvery = 10 * time.Second

// Health reports whether the cluster can be worked with.
func (p *Platform) Health(ctx context.Context, report func(sdk.Health) error) error {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	var looker *access.Looker
	var last sdk.Health
	for {
		if looker == nil {
			looker = p.looker()
		}
		now := sdk.Health{State: sdk.HealthUndetected, Description: "not configured"}
		if looker != nil {
			now = looker.Look(ctx)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !reflect.DeepEqual(now, last) {
			if err := report(now); err != nil {
				return err
			}
			last = now
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// looker is nil before Configure.
func (p *Platform) looker() *access.Looker {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.resolver == nil {
		return nil
	}
	return &access.Looker{Cluster: p.resolver.Cluster, Config: p.way.config, Namespace: p.way.namespace, Source: p.way.source, Now: time.Now}
}
