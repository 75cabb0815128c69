package testbed

import (
	"context"
	"testing"
	"time"

	"github.com/apm-deploy/apm/test/testbed/internal/node"
)

// A Part is a component of a node that a test may stop, kill or freeze.
type Part string

// The parts.
const (
	APIServer         Part = node.APIServer
	ControllerManager Part = node.ControllerManager
	Scheduler         Part = node.Scheduler
	Kubelet           Part = node.Kubelet
	Proxy             Part = node.Proxy
	Etcd              Part = node.Etcd
	Containerd        Part = node.Containerd
)

// Stop ends a part in good order; it stays down until Start.
func (c *Cluster) Stop(t testing.TB, part Part) { t.Helper(); c.control(t, node.Stop, part) }

// Kill ends a part at once; it stays down until Start.
func (c *Cluster) Kill(t testing.TB, part Part) { t.Helper(); c.control(t, node.Kill, part) }

// Freeze lets a part answer nothing, with its connections open, until Thaw.
func (c *Cluster) Freeze(t testing.TB, part Part) { t.Helper(); c.control(t, node.Freeze, part) }

// Thaw lets a frozen part go on.
func (c *Cluster) Thaw(t testing.TB, part Part) { t.Helper(); c.control(t, node.Thaw, part) }

// Start starts a part that was stopped or killed. For the API server it returns
// when that answers, else at once.
func (c *Cluster) Start(t testing.TB, part Part) {
	t.Helper()
	c.control(t, node.Start, part)
	if part == APIServer {
		c.WaitForAPIServer(t)
	}
}

// WaitForAPIServer returns when the API server is ready.
func (c *Cluster) WaitForAPIServer(t testing.TB) {
	t.Helper()
	Eventually(t, 90*time.Second, "the API server is ready", func() error {
		_, err := c.TryKubectl(t.Context(), "", "get", "--raw", "/readyz")
		return err
	})
}

// Running says whether a part has a process; a frozen one has.
func (c *Cluster) Running(t testing.TB, part Part) bool {
	t.Helper()
	all, err := node.Components(t.Context(), c.state.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return all[string(part)]
}

func (c *Cluster) control(t testing.TB, verb node.Verb, part Part) {
	t.Helper()
	if !c.isolated {
		t.Fatalf("%s %s: other tests use this node; take testbed.Isolated", verb, part)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := node.Control(ctx, c.state.Dir, verb, string(part)); err != nil {
		t.Fatal(err)
	}
}
