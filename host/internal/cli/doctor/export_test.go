package doctor

import (
	"context"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// Undo lays open the removal of one component.
func Undo(ctx context.Context, p sdk.Platform, item sdk.InventoryItem) error {
	return undo(ctx, p, leftOf("platform", item))
}

// Serves lays open how a host is recognised by its command line.
func Serves(words []string) bool { return serves(words) }

// DataDirOf lays open where a process keeps its data, by its directory in /proc.
func DataDirOf(dir string, words []string) string { return dataDirOf(dir, words) }

// Forget lays open how a directory is removed for good.
func Forget(ctx context.Context, dir string, quiet time.Duration) error {
	return forget(ctx, dir, quiet)
}

// StateDir lays open how a platform is asked where it keeps its state.
func StateDir(ctx context.Context, p sdk.Platform) (string, error) { return stateDir(ctx, p) }
