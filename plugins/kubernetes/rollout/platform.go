// Package rollout is the kubernetes platform without its configuration: it brings a
// component of an application on a cluster from one release to another, says what
// becomes of it, and brings it back. It takes a rest.Config and knows nothing of where
// that came from, so that plugins of clouds can embed it.
//
// All that it remembers is on the cluster: stamps on what it touched, and the record of
// package record. It must never read a file, a tag or a registry, never decide whether a
// change is good, and never delete what no operation of its own has created.
package rollout

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/connrotation"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/judge"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record"
	"github.com/apm-deploy/apm/sdk"
)

// DefaultInterval is how often is looked at what nobody tells of.
const DefaultInterval = 5 * time.Second

// Options of a [Platform].
type Options struct {
	Log *slog.Logger // nowhere if nil
	// Installation is that of the host. Required.
	Installation string
	// Namespace is where the records lie, and objects that name none. Required.
	Namespace string
	// Interval is how often is looked at what no watch tells of; [DefaultInterval] if 0.
	Interval time.Duration
	// Timeout ends an operation that is not done as failed; 0: the host's deadline and
	// the workload's own do.
	Timeout time.Duration
	Policy  judge.Policy
	Cluster cluster.Options
}

// Platform drives what runs on one cluster. It is all of sdk.Platform but Configure and
// Resolve.
type Platform struct {
	log      *slog.Logger
	options  Options
	cluster  *cluster.Cluster
	follower *follow.Follower
	book     *record.Book
	// connections are closed with the platform: the clients keep theirs for ever.
	connections *connrotation.Dialer
}

var _ interface {
	sdk.Planner
	sdk.Canceller
	sdk.TargetWatcher
	sdk.LogReader
	sdk.Inventorier
	sdk.Closer
} = (*Platform)(nil)

// New makes a platform. It asks the cluster nothing yet.
func New(config *rest.Config, options Options) (*Platform, error) {
	if options.Namespace == "" {
		return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "the platform has no namespace")
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	options.Interval = cmp.Or(options.Interval, DefaultInterval)
	config = rest.CopyConfig(config)
	dial := config.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	connections := connrotation.NewDialer(connrotation.DialFunc(dial))
	config.Dial = connections.DialContext
	c, err := cluster.New(config, options.Cluster)
	if err != nil {
		return nil, fmt.Errorf("connect to cluster: %w", err)
	}
	f, err := follow.New(config, follow.Options{Log: options.Log, QPS: options.Cluster.QPS, Burst: options.Cluster.Burst})
	if err != nil {
		return nil, fmt.Errorf("connect to cluster: %w", err)
	}
	p := &Platform{log: options.Log, options: options, cluster: c, follower: f, connections: connections}
	p.book = record.New(record.Config{Log: options.Log, Cluster: c, Drive: p.drive, State: written})
	return p, nil
}

// Cluster is the way to the cluster that the platform uses.
func (p *Platform) Cluster() *cluster.Cluster { return p.cluster }

// Requests counts what the API server was asked for pictures.
func (p *Platform) Requests() follow.Requests { return p.follower.Requests() }

// Close ends what runs in the background; operations stay as they are on the cluster.
func (p *Platform) Close(ctx context.Context) error {
	err := p.book.Close(ctx)
	p.follower.Close()
	p.connections.CloseAll()
	return err
}

// identity of a component.
func (p *Platform) identity(t sdk.Target) cluster.Identity {
	return cluster.Identity{
		Installation: p.options.Installation, Application: t.Application, Environment: t.Environment, Component: t.Component,
	}
}

func (p *Platform) journal(t sdk.Target) *record.Journal {
	return p.book.At(p.options.Namespace, p.identity(t))
}
