package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// However many secrets a component had, those that its plugin is told now are known.
func TestConfidedNow(t *testing.T) {
	t.Parallel()
	var c confided
	shop := deployment.Target{Application: "shop", Environment: "test"}
	const stays = "the one that stays"
	for version := range 2 * maxConfided {
		now := []string{stays, fmt.Sprint("secret of version ", version)}
		known := c.add(shop, "web", now)
		if !slices.Contains(known, now[0]) || !slices.Contains(known, now[1]) {
			t.Fatalf("version %d: not all of %q in %d", version, now, len(known))
		}
		if len(known) > maxConfided+len(now) {
			t.Fatalf("version %d: %d are remembered", version, len(known))
		}
	}
	many := make([]string, maxConfided+1)
	for i := range many {
		many[i] = fmt.Sprint("one of many: ", i)
	}
	if known := c.add(shop, "web", many); !slices.Contains(known, many[0]) {
		t.Errorf("the first of %d is not known", len(many))
	}
}
