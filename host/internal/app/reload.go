package app

import "context"

// reload upgrades the plugins whose locked binary is another one, each time that
// it is asked to.
func (h *host) reload(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.options.Reload:
		}
		h.log.Info("the lock file is read anew")
		upgraded, err := h.supervisor.UpgradeChanged(ctx)
		if err != nil {
			h.log.Error("the lock file was read anew", "error", err)
		}
		if err == nil && len(upgraded) == 0 {
			h.log.Info("every plugin runs as it is locked")
		}
	}
}
