package follow

import (
	"context"
	"fmt"
	"net/http"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
)

// clients of one cluster, over one connection and one limit. They know only the groups
// that are followed, as protobuf.
type clients struct {
	groups   map[schema.GroupVersion]*rest.RESTClient
	dynamic  *dynamic.DynamicClient
	metadata metadata.Interface
	codec    runtime.ParameterCodec
}

func newClients(config *rest.Config, qps float32, burst int) (*clients, error) {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	versions := map[schema.GroupVersion]func(*runtime.Scheme) error{
		corev1.SchemeGroupVersion: corev1.AddToScheme, appsv1.SchemeGroupVersion: appsv1.AddToScheme,
		batchv1.SchemeGroupVersion: batchv1.AddToScheme, discoveryv1.SchemeGroupVersion: discoveryv1.AddToScheme,
	}
	for version, add := range versions {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("know the kinds of %s: %w", version, err)
		}
	}
	shared := rest.CopyConfig(config)
	shared.RateLimiter = flowcontrol.NewFakeAlwaysRateLimiter()
	if qps > 0 {
		shared.RateLimiter = flowcontrol.NewTokenBucketRateLimiter(qps, burst)
	}
	shared.Timeout = 0 // it would end every watch
	if shared.UserAgent == "" {
		shared.UserAgent = "apm-kubernetes"
	}
	web, err := rest.HTTPClientFor(shared)
	if err != nil {
		return nil, fmt.Errorf("make a client of the cluster at %q: %w", config.Host, err)
	}
	c := &clients{groups: map[schema.GroupVersion]*rest.RESTClient{}, codec: runtime.NewParameterCodec(scheme)}
	codecs := serializer.NewCodecFactory(scheme).WithoutConversion()
	for version := range versions {
		if c.groups[version], err = typed(shared, web, version, codecs); err != nil {
			return nil, fmt.Errorf("make a client of the cluster at %q for %s: %w", config.Host, version, err)
		}
	}
	if c.dynamic, err = dynamic.NewForConfigAndClient(dynamic.ConfigFor(shared), web); err != nil {
		return nil, fmt.Errorf("make a client of the cluster at %q: %w", config.Host, err)
	}
	if c.metadata, err = metadata.NewForConfigAndClient(metadata.ConfigFor(shared), web); err != nil {
		return nil, fmt.Errorf("make a client of the cluster at %q: %w", config.Host, err)
	}
	return c, nil
}

func typed(shared *rest.Config, web *http.Client, version schema.GroupVersion, codecs runtime.NegotiatedSerializer) (*rest.RESTClient, error) {
	config := rest.CopyConfig(shared)
	config.GroupVersion, config.NegotiatedSerializer = &version, codecs
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.APIPath = "/apis"
	if version.Group == "" {
		config.APIPath = "/api"
	}
	return rest.RESTClientForConfigAndClient(config, web)
}

// core is the client of pods, their logs, and of what has no group at all.
func (c *clients) core() *rest.RESTClient { return c.groups[corev1.SchemeGroupVersion] }

// A listing reads one kind in one namespace.
type listing struct {
	list  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
}

// builtin reads a kind that has protobuf.
func (c *clients) builtin(k *kind, namespace string) listing {
	client := c.groups[k.version]
	request := func(options *metav1.ListOptions) *rest.Request {
		return client.Get().NamespaceIfScoped(namespace, namespace != "").Resource(k.resource).
			VersionedParams(options, c.codec)
	}
	return listing{
		list: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			list := k.list()
			return list, request(&options).Do(ctx).Into(list)
		},
		watch: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.Watch = true
			return request(&options).Watch(ctx)
		},
	}
}

// custom reads any other kind.
func (c *clients) custom(resource schema.GroupVersionResource, namespace string) listing {
	var client dynamic.ResourceInterface = c.dynamic.Resource(resource)
	if namespace != "" {
		client = c.dynamic.Resource(resource).Namespace(namespace)
	}
	return listing{
		list: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return client.List(ctx, options)
		},
		watch: client.Watch,
	}
}
