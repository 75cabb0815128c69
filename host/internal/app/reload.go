package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apm-deploy/apm/host/internal/config"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/platform"
)

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
		upgraded, err := h.reloadOnce(ctx)
		if err != nil {
			h.log.Error("the lock file was read anew", "error", err)
		}
		if err == nil && len(upgraded) == 0 {
			h.log.Info("every plugin runs as it is locked")
		}
	}
}

// reloadOnce is audited as the same by request is: without its record nothing is
// upgraded, and what came of it is another.
func (h *host) reloadOnce(ctx context.Context) ([]platform.UpgradeResult, error) {
	record := deployment.AuditRecord{
		At: time.Now().UTC(), Actor: deployment.Actor{Kind: deployment.ActorHost, Name: hostName},
		Action: "plugin.reload", Object: config.LockFile, Reason: "SIGHUP",
	}
	if err := h.store.Record(ctx, record); err != nil {
		return nil, err
	}
	upgraded, err := h.supervisor.UpgradeChanged(ctx)
	if record.Detail = reloaded(upgraded, err); record.Detail != "" {
		record.At, record.Action = time.Now().UTC(), record.Action+".result"
		err = errors.Join(err, h.store.Record(context.WithoutCancel(ctx), record))
	}
	return upgraded, err
}

// reloaded says in one line what came of it; "" where nothing did.
func reloaded(upgraded []platform.UpgradeResult, err error) string {
	var parts []string
	for _, u := range upgraded {
		parts = append(parts, fmt.Sprintf("%s from %s %s to %s %s", u.Plugin, u.FromVersion, u.FromSHA256, u.ToVersion, u.ToSHA256))
	}
	if err != nil {
		parts = append(parts, "failed: "+err.Error())
	}
	return strings.Join(strings.Fields(strings.Join(parts, "; ")), " ")
}
