package testbed_test

import (
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/test/testbed"
)

// TestAccount may do what its role says and no more.
func TestAccount(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns := c.Namespace(t)
	c.Kubectl(t, "create", "serviceaccount", "reader", "-n", ns)
	path := c.KubeconfigOf(t, ns, "reader")
	list := []string{"get", "pods", "--kubeconfig", path}
	if output, err := c.TryKubectl(t.Context(), "", list...); err == nil || !strings.Contains(err.Error(), `cannot list resource "pods"`) {
		t.Errorf("an account without a role: %q, %v", output, err)
	}
	c.Kubectl(t, "create", "rolebinding", "reader", "-n", ns, "--clusterrole=view", "--serviceaccount="+ns+":reader")
	testbed.Eventually(t, 10*time.Second, "the account may list pods", func() error {
		_, err := c.TryKubectl(t.Context(), "", list...)
		return err
	})
	if _, err := c.TryKubectl(t.Context(), "", "delete", "serviceaccount", "reader", "--kubeconfig", path); err == nil {
		t.Error("an account that may look may delete")
	}
}
