package platform_test

import (
	"strings"
	"testing"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/test/testbed"
)

// TestBadSpecs has a line for each mistake that only the cluster can tell. NS stands for
// the namespace, FILE for the manifest, IMAGE for one that is there.
func TestBadSpecs(t *testing.T) {
	t.Parallel()
	client, c, namespace := platform(t)
	c.Apply(t, namespace, strings.ReplaceAll(deployment(c.Image("v1")), "name: api\n", "name: shop-api\n"))
	c.Apply(t, namespace, service)
	for name, tc := range map[string]struct {
		spec     map[string]any
		manifest string // of manifests, at FILE
		want     string
	}{
		"workload missing": {
			spec: map[string]any{"deployment_name": "shop-pai"},
			want: `deployment_name: there is no Deployment "shop-pai" in namespace "NS" → did you mean "shop-api"? Else apply it first, or give its manifests`,
		},
		"called as the component": {
			spec: map[string]any{},
			want: `: there is no Deployment "api" in namespace "NS" → name it with deployment_name, or another kind with its own key; did you mean "shop-api"? Else apply it first, or give its manifests`,
		},
		"another kind": {
			spec: map[string]any{"statefulset_name": "shop-api"},
			want: `statefulset_name: there is no StatefulSet "shop-api" in namespace "NS" → apply it first, or give its manifests`,
		},
		"no Argo Rollouts": {
			spec: map[string]any{"rollout_name": "shop-api"},
			want: `rollout_name: there is no Rollout "shop-api" in namespace "NS" → the cluster has no kind Rollout of argoproj.io/v1alpha1: install it first`,
		},
		"service missing": {
			spec: map[string]any{"deployment_name": "shop-api", "service_name": "api-servcie"},
			want: `service_name: there is no Service "api-servcie" in namespace "NS" → did you mean "api-service"? Else apply it first, or leave service_name out`,
		},
		"labels of another": {
			spec: map[string]any{"deployment_name": "shop-api", "labels": map[string]string{"app": "web", "tier": "x", "version": "v9"}},
			want: `labels.app: Deployment "shop-api" has app=shop, and not web → correct the label, or name the workload that is meant` + "\n" +
				`labels.tier: Deployment "shop-api" has no label tier, and not x → correct the label, or name the workload that is meant`,
		},
		"container missing": {
			spec: map[string]any{"deployment_name": "shop-api", "image": map[string]string{"ap": "IMAGE"}},
			want: `image.ap: Deployment "shop-api" has no container "ap" → did you mean "app"? Else name a container of it`,
		},
		"namespace of another": {
			manifest: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\n  namespace: other\n",
			want:     `manifests.0: FILE:9: document 2, metadata.namespace: ConfigMap "b" is of namespace "other", and the platform is of "NS" → leave the namespace out, or use a platform of that namespace`,
		},
		"CRD not installed": {
			manifest: "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\n",
			want:     `manifests.0: FILE:2: document 1, kind: the cluster has no kind VirtualService of networking.istio.io/v1 → install its CustomResourceDefinition first, or correct apiVersion and kind`,
		},
		"old version of a kind": {
			manifest: "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: a}\n",
			want:     `manifests.0: FILE:1: document 1, apiVersion: the cluster has no kind Deployment of extensions/v1beta1 → it has a Deployment of apps/v1: correct apiVersion`,
		},
		"kind misspelt": {
			manifest: "apiVersion: apps/v1\nkind: Deploymnet\nmetadata: {name: a}\n",
			want:     `manifests.0: FILE:2: document 1, kind: the cluster has no kind Deploymnet of apps/v1 → did you mean "Deployment"? Else install its CustomResourceDefinition first, or correct apiVersion and kind`,
		},
		"field misspelt": {
			manifest: strings.Replace(deployment("IMAGE"), "replicas: 1", "replica: 1", 1),
			want:     `manifests.0: FILE:7: document 1, spec.replica: unknown field "replica" → did you mean "replicas"?`,
		},
		"one object twice": {
			manifest: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: NS}\n",
			want:     `manifests.0: FILE:5: document 2: ConfigMap "a" stands in document 1 (line 1) already → leave one of them out`,
		},
		"no name of an image": {
			manifest: deployment("'not an image'"),
			want:     `manifests.0: FILE:14: document 1, spec.template.spec.containers[0].image: "not an image" is no name of an image → write REGISTRY/NAME:TAG`,
		},
		"not in the manifests": {
			spec:     map[string]any{"deployment_name": "web"},
			manifest: deployment("IMAGE"),
			want:     `deployment_name: there is no Deployment "web" in the manifests, and none in namespace "NS" → there are api, shop-api; apply it first, or give its manifests`,
		},
		"which of two": {
			spec:     map[string]any{"image": map[string]string{"app": "IMAGE"}},
			manifest: deployment("IMAGE") + "---\n" + strings.Replace(deployment("IMAGE"), "name: api\n", "name: web\n", 1),
			want:     `image: the manifests have 2 workloads, and it is not said which is to get the images → name one, such as with deployment_name`,
		},
		"no file": {
			spec: map[string]any{"manifests": []string{"/nowhere/k8s"}},
			want: `manifests.0: /nowhere/k8s: no such file or directory → correct the path, or let the host's user read it`,
		},
		"no YAML": {
			manifest: "kind: [\n",
			want:     `manifests.0: FILE:1: document 1: not YAML: line 1: did not find expected node content → correct the text`,
		},
		"two documents are bad": {
			manifest: "apiVersion: v1\nkind: Pod\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: many}\n",
			want: `manifests.0: FILE:1: document 1: metadata is missing → give the object a name` + "\n" +
				`manifests.0: FILE:7: document 2, spec.replicas: expected a whole number, got a string → correct it`,
		},
		"2 MiB": {
			manifest: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  big: " + strings.Repeat("x", 2<<20) + "\n",
			want:     `manifests.0: FILE:5: document 1, data.big: the ConfigMap holds 2097152 bytes, and no cluster takes more than 1048576; 2097152 of them are this → split it, or put large content into an image or a volume`,
		},
		"9 MiB": {
			manifest: manyConfigMaps(10, 900<<10),
			want:     `manifests.0: FILE: larger than 8 MiB → name smaller files`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fill := strings.NewReplacer("NS", namespace, "IMAGE", c.Image("v1"))
			spec := map[string]any{}
			for key, value := range tc.spec {
				if images, ok := value.(map[string]string); ok && key == "image" {
					filled := map[string]string{}
					for container, image := range images {
						filled[container] = fill.Replace(image)
					}
					value = filled
				}
				spec[key] = value
			}
			path := ""
			if tc.manifest != "" {
				path = file(t, fill.Replace(tc.manifest))
				spec["manifests"] = []string{path}
			}
			_, diags, err := resolve(t, client, spec)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(said(diags), path, "FILE")
			if path == "" {
				got = said(diags)
			}
			if want := strings.ReplaceAll(tc.want, "NS", namespace); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func manyConfigMaps(count, size int) string {
	var text strings.Builder
	for i := range count {
		text.WriteString("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: map-" + string(rune('a'+i)) + "}\ndata:\n  big: " + strings.Repeat("x", size) + "\n")
	}
	return text.String()
}

// A kind that the manifests define themselves need not be there yet.
func TestOwnDefinition(t *testing.T) {
	t.Parallel()
	client, _, _ := platform(t)
	release, diags, err := resolve(t, client, map[string]any{"manifest": `apiVersion: example.com/v1
kind: Widget
metadata: {name: w}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
`})
	if err != nil || len(diags) > 0 {
		t.Fatal(said(diags), err)
	}
	if got := contentOf(t, release); got.Objects[0]["kind"] != "CustomResourceDefinition" || got.Objects[1]["kind"] != "Widget" {
		t.Errorf("order %v", got.Objects)
	}
}

// TestTooMuch is told with what is the largest.
func TestTooMuch(t *testing.T) {
	t.Parallel()
	client, _, _ := platform(t)
	few, more := file(t, manyConfigMaps(5, 900<<10)), file(t, strings.ReplaceAll(manyConfigMaps(5, 950<<10), "map-", "more-"))
	_, diags, err := resolve(t, client, map[string]any{"manifests": []string{few, more}})
	got := said(diags)
	if err != nil || !strings.HasPrefix(got, `manifests.1: the manifests have 94`) || !strings.Contains(got, `and a release holds 8388608; the largest is ConfigMap "more-a" with 97`) {
		t.Errorf("%s %v", got, err)
	}
}

// TestUnknownNamespace is told by the platform, since no spec can mend it.
func TestUnknownNamespace(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	client := configured(t, c.Kubeconfig(), "defaults")
	_, diags, err := resolve(t, client, map[string]any{})
	if sdk.CodeOf(err) != sdk.NotFound || len(diags) > 0 ||
		!strings.Contains(err.Error(), `the cluster has no namespace "defaults": did you mean "default"? Else create it, or correct namespace in the platform's block`) {
		t.Errorf("%s %v", said(diags), err)
	}
}
