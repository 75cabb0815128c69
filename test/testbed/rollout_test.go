package testbed_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/test/testbed"
)

// web is a Deployment with probes and a Service in front of it.
const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: app
        image: %s
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}
        livenessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
`

// answer asks until an address answers as wanted.
func answer(t *testing.T, host, port, want string) {
	t.Helper()
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	testbed.Eventually(t, 30*time.Second, net.JoinHostPort(host, port)+" answers "+want, func() error {
		response, err := client.Get("http://" + net.JoinHostPort(host, port) + "/")
		if err != nil {
			return err
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err == nil && strings.TrimSpace(string(body)) != want {
			err = fmt.Errorf("it answers %q", body)
		}
		return err
	})
}

// TestRollout takes a Deployment from one version to the next and asks it in
// every way that there is.
func TestRollout(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns := c.Namespace(t)
	c.Apply(t, ns, fmt.Sprintf(web, c.Image("v1")))
	status := []string{"rollout", "status", "deployment/web", "--namespace", ns, "--timeout=60s"}
	c.Kubectl(t, status...)

	port := c.Kubectl(t, "get", "service", "web", "-n", ns, "-o", "jsonpath={.spec.ports[0].nodePort}")
	cluster := c.Kubectl(t, "get", "service", "web", "-n", ns, "-o", "jsonpath={.spec.clusterIP}")
	answer(t, c.Address(), port, "v1")
	answer(t, cluster, "80", "v1")
	if log := c.Kubectl(t, "logs", "deployment/web", "-n", ns); !strings.Contains(log, "app v1 listens on") {
		t.Errorf("the log is %q", log)
	}
	// A pod reaches itself and others by the Service's address.
	if body := c.Kubectl(t, "exec", "deployment/web", "-n", ns, "--", "/app", "get", "http://"+cluster+"/"); body != "v1" {
		t.Errorf("a pod is told %q by the Service", body)
	}

	c.Kubectl(t, "set", "image", "deployment/web", "-n", ns, "app="+c.Image("v2"))
	c.Kubectl(t, status...)
	answer(t, cluster, "80", "v2")
	if node := c.Kubectl(t, "get", "nodes", "-o", "jsonpath={.items[*].status.nodeInfo.kubeletVersion}"); node != c.Version() {
		t.Errorf("kubelet is of version %s, want %s", node, c.Version())
	}
}

// TestTagMoves pulls a tag, moves it, and pulls it again.
func TestTagMoves(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns, registry := c.Namespace(t), c.NewRegistry(t)
	for _, version := range []string{"v1", "v2"} {
		image, digest := registry.Push(t, "shop:stable", testbed.App{Version: version})
		c.Kubectl(t, "run", version, "-n", ns, "--image", image, "--image-pull-policy=Always")
		c.Kubectl(t, "wait", "pod/"+version, "-n", ns, "--for=condition=Ready", "--timeout=60s")
		id := c.Kubectl(t, "get", "pod", version, "-n", ns, "-o", "jsonpath={.status.containerStatuses[0].imageID}")
		if want := registry.Address() + "/shop@" + digest; id != want {
			t.Errorf("%s runs as %s, want %s", version, id, want)
		}
	}
	if registry.Pulls() < 2 {
		t.Errorf("the registry was asked for %d manifests", registry.Pulls())
	}
}
