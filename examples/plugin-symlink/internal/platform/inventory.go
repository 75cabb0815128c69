package platform

import (
	"context"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
)

// Inventory lists the components that we made current, or are about to.
func (p *Platform) Inventory(ctx context.Context, installation string) ([]sdk.InventoryItem, error) {
	return p.book.Inventory(ctx, installation, component.Journals(p.config.Root), func(dir string, s *component.Record) string {
		if s.Active() != nil {
			return "an operation is under way in " + component.OfJournal(dir).Current()
		}
		return "serves " + component.OfJournal(dir).Current()
	})
}
