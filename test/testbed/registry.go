package testbed

import (
	"testing"
	"time"

	"github.com/apm-deploy/apm/test/testbed/internal/image"
	"github.com/apm-deploy/apm/test/testbed/internal/node"
	"github.com/apm-deploy/apm/test/testbed/internal/registry"
)

// A Registry is one that belongs to a test: it can be stopped, can refuse, and
// can move its tags, and nobody else sees it. It speaks plain HTTP on a port of
// 127.0.0.1, under the same name for this machine and for the node.
type Registry struct {
	registry *registry.Registry
	cluster  *Cluster
}

// App says how an image behaves: see the documentation of test/testbed/app.
type App struct {
	// Version is what it answers; v0 if empty.
	Version string
	// Mode is good if empty.
	Mode string
	// Delay is for the modes slow and turns.
	Delay time.Duration
}

// NewRegistry starts an empty registry that the node can pull from, until the
// test ends.
func (c *Cluster) NewRegistry(t testing.TB) *Registry {
	t.Helper()
	r, err := registry.Start("127.0.0.1", c.state.HostAddress)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	if err := node.TrustRegistry(c.state.Dir, c.state.HostAddress, r.Address()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.DistrustRegistry(c.state.Dir, r.Address()); err != nil {
			t.Error(err)
		}
	})
	return &Registry{registry: r, cluster: c}
}

// Address is 127.0.0.1 with the port.
func (r *Registry) Address() string { return r.registry.Address() }

// Push puts an image there under REPOSITORY:TAG and returns its full name and its
// digest. A tag that exists moves.
func (r *Registry) Push(t testing.TB, reference string, app App) (name, digest string) {
	t.Helper()
	layer, err := image.Layer(r.cluster.state.Dir)
	if err != nil {
		t.Fatal(err)
	}
	environment := []string{
		"APP_VERSION=" + app.Version, "APP_MODE=" + app.Mode, "APP_DELAY=" + app.Delay.String(),
		// A node that has the same image from elsewhere does not pull it, and names it by where it had it from.
		"APP_REGISTRY=" + r.Address(),
	}
	made, err := image.New(layer, nil, environment)
	if err != nil {
		t.Fatal(err)
	}
	if digest, err = r.registry.Push(made, reference); err != nil {
		t.Fatal(err)
	}
	return r.Address() + "/" + reference, digest
}

// Remove takes a tag away.
func (r *Registry) Remove(t testing.TB, reference string) {
	t.Helper()
	if err := r.registry.Remove(reference); err != nil {
		t.Fatal(err)
	}
}

// Stop refuses connections until Resume.
func (r *Registry) Stop() { r.registry.Stop() }

// Resume lets a stopped registry answer again, under the same address and with
// the same images.
func (r *Registry) Resume(t testing.TB) {
	t.Helper()
	if err := r.registry.Resume(); err != nil {
		t.Fatal(err)
	}
}

// Deny answers every request for a repository with a status, 401 or 403; 0 takes
// it back.
func (r *Registry) Deny(repository string, status int) { r.registry.Refuse(repository, status) }

// Pulls counts the manifests that were handed out.
func (r *Registry) Pulls() int { return r.registry.Pulls() }
