package platform

import (
	"context"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
)

// Inventory lists the components that we made current, or are about to.
func (p *Platform) Inventory(ctx context.Context, installation string) ([]sdk.InventoryItem, error) {
	dirs, err := component.All(p.config.Root)
	if err != nil {
		return nil, answer("list components", err)
	}
	var items []sdk.InventoryItem
	for _, dir := range dirs {
		s, err := dir.Load()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			return nil, answer("list components", err)
		case s.Serving == nil && s.Active() == nil, installation != "" && s.Installation != installation:
			continue
		}
		item := sdk.InventoryItem{
			InstallationID: s.Installation, Application: s.Application, Environment: s.Environment, Component: s.Component,
			Epoch: s.Epoch, Description: "serves " + dir.Current(),
		}
		if serving := s.Serving; serving != nil {
			item.Version, item.OperationID, item.Since = serving.Version, serving.Operation, serving.Since
		}
		if active := s.Active(); active != nil {
			item.OperationID, item.Description = active.ID, "an operation is under way in "+dir.Current()
		}
		items = append(items, item)
	}
	return items, nil
}
