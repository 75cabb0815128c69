package cluster_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/test/testbed"
)

// What a real API server refuses is said so that a person knows what to do.
func TestRefusals(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	try := func(c *cluster.Cluster, o *unstructured.Unstructured) error {
		_, err := c.Apply(t.Context(), o, cluster.ApplyOptions{Stamp: stamp("op-1", 1)})
		return err
	}
	config := b.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}`)

	lost := config.DeepCopy()
	lost.SetNamespace("no-such-namespace")
	b.refused("namespace", try(b.c, lost), sdk.NotFound, sdk.ReasonNotFound, `namespaces "no-such-namespace" not found`)
	_, err := b.c.Get(t.Context(), cluster.KeyOf(config))
	b.refused("nothing there", err, sdk.NotFound, sdk.ReasonNotFound, `get configmaps "c" in namespace "`+b.namespace+`"`)
	b.refused("kind", try(b.c, b.object(`{apiVersion: shop.example/v1, kind: Cart, metadata: {name: c}}`)), sdk.NotFound, sdk.ReasonNotFound, "no such kind", "shop.example/v1 Cart")
	b.refused("field", try(b.c, b.object(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: many}}`)), sdk.InvalidArgument, sdk.ReasonInvalidSpec, "replicas")
	b.apply(b.deployment(0, "v1", ""), cluster.ApplyOptions{})
	changed := b.deployment(0, "v1", "")
	_ = unstructured.SetNestedStringMap(changed.Object, map[string]string{"app": "api", "x": "y"}, "spec", "selector", "matchLabels")
	_ = unstructured.SetNestedStringMap(changed.Object, map[string]string{"app": "api", "x": "y"}, "spec", "template", "metadata", "labels")
	b.refused("immutable", try(b.c, changed), sdk.InvalidArgument, sdk.ReasonInvalidSpec, "spec.selector", "immutable")
	large := config.DeepCopy()
	_ = unstructured.SetNestedField(large.Object, strings.Repeat("x", 2<<20), "data", "x")
	b.refused("2 MiB", try(b.c, large), sdk.InvalidArgument, sdk.ReasonInvalidSpec, "configmaps")

	b.Apply(t, b.namespace, `{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {services: "0"}}}`)
	service := b.object(`{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 1}]}}`)
	testbed.Eventually(t, time.Minute, "the quota holds", func() error {
		if err := try(b.c, service); err != nil {
			b.refused("quota", err, sdk.FailedPrecondition, sdk.ReasonQuota, "exceeded quota: q", "services")
			return nil
		}
		return b.c.Delete(t.Context(), cluster.KeyOf(service), cluster.DeleteOptions{})
	})
}

// Who may do nothing is told what is missing; who is nobody, that.
func TestCredentials(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.Apply(t, b.namespace, `{apiVersion: v1, kind: ServiceAccount, metadata: {name: apm}}`)
	weak := connect(t, config(t, b.KubeconfigOf(t, b.namespace, "apm")))
	if version, err := weak.Version(t.Context()); err != nil || version != b.Version() {
		t.Errorf("version %q, %v", version, err)
	}
	key := cluster.Key{APIVersion: "apps/v1", Kind: "Deployment", Namespace: b.namespace, Name: "api"}
	_, err := weak.Get(t.Context(), key)
	b.refused("get", err, sdk.PermissionDenied, sdk.ReasonAuth, `grant verb "get" on resource "deployments.apps" in namespace "`+b.namespace+`"`)
	_, err = weak.Autoscaled(t.Context(), b.namespace)
	b.refused("list", err, sdk.PermissionDenied, sdk.ReasonAuth, `grant verb "list" on resource "horizontalpodautoscalers.autoscaling"`)
	err = weak.Delete(t.Context(), key, cluster.DeleteOptions{})
	b.refused("delete", err, sdk.PermissionDenied, sdk.ReasonAuth, `grant verb "delete" on resource "deployments.apps"`)
	_, blind, err := weak.Stamped(t.Context(), cluster.StampedRequest{Namespace: b.namespace, Identity: identity, Kinds: []schema.GroupVersionKind{{Version: "v1", Kind: "ConfigMap"}}})
	if err != nil || len(blind) != 1 {
		t.Errorf("Stamped: %v %v", blind, err)
	} else {
		b.refused("Stamped", blind[0], sdk.PermissionDenied, sdk.ReasonAuth, `grant verb "list" on resource "configmaps"`)
	}

	bad := config(t, b.Kubeconfig())
	bad.CertData, bad.KeyData, bad.CertFile, bad.KeyFile, bad.BearerToken = nil, nil, "", "", "expired"
	_, err = connect(t, bad).Get(t.Context(), key)
	b.refused("nobody", err, sdk.Unauthenticated, sdk.ReasonAuth, "renew those of the kubeconfig")
	strange := config(t, b.Kubeconfig())
	strange.CAData, strange.CAFile = nil, ""
	_, err = connect(t, strange).Version(t.Context())
	b.refused("certificate", err, sdk.FailedPrecondition, sdk.ReasonAuth, "not to be trusted")
	_, err = connect(t, &rest.Config{Host: "https://127.0.0.1:1"}).Version(t.Context())
	b.refused("no cluster", err, sdk.Unavailable, sdk.ReasonPlatformUnavailable, "nothing listens at 127.0.0.1:1")
	_, err = connect(t, &rest.Config{Host: "https://127.0.0.1:1"}).Get(t.Context(), key)
	b.refused("no cluster", err, sdk.Unavailable, sdk.ReasonPlatformUnavailable, "nothing listens at 127.0.0.1:1")
}

// A kind that comes later is found.
func TestKindComesLater(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	group := b.namespace + ".example"
	_, err := b.c.KindOf(t.Context(), group+"/v1", "Cart")
	b.refused("not there yet", err, sdk.NotFound, sdk.ReasonNotFound, "Cart")
	b.Apply(t, b.namespace, `
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: carts.`+group+`}, spec: {group: `+group+`, scope: Namespaced,
 names: {plural: carts, singular: cart, kind: Cart}, versions: [{name: v1, served: true, storage: true,
 schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`)
	t.Cleanup(func() {
		if _, err := b.TryKubectl(context.Background(), "", "delete", "crd", "carts."+group, "--wait=false"); err != nil {
			t.Error(err)
		}
	})
	cart := b.object(`{apiVersion: %s/v1, kind: Cart, metadata: {name: c}, spec: {x: 1}}`, group)
	testbed.Eventually(t, time.Minute, "the kind is found", func() error {
		_, err := b.c.Apply(t.Context(), cart, cluster.ApplyOptions{Stamp: stamp("op-1", 1)})
		return err
	})
	found, blind, err := b.c.Stamped(t.Context(), cluster.StampedRequest{Namespace: b.namespace, Identity: identity})
	if err != nil || len(blind) > 0 || len(found) != 1 || found[0].GetKind() != "Cart" {
		t.Errorf("found %v %v %v", found, blind, err)
	}
}
