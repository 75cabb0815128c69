package platform_test

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/wire"
	"github.com/apm-deploy/apm/test/testbed"
)

var errEnough = errors.New("enough")

// health waits until what the plugin says of its platform is as it should be.
func health(t *testing.T, client *wire.Client, good func(sdk.Health) bool) sdk.Health {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var last sdk.Health
	err := client.Health(ctx, func(h sdk.Health) error {
		if last = h; good(h) {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatalf("health %+v: %v", last, err)
	}
	return last
}

func first(sdk.Health) bool { return true }

// grant applies deploy/kubernetes/rbac.yaml to a namespace, and returns a kubeconfig of
// its account.
func grant(t *testing.T, c *testbed.Cluster, namespace string) string {
	t.Helper()
	text, err := os.ReadFile("../../../deploy/kubernetes/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c.Apply(t, namespace, strings.ReplaceAll(string(text), "default", namespace))
	t.Cleanup(func() {
		if _, err := c.TryKubectl(context.Background(), "", "delete", "clusterrolebinding", "apm-nodes-"+namespace); err != nil {
			t.Error(err)
		}
	})
	return c.KubeconfigOf(t, namespace, "apm")
}

// With the rights of deploy/kubernetes/rbac.yaml none is missing; what is taken away is
// named.
func TestRights(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	namespace := c.Namespace(t)
	kubeconfig := grant(t, c, namespace)
	client := configured(t, kubeconfig, namespace)
	got := health(t, client, first)
	account := "system:serviceaccount:" + namespace + ":apm"
	if got.State != sdk.HealthHealthy || got.Attributes["missing_rights"] != "" || got.Attributes["account"] != account || got.Attributes["version"] != c.Version() {
		t.Errorf("%+v", got)
	}
	if want := "Kubernetes " + c.Version() + " at " + c.Server(); got.Description != want {
		t.Errorf("description %q, want %q", got.Description, want)
	}
	if _, diags, err := resolve(t, client, map[string]any{"manifest": deployment(c.Image("v1")) + "---\n" + service}); err != nil || len(diags) > 0 {
		t.Errorf("resolve: %s %v", said(diags), err)
	}

	// Rights for kinds that the manifest has beside those.
	_, _, err := resolve(t, client, map[string]any{"manifest": "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n"})
	want := account + ` may not apply these manifests; grant it, in namespace "` + namespace + `": create, delete, get, patch roles.rbac.authorization.k8s.io; in the whole cluster: create, delete, get, patch namespaces`
	if sdk.CodeOf(err) != sdk.PermissionDenied || !strings.Contains(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}

	// Without a right that is not needed for all it is healthy, and says so.
	c.Kubectl(t, "delete", "clusterrolebinding", "apm-nodes-"+namespace)
	c.Kubectl(t, "create", "clusterrolebinding", "apm-nodes-"+namespace, "--clusterrole=view", "--user=nobody")
	client = configured(t, kubeconfig, namespace)
	got = health(t, client, func(h sdk.Health) bool { return h.Attributes["missing_rights"] != "" })
	if got.State != sdk.HealthHealthy || !strings.HasSuffix(got.Description, "; "+account+" may not, in the whole cluster: get, list, watch nodes") {
		t.Errorf("without nodes: %+v", got)
	}

	// Without one that is, it is not.
	c.Kubectl(t, "patch", "role", "apm", "--namespace", namespace, "--type=json", "-p", `[{"op": "replace", "path": "/rules/6/resources", "value": ["configmaps"]}]`)
	client = configured(t, kubeconfig, namespace)
	got = health(t, client, func(h sdk.Health) bool { return h.State == sdk.HealthUnhealthy })
	if !strings.Contains(got.Attributes["missing_rights"], `in namespace "`+namespace+`": create, delete, get, list, patch, update, watch persistentvolumeclaims; create, delete, get, list, patch, update, watch secrets; `) ||
		!strings.Contains(got.Description, "grant it as deploy/kubernetes/rbac.yaml does") {
		t.Errorf("without secrets: %+v", got)
	}
}

// edited returns a kubeconfig with all rights in which something is another.
func edited(t *testing.T, c *testbed.Cluster, edit func(string) string) string {
	t.Helper()
	text, err := os.ReadFile(c.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(edit(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Whose credentials are refused, by whom, and since when they have expired.
func TestRefusedCredentials(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	namespace := c.Namespace(t)
	c.Kubectl(t, "create", "serviceaccount", "gone", "--namespace", namespace)
	kubeconfig := c.KubeconfigOf(t, namespace, "gone")
	c.Kubectl(t, "delete", "serviceaccount", "gone", "--namespace", namespace)

	text, err := os.ReadFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	before, after, _ := strings.Cut(string(text), "user: {token: ")
	_, after, _ = strings.Cut(after, "}")
	encode := base64.RawURLEncoding.EncodeToString
	expired := filepath.Join(t.TempDir(), "expired")
	token := encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(`{"exp":1700000000}`)) + "." + encode([]byte("x"))
	if err := os.WriteFile(expired, []byte(before+"user: {token: "+token+"}"+after), 0o600); err != nil {
		t.Fatal(err)
	}

	for path, want := range map[string]string{
		kubeconfig: `the API server at ` + c.Server() + ` refuses the token of user "gone" of context "gone" in ` + kubeconfig + `; renew it`,
		expired:    `the API server at ` + c.Server() + ` refuses the token of user "gone" of context "gone" in ` + expired + `: the token expired at 2023-11-14T22:13:20Z; renew it`,
	} {
		client := configured(t, path, namespace)
		// The API server remembers for some seconds whom it knew.
		got := health(t, client, func(h sdk.Health) bool { return h.State == sdk.HealthUnhealthy })
		if got.Description != want {
			t.Errorf("got  %s\nwant %s", got.Description, want)
		}
		if _, _, err := resolve(t, client, map[string]any{}); sdk.CodeOf(err) != sdk.Unauthenticated {
			t.Errorf("resolve: %v", err)
		}
	}
}

// An account without rights may do nothing, and is told which it lacks.
func TestForbidden(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	namespace := c.Namespace(t)
	c.Kubectl(t, "create", "serviceaccount", "poor", "--namespace", namespace)
	client := configured(t, c.KubeconfigOf(t, namespace, "poor"), namespace)
	got := health(t, client, first)
	if got.State != sdk.HealthUnhealthy || !strings.Contains(got.Description, "system:serviceaccount:"+namespace+":poor may not, in namespace ") {
		t.Errorf("%+v", got)
	}
	_, _, err := resolve(t, client, map[string]any{})
	if want := `get deployments.apps "api" in namespace "` + namespace + `": the right is missing: grant verb "get" on resource "deployments.apps" in namespace "` + namespace + `"`; sdk.CodeOf(err) != sdk.PermissionDenied || !strings.Contains(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// A certificate that the kubeconfig does not trust is no cluster that is down.
func TestDistrusted(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	path := edited(t, c, func(text string) string {
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			if before, _, found := strings.Cut(line, "certificate-authority"); found {
				lines[i] = before + "tls-server-name: other.example"
			}
		}
		return strings.Join(lines, "\n")
	})
	got := health(t, configured(t, path, "default"), first)
	if got.State != sdk.HealthUnhealthy || !strings.Contains(got.Description, "is not to be trusted") {
		t.Errorf("%+v", got)
	}
}

// A cluster that comes back is seen, and one that goes.
func TestOutage(t *testing.T) {
	t.Parallel()
	c := testbed.Isolated(t)
	c.Stop(t, testbed.APIServer)
	client := configured(t, c.Kubeconfig(), "default")
	got := health(t, client, first)
	if got.State != sdk.HealthUndetected || !strings.Contains(got.Description, "nothing listens at ") {
		t.Errorf("%+v", got)
	}
	if _, _, err := resolve(t, client, map[string]any{}); sdk.CodeOf(err) != sdk.Unavailable {
		t.Errorf("resolve: %v", err)
	}
	c.Start(t, testbed.APIServer)
	health(t, client, func(h sdk.Health) bool { return h.State == sdk.HealthHealthy })
}
