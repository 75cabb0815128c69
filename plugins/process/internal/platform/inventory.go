package platform

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

// Inventory lists the components that run or should run, of one installation or
// of all: by their state files, and by the shims that the kernel knows, so that
// one is found whose files somebody removed.
func (p *Platform) Inventory(ctx context.Context, installation string) ([]sdk.InventoryItem, error) {
	p.mu.RLock()
	layout, configured := p.layout, p.configured
	p.mu.RUnlock()
	if !configured {
		return nil, sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonNotConfigured, "the platform is not configured")
	}
	dirs, err := layout.Components(installation)
	if err != nil {
		return nil, unavailable(ctx, "list components", err)
	}
	known := map[string]bool{}
	for _, dir := range dirs {
		known[dir] = true
	}
	for _, found := range procinfo.Shims(layout.Root) {
		if known[found.Dir] {
			continue
		}
		known[found.Dir] = true
		if err := awaitState(ctx, found.Dir); err != nil {
			return nil, err
		}
		dirs = append(dirs, found.Dir)
	}
	sort.Strings(dirs)
	var items []sdk.InventoryItem
	for _, dir := range dirs {
		item, ok := inventoryItem(ctx, dir)
		if ok && (installation == "" || item.InstallationID == installation) {
			items = append(items, item)
		}
	}
	return items, ctx.Err()
}

// restoreWait is the time in which a shim whose files were removed writes them
// again.
const restoreWait = 5 * time.Second

func awaitState(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, restoreWait)
	defer cancel()
	for {
		if _, err := state.Load(dir); !errors.Is(err, state.ErrNone) {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil // listed by its directory's name all the same
		}
	}
}

// inventoryItem describes one component; a tombstone is none.
func inventoryItem(ctx context.Context, dir string) (sdk.InventoryItem, bool) {
	st, err := state.Load(dir)
	if err != nil {
		id := state.IdentityOf(dir)
		return sdk.InventoryItem{
			InstallationID: id.Installation, Application: id.Application, Environment: id.Environment, Component: id.Component,
			Description: "its state cannot be read: " + err.Error(),
		}, true
	}
	if st.Tombstone() {
		return sdk.InventoryItem{}, false
	}
	id := st.Identity
	item := sdk.InventoryItem{
		InstallationID: id.Installation, Application: id.Application, Environment: id.Environment, Component: id.Component,
		Epoch: st.Epoch, OperationID: st.Active,
	}
	ports := ""
	if s := st.Serving; s != nil {
		item.Version, item.Since = s.Version, s.Since
		if item.OperationID == "" {
			item.OperationID = s.OperationID
		}
		for _, port := range s.Release.Ports {
			ports += " " + port.Listen
		}
	} else if op := st.Operation(st.Active); op != nil {
		item.Version, item.Since = op.Version, op.Started
	}
	item.Description = fmt.Sprintf("shim pid %d does not run", st.Shim.PID)
	if procinfo.StartOf(st.Shim.PID) == st.Shim.Start && st.Shim.Start != "" {
		item.Description = fmt.Sprintf("shim pid %d", st.Shim.PID)
		var now control.Description
		ctx, cancel := context.WithTimeout(ctx, shimTimeout)
		defer cancel()
		if err := control.Call(ctx, st, control.Request{Method: control.Describe}, &now); err == nil {
			item.Description += "; instances" + pids(now.PIDs)
		}
	}
	if ports != "" {
		item.Description += "; listens on" + ports
	}
	return item, true
}

func pids(all []int) string {
	if len(all) == 0 {
		return " none"
	}
	return " pid " + strings.Trim(fmt.Sprint(all), "[]")
}
