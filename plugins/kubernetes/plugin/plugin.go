// Package plugin is the kubernetes plugin as a whole, for its main and for those who test
// it within their own process. It must hold nothing of its own.
package plugin

import (
	"github.com/apm-deploy/apm/plugins/kubernetes/internal/platform"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout"
	"github.com/apm-deploy/apm/sdk"
)

// New describes the plugin to sdk/serve.
func New() sdk.Plugin { return platform.Plugin(open) }

// open makes the driver of a cluster.
func open(options platform.Options) (platform.Driver, error) {
	return rollout.New(options.Config, rollout.Options{
		Log: options.Log, Installation: options.InstallationID, Namespace: options.Namespace,
	})
}
