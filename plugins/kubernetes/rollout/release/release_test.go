package release_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/release"
)

func deployment(image string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": "api", "namespace": "shop"},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
			"initContainers": []any{map[string]any{"name": "first", "image": "first@sha256:0"}},
			"containers":     []any{map[string]any{"name": "app", "image": image}},
		}}},
	}}
}

func TestEncoding(t *testing.T) {
	t.Parallel()
	r := &release.Release{
		Objects: []*unstructured.Unstructured{deployment("app:v1")}, Images: map[string]string{"a": "b@sha256:1"},
		Workload: &release.Workload{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "api"},
		Labels:   map[string]string{"app": "shop"}, Version: "v1", Written: map[string]string{"a": "b:v1"},
	}
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := release.Decode(release.Version, data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, read); diff != "" {
		t.Error(diff)
	}
	if _, err := release.Decode(release.Version+1, data); !errors.Is(err, release.ErrNewer) {
		t.Errorf("of a newer plugin: %v", err)
	}
	if _, err := release.Decode(release.Version, []byte("no")); err == nil {
		t.Error("no JSON was read")
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	digest := func(r release.Release) string {
		t.Helper()
		d, err := r.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	objects := func(image string) []*unstructured.Unstructured {
		return []*unstructured.Unstructured{deployment(image)}
	}
	one := digest(release.Release{Version: "v1", Objects: objects("app:v1@sha256:1"), Written: map[string]string{"a": "app:v1"}})
	if !strings.HasPrefix(one, "sha256:") {
		t.Errorf("digest %q", one)
	}
	if same := digest(release.Release{Version: "v2", Objects: objects("app:v1@sha256:1")}); same != one {
		t.Error("the same content under another version has another digest")
	}
	if other := digest(release.Release{Version: "v1", Objects: objects("app:v1@sha256:2")}); other == one {
		t.Error("other content has the same digest")
	}
	for name, r := range map[string]release.Release{
		"names only":         {Version: "v1", Workload: &release.Workload{Name: "api"}},
		"tag in an object":   {Objects: objects("app:v1")},
		"tag of a container": {Images: map[string]string{"app": "app:v1"}},
	} {
		if d := digest(r); d != "" {
			t.Errorf("%s: digest %q of what cannot be compared", name, d)
		}
	}
}

func TestEachContainer(t *testing.T) {
	t.Parallel()
	var paths []string
	object := deployment("app:v1")
	release.EachContainer(object, func(path []any, container map[string]any) {
		paths = append(paths, fmt.Sprint(path))
		container["image"] = "changed"
	})
	want := []string{"[spec template spec initContainers 0]", "[spec template spec containers 0]"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Error(diff)
	}
	release.EachContainer(object, func(path []any, container map[string]any) {
		if container["image"] != "changed" {
			t.Errorf("%v was not changed", path)
		}
	})
	object.SetAPIVersion("serving.example/v1")
	release.EachContainer(object, func(path []any, _ map[string]any) { t.Errorf("%v of a stranger's kind", path) })
}

func TestView(t *testing.T) {
	t.Parallel()
	secret := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{
			"name": "s", "namespace": "shop",
			"annotations": map[string]any{"kubectl.kubernetes.io/last-applied-configuration": "hunter2"},
		},
		"data": map[string]any{"a": "aHVudGVyMg=="}, "stringData": map[string]any{"b": "hunter2"},
	}}
	big := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "big"},
		"data": map[string]any{"a": strings.Repeat("x", 20<<10)},
	}}
	r := release.Release{
		Objects: []*unstructured.Unstructured{secret, big}, Service: "api", Labels: map[string]string{"b": "2", "a": "1"},
		Workload: &release.Workload{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "api"},
	}
	view := r.View()
	for key, text := range view {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "aHVudGVyMg") {
			t.Errorf("%s shows a secret: %s", key, text)
		}
	}
	if !strings.Contains(view["v1 Secret shop/s"], "b: sha256:f52fbd32") {
		t.Errorf("secret: %s", view["v1 Secret shop/s"])
	}
	if secret.Object["stringData"].(map[string]any)["b"] != "hunter2" {
		t.Error("the object itself was changed")
	}
	if len(view["v1 ConfigMap big"]) > 100 {
		t.Errorf("big: %d bytes", len(view["v1 ConfigMap big"]))
	}
	if view["labels"] != "a=1,b=2" || view["workload"] != "apps/v1 Deployment shop/api" || view["service"] != "api" {
		t.Errorf("view %v", view)
	}
}
