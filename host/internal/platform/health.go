package platform

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// What a plugin says of its platform is heard up to these bounds.
const (
	healthPace    = 100 * time.Millisecond // from one word to the next; until then the plugin waits
	maxReason     = 4 << 10                // bytes of a text
	maxAttributes = 100
)

// followHealth reports what the plugin says about its platform.
func (k *keeper) followHealth(ctx context.Context, p *process) {
	for {
		err := p.platform.Health(ctx, func(h sdk.Health) error {
			k.report(h)
			return pause(ctx, healthPace)
		})
		if ctx.Err() != nil || sdk.CodeOf(err) == sdk.Unimplemented {
			return
		}
		if pause(ctx, k.times.BackoffMin) != nil {
			return
		}
	}
}

// pause waits, or returns why ctx ended.
func pause(ctx context.Context, long time.Duration) error {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// report takes what the plugin says, without secrets.
func (k *keeper) report(h sdk.Health) {
	hidden := k.catalog.secretsOf(k.spec.Name)
	reason := clip(hidden.text(h.Description))
	attributes := make(map[string]string, min(len(h.Attributes), maxAttributes))
	for _, name := range slices.Sorted(maps.Keys(h.Attributes)) {
		if len(attributes) == maxAttributes {
			break
		}
		attributes[clip(name)] = clip(hidden.text(h.Attributes[name]))
	}
	k.set(func(s *State) {
		if s.Phase != Ready && s.Phase != Unhealthy {
			return
		}
		s.Attributes = attributes
		switch h.State {
		case sdk.HealthUnhealthy, sdk.HealthUndetected:
			s.Phase, s.Reason = Unhealthy, reason
		default:
			s.Phase, s.Reason = Ready, ""
		}
	})
}

// clip returns the beginning of a text that is too long.
func clip(text string) string { return shortened(text, maxReason) }

// shortened returns a text of at most limit bytes and a mark.
func shortened(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}
