package cluster

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// Defaults of [Options].
const (
	// DefaultQPS and DefaultBurst bound the requests of one process. The API server
	// has limits of its own and says so; client-go's 5 and 10 make a rollout wait.
	DefaultQPS   = 200
	DefaultBurst = 400
	// DefaultUserAgent is what the API server's audit log shows.
	DefaultUserAgent = "apm"
)

// Options are what a cluster may be asked differently with.
type Options struct {
	QPS       float32 // DefaultQPS if 0
	Burst     int     // DefaultBurst if 0
	UserAgent string  // DefaultUserAgent if ""
}

// Cluster is one Kubernetes cluster. Its methods may be called at the same time.
type Cluster struct {
	config   *rest.Config
	client   *http.Client
	typed    kubernetes.Interface
	dynamic  dynamic.Interface
	metadata metadata.Interface
	discover discovery.CachedDiscoveryInterface
	mapper   meta.ResettableRESTMapper

	mu     sync.Mutex
	looked time.Time // when what kinds there are was last asked for anew
}

// New makes the clients of a cluster. It asks the cluster nothing.
func New(config *rest.Config, options Options) (*Cluster, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = cmp.Or(options.QPS, DefaultQPS), cmp.Or(options.Burst, DefaultBurst)
	config.UserAgent = cmp.Or(options.UserAgent, DefaultUserAgent)
	config.WarningHandler = rest.NoWarnings{}
	binary := rest.CopyConfig(config)
	binary.ContentType = runtime.ContentTypeProtobuf
	binary.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON

	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make client of cluster: %w", err)
	}
	c := &Cluster{config: config, client: client}
	typed, err := kubernetes.NewForConfigAndClient(binary, client)
	if err != nil {
		return nil, fmt.Errorf("make client of cluster: %w", err)
	}
	c.typed = typed
	if c.dynamic, err = dynamic.NewForConfigAndClient(config, client); err != nil {
		return nil, fmt.Errorf("make client of cluster: %w", err)
	}
	if c.metadata, err = metadata.NewForConfigAndClient(metadata.ConfigFor(config), client); err != nil {
		return nil, fmt.Errorf("make client of cluster: %w", err)
	}
	c.discover = memory.NewMemCacheClient(typed.Discovery())
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapper(c.discover)
	return c, nil
}

// Config is a copy of the configuration, with the limits raised.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.config) }

// Close closes connections that are idle. Calls under way go on.
func (c *Cluster) Close() { utilnet.CloseIdleConnectionsFor(c.client.Transport) }

// Typed is the client of built-in kinds. It speaks protobuf.
func (c *Cluster) Typed() kubernetes.Interface { return c.typed }

// Dynamic is the client of all kinds.
func (c *Cluster) Dynamic() dynamic.Interface { return c.dynamic }

// Metadata is the client of objects of which only the metadata is wanted.
func (c *Cluster) Metadata() metadata.Interface { return c.metadata }

// Mapper turns kinds into resources, as [Cluster.KindOf] does.
func (c *Cluster) Mapper() meta.RESTMapper { return c.mapper }

// Version asks the API server for its version, such as v1.34.4. It is the cheapest
// question that shows that the cluster is there and knows us.
func (c *Cluster) Version(ctx context.Context) (string, error) {
	// The discovery client has no context of its own.
	text, err := c.typed.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Raw()
	if err != nil {
		return "", Answer(Call{Verb: "get", Resource: "/version"}, err)
	}
	return parseVersion(text)
}
