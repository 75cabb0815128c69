// Package cluster_test tests package cluster on a real cluster.
package cluster_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/test/testbed"
)

// bed is a namespace of a real cluster, and our way to it.
type bed struct {
	*testing.T
	*testbed.Cluster
	c         *cluster.Cluster
	namespace string
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{T: t, Cluster: testbed.Kubernetes(t)}
	b.namespace = b.Namespace(t)
	b.c = connect(t, config(t, b.Kubeconfig()))
	return b
}

func config(t *testing.T, kubeconfig string) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } //nolint:nilnil // a proxy of this machine does not know the node
	return config
}

func connect(t *testing.T, config *rest.Config) *cluster.Cluster {
	t.Helper()
	c, err := cluster.New(config, cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// object reads YAML of an object in the namespace.
func (b *bed) object(format string, args ...any) *unstructured.Unstructured {
	b.Helper()
	data, err := yaml.YAMLToJSON(fmt.Appendf(nil, format, args...))
	if err != nil {
		b.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(data); err != nil {
		b.Fatal(err)
	}
	o.SetNamespace(b.namespace)
	return o
}

// deployment is one whose pods nobody needs.
func (b *bed) deployment(replicas int, version, more string) *unstructured.Unstructured {
	b.Helper()
	return b.object(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: %d
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: api, image: %s%s}]}
`, replicas, b.Image(version), more)
}

var identity = cluster.Identity{Installation: "here", Application: "shop", Environment: "test", Component: "api"}

func stamp(operation string, epoch uint64) *cluster.Stamp {
	return &cluster.Stamp{Identity: identity, Version: "v1", Operation: operation, Digest: "d", Epoch: epoch}
}

func (b *bed) apply(o *unstructured.Unstructured, options cluster.ApplyOptions) cluster.Applied {
	b.Helper()
	applied, err := b.c.Apply(b.Context(), o, options)
	if err != nil {
		b.Fatal(err)
	}
	return applied
}

func (b *bed) get(o *unstructured.Unstructured) *unstructured.Unstructured {
	b.Helper()
	live, err := b.c.Get(b.Context(), cluster.KeyOf(o))
	if err != nil {
		b.Fatal(err)
	}
	return live
}

func (b *bed) kubectl(args ...string) string {
	b.Helper()
	return b.Kubectl(b.T, append(args, "--namespace", b.namespace)...)
}

// refused wants an error of a code and a reason that says all of these.
func (b *bed) refused(what string, err error, code sdk.Code, reason sdk.Reason, says ...string) {
	b.Helper()
	if sdk.CodeOf(err) != code || sdk.ReasonOf(err) != reason {
		b.Errorf("%s: %s %s: %v", what, sdk.CodeOf(err), sdk.ReasonOf(err), err)
		return
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			b.Errorf("%s: %v\nsays nothing of %s", what, err, text)
		}
	}
}

func replicas(o *unstructured.Unstructured) int64 {
	n, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
	return n
}
