package platform

import (
	"context"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// UpgradeResult says what an upgrade of a plugin did.
type UpgradeResult struct {
	Plugin                 string
	FromVersion, ToVersion string
	FromSHA256, ToSHA256   string
	Platforms              []string // that run the new binary, in the order of config.hcl
	Unchanged              bool     // what is pinned runs already; nothing was done
}

// Upgrade replaces the binary of a running plugin, on all its platforms, by the
// one that is pinned now. The error is a *deployment.Error that says that the old
// one stays in charge.
func (s *Supervisor) Upgrade(context.Context, string) (UpgradeResult, error) {
	return UpgradeResult{}, &deployment.Error{
		Code: deployment.Unavailable, Message: "a plugin cannot be upgraded while it runs",
		Remedy: "run `apm plugin lock`, then restart its platforms; the old one stays in charge",
	}
}
