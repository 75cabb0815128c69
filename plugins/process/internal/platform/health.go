package platform

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// healthEvery is how often the state directory is tried.
const healthEvery = 10 * time.Second

// Health reports whether components can be kept on this machine.
func (p *Platform) Health(ctx context.Context, report func(sdk.Health) error) error {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	var last sdk.Health
	for {
		if now := p.health(); !reflect.DeepEqual(now, last) {
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

func (p *Platform) health() sdk.Health {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if !p.configured {
		return sdk.Health{State: sdk.HealthUndetected, Description: "not configured"}
	}
	h := sdk.Health{State: sdk.HealthHealthy, Attributes: map[string]string{"state_dir": p.layout.Root}}
	switch {
	case p.config.User != "":
		h.Attributes["user"] = p.config.User
		h.Description = fmt.Sprintf("instances run as user %s", p.config.User)
	case os.Geteuid() == 0:
		h.Attributes["user"] = "root"
		h.Description = "instances run as root; set user in the platform's configuration to an account of their own"
	default:
		h.Description = "instances run as the host's user"
	}
	if err := writable(p.layout.Root); err != nil {
		h.State = sdk.HealthUnhealthy
		h.Description = fmt.Sprintf("state directory %s cannot be used: %v", p.layout.Root, err)
	}
	return h
}
