//go:build linux

package testbed_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/apm-deploy/apm/test/testbed"
)

// TestParts stops, kills and freezes parts of a node that nobody else uses, beside
// the shared one.
func TestParts(t *testing.T) {
	t.Parallel()
	var node traces
	t.Cleanup(func() { // after that of the node
		if err := node.left(); err != nil {
			t.Errorf("of a node that was ended something is left: %v", err)
		}
	})
	c := testbed.Isolated(t)
	node = look(t, filepath.Dir(c.Logs()))
	if other := testbed.Kubernetes(t); other.Address() == c.Address() || other.Kubeconfig() == c.Kubeconfig() {
		t.Fatal("the isolated node is the shared one")
	}
	ns := c.Namespace(t)
	c.Apply(t, ns, fmt.Sprintf(web, c.Image("v1")))
	c.Kubectl(t, "rollout", "status", "deployment/web", "-n", ns, "--timeout=60s")
	port := c.Kubectl(t, "get", "service", "web", "-n", ns, "-o", "jsonpath={.spec.ports[0].nodePort}")

	for name, end := range map[string]func(testing.TB, testbed.Part){"stopped": c.Stop, "killed": c.Kill} {
		end(t, testbed.APIServer)
		if c.Running(t, testbed.APIServer) {
			t.Errorf("the API server runs though it was %s", name)
		}
		if output, err := c.TryKubectl(t.Context(), "", "get", "nodes", "--request-timeout=5s"); err == nil {
			t.Errorf("the API server answers though it was %s: %s", name, output)
		}
		answer(t, c.Address(), port, "v1") // the pods do not care
		c.Start(t, testbed.APIServer)
	}
	c.Kubectl(t, "set", "image", "deployment/web", "-n", ns, "app="+c.Image("v2"))
	c.Kubectl(t, "rollout", "status", "deployment/web", "-n", ns, "--timeout=60s")

	ready := func(want string) {
		t.Helper()
		testbed.Eventually(t, time.Minute, "Ready of the node is "+want, func() error {
			const path = `jsonpath={.items[0].status.conditions[?(@.type=="Ready")].status}`
			if status := c.Kubectl(t, "get", "nodes", "-o", path); status != want {
				return errors.New("it is " + status)
			}
			return nil
		})
	}
	c.Freeze(t, testbed.Kubelet)
	ready("Unknown")
	c.Thaw(t, testbed.Kubelet)
	ready("True")
}

// TestPartsOfOthers refuses to disturb the tests that use the same node.
func TestPartsOfOthers(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	asked := &asked{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Stop(asked, testbed.Scheduler)
	}()
	<-done
	if !asked.failed {
		t.Error("a part of the shared node can be stopped")
	}
	if !c.Running(t, testbed.Scheduler) {
		t.Error("the scheduler of the shared node does not run")
	}
}

// asked takes the failure of a test that is expected to fail.
type asked struct {
	testing.TB
	failed bool
}

func (a *asked) Fatalf(string, ...any)    { a.failed = true; runtime.Goexit() }
func (a *asked) Fatal(...any)             { a.failed = true; runtime.Goexit() }
func (a *asked) Helper()                  {}
func (a *asked) Context() context.Context { return a.TB.Context() }
