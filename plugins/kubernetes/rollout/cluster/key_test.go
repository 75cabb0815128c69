package cluster_test

import (
	"testing"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
)

func TestKey(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]cluster.Key{
		"apps/v1 Deployment shop/api":                 {APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "api"},
		"v1 Namespace shop":                           {APIVersion: "v1", Kind: "Namespace", Name: "shop"},
		"rbac.authorization.k8s.io/v1 Role s/a:b.c-d": {APIVersion: "rbac.authorization.k8s.io/v1", Kind: "Role", Namespace: "s", Name: "a:b.c-d"},
	} {
		got, err := cluster.ParseKey(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "v1 Namespace", "Deployment shop/api x y", "v1 Pod shop/", "  "} {
		if k, err := cluster.ParseKey(text); err == nil {
			t.Errorf("%q is read as %+v", text, k)
		}
	}
	a, b := cluster.Key{APIVersion: "apps/v1", Kind: "Deployment", Name: "a"}, cluster.Key{APIVersion: "apps/v1beta1", Kind: "Deployment", Name: "a"}
	if !a.Same(b) || a.Same(cluster.Key{APIVersion: "v1", Kind: "Deployment", Name: "a"}) || a.Compare(b) >= 0 {
		t.Error("Same is about group, kind and name")
	}
}
