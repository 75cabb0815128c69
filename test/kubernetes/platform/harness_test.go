package platform_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/plugintest"
	"github.com/apm-deploy/apm/sdk/wire"
	"github.com/apm-deploy/apm/test/testbed"
)

// binary is the plugin.
var binary string

func TestMain(m *testing.M) {
	//nolint:forbidigo // the tests end as they say
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "apm-kubernetes")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "apm-plugin-kubernetes")
	if output, err := exec.Command("go", "build", "-o", binary, "../../../plugins/kubernetes").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, output)
		return 1
	}
	return m.Run()
}

// start starts the plugin, not configured.
func start(t *testing.T) *wire.Client {
	t.Helper()
	return plugintest.Start(t, []string{binary}).Client()
}

// configured starts the plugin on a namespace of the cluster.
func configured(t *testing.T, kubeconfig, namespace string) *wire.Client {
	t.Helper()
	client := start(t)
	config, err := json.Marshal(map[string]string{"kubeconfig": kubeconfig, "namespace": namespace})
	if err != nil {
		t.Fatal(err)
	}
	found, err := client.Configure(t.Context(), sdk.ConfigureRequest{
		Platform: "kubernetes", Config: config, HostVersion: "0.1.0", InstallationID: "test", DataDir: t.TempDir(),
	})
	if err != nil || len(found) > 0 {
		t.Fatal(found, err)
	}
	return client
}

// platform is the plugin on a fresh namespace, with all rights.
func platform(t *testing.T) (client *wire.Client, c *testbed.Cluster, namespace string) {
	t.Helper()
	c = testbed.Kubernetes(t)
	namespace = c.Namespace(t)
	return configured(t, c.Kubeconfig(), namespace), c, namespace
}

// resolve freezes a spec of the component api.
func resolve(t *testing.T, client *wire.Client, spec map[string]any) (sdk.Release, diag.Diagnostics, error) {
	t.Helper()
	data, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	return client.Resolve(t.Context(), sdk.ResolveRequest{Target: sdk.Target{
		Application: "shop", Environment: "production", Component: "api", Version: "v2.0.0", Spec: data,
	}})
}

// said renders diagnostics as people see them.
func said(diags diag.Diagnostics) string {
	lines := make([]string, 0, len(diags))
	for _, d := range diags {
		line := strings.Join(d.Path, ".") + ": " + d.Summary + " → " + d.Detail
		if d.Severity == diag.Warning {
			line = "warning " + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// file writes a manifest and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// deployment is a manifest of one that is called api.
func deployment(image string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
  labels: {app: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop, version: v1}}
    spec:
      containers:
      - name: app
        image: %s
`, image)
}

const service = `apiVersion: v1
kind: Service
metadata: {name: api-service}
spec: {selector: {app: shop}, ports: [{port: 80, targetPort: 8080}]}
`
