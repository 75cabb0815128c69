package journal

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/apm-deploy/apm/sdk"
)

// Inventory lists the components whose journals lie where a pattern of path/filepath
// leads, if something of theirs runs or is under way: those of one installation, or
// with "" of all. describe says in one line what runs.
func (b *Book[G]) Inventory(
	ctx context.Context, installation, pattern string, describe func(dir string, r *Record[G]) string,
) ([]sdk.InventoryItem, error) {
	files, err := filepath.Glob(filepath.Join(pattern, stateFile))
	if err != nil {
		return nil, Answer("list components", err)
	}
	slices.Sort(files)
	var items []sdk.InventoryItem
	for _, file := range files {
		j := b.At(filepath.Dir(file), "", sdk.Target{})
		r, err := j.Read()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			return nil, Answer("list components", err)
		case r.Serving == nil && r.Active() == nil, installation != "" && r.Installation != installation:
			continue
		}
		item := sdk.InventoryItem{
			InstallationID: r.Installation, Application: r.Application, Environment: r.Environment, Component: r.Component,
			Epoch: r.Epoch, Description: describe(j.dir, r),
		}
		if serving := r.Serving; serving != nil {
			item.Version, item.OperationID, item.Since = serving.Version, serving.Operation, serving.Since
		}
		if active := r.Active(); active != nil {
			item.OperationID = active.ID
		}
		items = append(items, item)
	}
	return items, nil
}
