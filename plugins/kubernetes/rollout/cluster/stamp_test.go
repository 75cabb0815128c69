package cluster_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
)

func TestStamp(t *testing.T) {
	t.Parallel()
	want := cluster.Stamp{
		Identity: cluster.Identity{Installation: "i", Application: "Ein Laden, größer als 63 " + strings.Repeat("x", 63), Environment: "production", Component: "api"},
		Version:  "v1", Operation: "o", Digest: "d", Epoch: 7, Created: "c",
	}
	o := object(t, written)
	o.SetAnnotations(map[string]string{"mine": "stays"})
	want.Put(o)
	if got, ok := cluster.StampOf(o); !ok || got != want {
		t.Errorf("read %+v", got)
	}
	for key, value := range o.GetLabels() {
		if errs := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(errs) > 0 {
			t.Errorf("label %s=%s: %v", key, value, errs)
		}
	}
	for key := range o.GetAnnotations() {
		if errs := validation.IsQualifiedName(key); len(errs) > 0 {
			t.Errorf("annotation %s: %v", key, errs)
		}
	}
	cluster.Strip(o)
	if _, ok := cluster.StampOf(o); ok || o.GetAnnotations()["mine"] != "stays" || len(o.GetAnnotations()) != 1 || o.GetLabels()["app"] != "api" || len(o.GetLabels()) != 1 {
		t.Errorf("stripped: %v %v", o.GetLabels(), o.GetAnnotations())
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	seen := map[string]cluster.Identity{}
	for _, i := range []cluster.Identity{
		{},
		{Installation: "a", Application: "b"},
		{Installation: "ab"},
		{Application: "ab"},
		{Application: "a", Environment: "b"},
		{Installation: "1:a"},
		{Application: "a", Component: "b"},
	} {
		if other, ok := seen[i.Hash()]; ok {
			t.Errorf("%+v and %+v have one hash", i, other)
		}
		seen[i.Hash()] = i
	}
}
