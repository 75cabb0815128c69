// Package conformance_test runs the contract of plugins against the kubernetes plugin on
// a real cluster.
package conformance_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/plugin"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest"
	"github.com/apm-deploy/apm/test/testbed"
)

const secret = "canary-3f9c21"

// TestConformance runs every case of the contract on the built binary, and those that
// need it within this process.
func TestConformance(t *testing.T) {
	node := testbed.Kubernetes(t)
	namespace := node.Namespace(t)
	binary := filepath.Join(t.TempDir(), "apm-plugin-kubernetes")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/apm-deploy/apm/plugins/kubernetes")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	file := filepath.Join(t.TempDir(), "app.yaml")
	write(t, file, app(node.Image("v1"), ""))
	node.HostAddress()
	t.Setenv("NO_PROXY", "*")
	plugintest.Run(t, plugintest.Config{
		Command:     []string{binary},
		Env:         []string{"NO_PROXY=*", "no_proxy=*"},
		Plugin:      plugin.New(),
		Platform:    encode(t, map[string]any{"kubeconfig": node.Kubeconfig(), "namespace": namespace}),
		SpecV1:      encode(t, map[string]any{"manifests": []string{file}}),
		SpecV2:      encode(t, map[string]any{"manifest": app(node.Image("v2"), "")}),
		SpecBad:     encode(t, map[string]any{"deployment_name": "api", "statefulset_name": "api"}),
		SpecSlow:    encode(t, map[string]any{"manifest": app(node.Image("v2"), "600s")}),
		SpecFailing: encode(t, map[string]any{"manifest": app(node.Image("nowhere"), "")}),
		Secrets:     []string{secret},
		ChangeFiles: func(t plugintest.T) {
			write(t, file, app(node.Image("v3"), ""))
			t.Cleanup(func() { write(t, file, app(node.Image("v1"), "")) })
		},
		ChangeLive: func(tt plugintest.T, _ sdk.Target) {
			testbed.Eventually(t, time.Minute, "the Deployment is there", func() error {
				_, err := node.TryKubectl(t.Context(), "", "-n", namespace, "set", "image", "deployment/api", "app="+node.Image("v3"))
				return err
			})
		},
		Serves: func(t plugintest.T, addresses map[string]string) string {
			t.Helper()
			return get(t, addresses["http"])
		},
		Timeout: 2 * time.Minute,
	})
}

// settled is how long an answer must have been the same: kube-proxy is a moment behind,
// and pods that end answer until they have ended.
const settled = 1500 * time.Millisecond

// get asks a Service until it answers the same for a while.
func get(t plugintest.T, address string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	said, since := "", time.Now()
	for deadline := time.Now().Add(20 * time.Second); ; {
		text, err := fetch(client, "http://"+address)
		if text != said || err != nil {
			said, since = text, time.Now()
		}
		if err == nil && time.Since(since) > settled {
			return text
		}
		if time.Now().After(deadline) {
			t.Fatalf("ask %s: %v", address, err)
		}
		<-time.After(100 * time.Millisecond)
	}
}

func fetch(client *http.Client, url string) (string, error) {
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %s", response.Status)
	}
	return strings.TrimSpace(string(text)), nil
}

func encode(t *testing.T, spec map[string]any) []byte {
	t.Helper()
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t plugintest.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// app is a Deployment with a Service and a Secret; one with a delay takes as long to be
// ready.
func app(image, delay string) string {
	env := ""
	if delay != "" {
		env = fmt.Sprintf("\n        - {name: APP_MODE, value: slow}\n        - {name: APP_DELAY, value: %s}", delay)
	}
	return fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata: {name: api}
stringData: {token: %[3]s}
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec:
  selector: {app: api}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: 1
  progressDeadlineSeconds: 900
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: %[1]s
        env:
        - {name: TOKEN, valueFrom: {secretKeyRef: {name: api, key: token}}}%[2]s
        readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}
`, image, env, secret)
}
