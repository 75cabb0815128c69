package platform_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/test/testbed"
)

// content is what the plugin has written into a release, as far as the tests look.
type content struct {
	Objects  []map[string]any  `json:"objects"`
	Images   map[string]string `json:"images"`
	Workload map[string]string `json:"workload"`
	Service  string            `json:"service"`
	Labels   map[string]string `json:"labels"`
	Written  map[string]string `json:"written"`
}

func contentOf(t *testing.T, release sdk.Release) content {
	t.Helper()
	var c content
	if err := json.Unmarshal(release.State, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// The request of the product's description names what is there, and changes nothing.
func TestNamesOnly(t *testing.T) {
	t.Parallel()
	client, c, namespace := platform(t)
	c.Apply(t, namespace, strings.NewReplacer("name: api\n", "name: my-app-deployment\n", "app: shop", "app: my-app").Replace(deployment(c.Image("v1"))))
	c.Apply(t, namespace, strings.NewReplacer("api-service", "my-app-service").Replace(service))
	request := map[string]any{
		"deployment_name": "my-app-deployment", "service_name": "my-app-service",
		"labels": map[string]string{"app": "my-app", "version": "v2.0.0"},
	}
	release, diags, err := resolve(t, client, request)
	if err != nil || len(diags) > 0 {
		t.Fatal(said(diags), err)
	}
	got := contentOf(t, release)
	if release.Digest != "" || len(got.Objects)+len(got.Images) > 0 {
		t.Errorf("what is only followed has digest %q and content %v", release.Digest, got)
	}
	if got.Workload["name"] != "my-app-deployment" || got.Workload["namespace"] != namespace || got.Service != "my-app-service" || got.Labels["app"] != "my-app" {
		t.Errorf("release %+v", got)
	}
	if release.View["workload"] != "apps/v1 Deployment "+namespace+"/my-app-deployment" {
		t.Errorf("view %v", release.View)
	}
}

// Manifests are frozen: in order, with the platform's namespace, and tags as digests.
func TestManifests(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	registry := c.NewRegistry(t)
	v1, digest := registry.Push(t, "shop/api:v1", testbed.App{Version: "v1"})
	namespace := c.Namespace(t)
	client := configured(t, c.Kubeconfig(), namespace)
	text := deployment(v1) + "---\n" + service + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n"
	path := file(t, text)
	spec := map[string]any{"manifests": []string{path}, "service_name": "api-service", "labels": map[string]string{"version": "v1"}, "deployment_name": "api"}
	release, diags, err := resolve(t, client, spec)
	if err != nil || len(diags) > 0 {
		t.Fatal(said(diags), err)
	}
	got := contentOf(t, release)
	var kinds []string
	for _, object := range got.Objects {
		kinds = append(kinds, object["kind"].(string))
		if ns := object["metadata"].(map[string]any)["namespace"]; ns != namespace {
			t.Errorf("%v is of namespace %v", object["kind"], ns)
		}
	}
	if strings.Join(kinds, " ") != "Secret Service Deployment" {
		t.Errorf("order %v", kinds)
	}
	if pinned := v1 + "@" + digest; !strings.Contains(string(release.State), pinned) || got.Written["Deployment/api/app"] != v1 {
		t.Errorf("%s is not frozen as %s: %v", v1, pinned, got.Written)
	}
	for key, shown := range release.View {
		if strings.Contains(shown, "hunter2") {
			t.Errorf("%s shows the password: %s", key, shown)
		}
	}
	again, _, err := resolve(t, client, spec)
	if err != nil || release.Digest == "" || again.Digest != release.Digest {
		t.Errorf("the same twice: %q and %q, %v", release.Digest, again.Digest, err)
	}
	moved, _ := registry.Push(t, "shop/api:v1", testbed.App{Version: "v2"})
	if after, _, err := resolve(t, client, spec); err != nil || after.Digest == release.Digest {
		t.Errorf("%s has moved, and the digest stays %q, %v", moved, after.Digest, err)
	}
	registry.Stop()
	after, diags, err := resolve(t, client, spec)
	if err != nil || after.Digest != "" || len(diags) != 1 || !strings.HasPrefix(said(diags), `warning manifests.0: `+path+`:14: document 1, spec.template.spec.containers[0].image: image "`+v1+`" of Deployment/api/app stays a tag, which may move: the registry cannot be asked: `) {
		t.Errorf("without registry: digest %q, %s, %v", after.Digest, said(diags), err)
	}
}

// Images are set on a workload that is there, or on that of the manifests.
func TestImage(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	registry := c.NewRegistry(t)
	v2, digest := registry.Push(t, "shop/api:v2", testbed.App{Version: "v2"})
	namespace := c.Namespace(t)
	client := configured(t, c.Kubeconfig(), namespace)
	c.Apply(t, namespace, deployment(c.Image("v1")))
	release, diags, err := resolve(t, client, map[string]any{"image": map[string]string{"app": v2}}) // called as the component
	if err != nil || len(diags) > 0 {
		t.Fatal(said(diags), err)
	}
	if got := contentOf(t, release); got.Images["app"] != v2+"@"+digest || got.Written["app"] != v2 || got.Workload["name"] != "api" || release.Digest == "" {
		t.Errorf("live: %+v", got)
	}
	release, diags, err = resolve(t, client, map[string]any{"image": map[string]string{"app": v2}, "manifest": deployment("placeholder")})
	if err != nil || len(diags) > 0 {
		t.Fatal(said(diags), err)
	}
	if got := contentOf(t, release); len(got.Images) > 0 || !strings.Contains(string(release.State), v2+"@"+digest) || strings.Contains(string(release.State), "placeholder") {
		t.Errorf("manifest: %+v", got)
	}
	_, diags, err = resolve(t, client, map[string]any{"image": map[string]string{"app": registry.Address() + "/shop/api:v3"}})
	if want := `warning image.app: image "` + registry.Address() + `/shop/api:v3" of app: the registry does not have it: nodes will hardly find it → push it, or correct the image`; err != nil || said(diags) != want {
		t.Errorf("got  %s %v\nwant %s", said(diags), err, want)
	}
	registry.Deny("shop/api", 401)
	_, diags, err = resolve(t, client, map[string]any{"image": map[string]string{"app": v2}})
	if err != nil || !strings.Contains(said(diags), "the registry does not show it to the credentials at hand") {
		t.Errorf("denied: %s %v", said(diags), err)
	}
}
