package platform

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// healthEvery is how often the root directory is tried.
const healthEvery = 10 * time.Second

// Health reports whether the root directory can be written, at once and whenever
// that changes.
func (p *Platform) Health(ctx context.Context, report func(sdk.Health) error) error {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	var last sdk.Health
	for {
		now := sdk.Health{State: sdk.HealthHealthy, Attributes: map[string]string{"root": p.config.Root}}
		if err := writable(p.config.Root); err != nil {
			now.State, now.Description = sdk.HealthUnhealthy, fmt.Sprintf("the root directory cannot be used: %v", err)
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
