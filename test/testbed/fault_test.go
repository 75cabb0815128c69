package testbed_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/test/testbed"
)

// TestFaults runs images and pulls that fail, and sees at the pod what a judge of
// deployments has to tell apart.
func TestFaults(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns, denied, stopped := c.Namespace(t), c.NewRegistry(t), c.NewRegistry(t)
	private, _ := denied.Push(t, "private:v1", testbed.App{})
	forbidden, _ := denied.Push(t, "forbidden:v1", testbed.App{})
	denied.Deny("private", http.StatusUnauthorized)
	denied.Deny("forbidden", http.StatusForbidden)
	unreachable, _ := stopped.Push(t, "app:v1", testbed.App{})
	stopped.Stop()

	const (
		waiting    = "{.status.containerStatuses[0].state.waiting.reason}"
		message    = "{.status.containerStatuses[0].state.waiting.message}"
		terminated = "{.status.containerStatuses[0].lastState.terminated.reason}{.status.containerStatuses[0].state.terminated.reason}"
		events     = "events"
	)
	for name, fault := range map[string]struct {
		image, probes, where, want string
	}{
		"missing":   {c.Image("none"), "", message, "not found"},
		"private":   {private, "", message, "401 Unauthorized"},
		"forbidden": {forbidden, "", message, "403 Forbidden"},
		"down":      {unreachable, "", message, "connection refused"},
		"crash":     {c.Image("v2-crash"), "", waiting, "CrashLoopBackOff"},
		"oom":       {c.Image("v2-oom"), "", terminated, "OOMKilled"},
		"unhealthy": {c.Image("v2-unhealthy"), "livenessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}", events, "Liveness probe failed: HTTP probe failed with statuscode: 500"},
		"unready":   {c.Image("v2-unready"), "readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}", events, "Readiness probe failed: HTTP probe failed with statuscode: 503"},
		"slow":      {c.Image("v2-slow"), "startupProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1, failureThreshold: 90}", events, "Startup probe failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Apply(t, ns, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: app
    image: %s
    resources: {limits: {memory: 64Mi}}
    %s
`, name, fault.image, fault.probes))
			testbed.Eventually(t, time.Minute, "the pod says "+fault.want, func() error {
				args := []string{"get", "pod", name, "-n", ns, "-o", "jsonpath=" + fault.where}
				if fault.where == events {
					args = []string{"get", "events", "-n", ns, "--field-selector", "involvedObject.name=" + name, "-o", "jsonpath={.items[*].message}"}
				}
				said, err := c.TryKubectl(t.Context(), "", args...)
				if err == nil && !strings.Contains(said, fault.want) {
					err = errors.New("it says " + said)
				}
				return err
			})
		})
	}
}

// TestRegistryComesBack lets a pull fail while the registry is down; the pod
// starts by itself when it is up again.
func TestRegistryComesBack(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns, registry := c.Namespace(t), c.NewRegistry(t)
	image, _ := registry.Push(t, "app:v1", testbed.App{Version: "v1"})
	registry.Stop()
	c.Kubectl(t, "run", "late", "-n", ns, "--image", image)
	testbed.Eventually(t, 30*time.Second, "the pull fails", func() error {
		reason := c.Kubectl(t, "get", "pod", "late", "-n", ns, "-o", "jsonpath={.status.containerStatuses[0].state.waiting.reason}")
		if reason != "ErrImagePull" && reason != "ImagePullBackOff" {
			return errors.New("the reason is " + reason)
		}
		return nil
	})
	registry.Resume(t)
	c.Kubectl(t, "wait", "pod/late", "-n", ns, "--for=condition=Ready", "--timeout=60s")
}
