// Package platform is Kubernetes as the host sees it: the platform block, the way to the
// cluster that it names, whether that can be worked with, and the freezing of specs.
// What changes a cluster is the driver's, package rollout.
//
// It must never change anything of a cluster itself, and the driver must never learn
// from here where the way to the cluster came from.
package platform

import (
	"context"
	"log/slog"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/resolve"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Name and Version of the plugin.
const (
	Name    = "kubernetes"
	Version = "0.1.0"
)

// Driver is all of a platform that follows and changes a cluster.
type Driver interface {
	Snapshot(ctx context.Context, request sdk.SnapshotRequest) (sdk.SnapshotResult, error)
	Deploy(ctx context.Context, request sdk.DeployRequest) (sdk.Handle, error)
	Rollback(ctx context.Context, request sdk.RollbackRequest) (sdk.Handle, error)
	Watch(ctx context.Context, request sdk.WatchRequest, sink sdk.Sink) error
	Probe(ctx context.Context, request sdk.ProbeRequest) (sdk.ProbeResult, error)
	Recover(ctx context.Context, request sdk.RecoverRequest) (sdk.Recovery, error)
	sdk.Planner
	sdk.Canceller
	sdk.TargetWatcher
	sdk.LogReader
	sdk.Inventorier
	sdk.Closer
}

// Options are what a driver is made of.
type Options struct {
	Config         *rest.Config
	Namespace      string
	InstallationID string
	Log            *slog.Logger
}

// Open makes the driver of a cluster. It must not ask the cluster anything yet.
type Open func(options Options) (Driver, error)

// Plugin describes the plugin to sdk/serve.
func Plugin(open Open) sdk.Plugin {
	return sdk.Plugin{
		Name: Name, Version: Version,
		Config: schema.MustOf(Config{}), Spec: schema.MustOf(resolve.Spec{}),
		New: func(log *slog.Logger) sdk.Platform {
			// The clients of Kubernetes log through a logger of their own, of which there is
			// one per process; what it writes would be no line of the host's log.
			klog.SetSlogLogger(log)
			return New(log, open)
		},
	}
}

// Platform implements sdk.Platform and, with the driver, its optional interfaces.
type Platform struct {
	log  *slog.Logger
	open Open

	mu       sync.RWMutex
	driver   Driver // nil until Configure
	resolver *resolve.Resolver
	way      way
}

// The parts of the contract that this platform has.
var (
	_ sdk.Platform       = (*Platform)(nil)
	_ sdk.Validator      = (*Platform)(nil)
	_ sdk.Planner        = (*Platform)(nil)
	_ sdk.Canceller      = (*Platform)(nil)
	_ sdk.TargetWatcher  = (*Platform)(nil)
	_ sdk.LogReader      = (*Platform)(nil)
	_ sdk.HealthReporter = (*Platform)(nil)
	_ sdk.Inventorier    = (*Platform)(nil)
	_ sdk.Closer         = (*Platform)(nil)
)

// New returns a platform that waits for Configure.
func New(log *slog.Logger, open Open) *Platform { return &Platform{log: log, open: open} }

// configured returns what Configure has made.
func (p *Platform) configured() (Driver, *resolve.Resolver, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.resolver == nil {
		return nil, nil, sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonNotConfigured, "the platform is not configured")
	}
	return p.driver, p.resolver, nil
}

func clusterOf(w way) (*cluster.Cluster, error) { return cluster.New(w.config, cluster.Options{}) }
