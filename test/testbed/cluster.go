package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apm-deploy/apm/test/testbed/internal/node"
	"github.com/apm-deploy/apm/test/testbed/internal/place"
)

// A Cluster is a running node.
type Cluster struct {
	state    *node.State
	isolated bool
}

// startPatience covers building Kubernetes on a machine that has never done so,
// though make test has done it before the tests start.
const startPatience = 40 * time.Minute

var shared struct {
	cluster *Cluster
	err     error
	once    sync.Once
}

// Kubernetes returns the node of this checkout, started if need be. It stays in
// use until the test process ends. Where no node can run the test is skipped and
// listed at the end of make test, but with CI=true it fails.
func Kubernetes(t testing.TB) *Cluster {
	t.Helper()
	options := options(t)
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startPatience)
		defer cancel()
		state, user, err := node.Up(ctx, options)
		shared.err = err
		if err == nil {
			shared.cluster = &Cluster{state: state}
			users = append(users, user)
		}
	})
	demand(t, options.Dir, shared.err)
	return shared.cluster
}

// users holds the locks of nodes until the process ends: a lock that nothing
// refers to is closed.
var users []*place.Lock

// Isolated starts a node for one test alone, with its own network, registry and
// state, and ends it with the test.
func Isolated(t testing.TB) *Cluster {
	t.Helper()
	options := options(t)
	main := options.Dir
	if err := node.Check(); err != nil {
		demand(t, main, err)
	}
	options.Idle = 30 * time.Second
	var owner *place.Lock
	for i := 2; ; i++ {
		options.Dir = fmt.Sprintf("%s-%d", main, i)
		var err error
		if owner, err = place.Try(options.Dir+".owner", false); err == nil {
			break
		}
		if !errors.Is(err, place.ErrHeld) {
			t.Fatalf("take a directory for a node: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	// What is there belongs to a run that was killed.
	err := node.Down(ctx, options.Dir)
	var state *node.State
	var user *place.Lock
	if err == nil {
		state, user, err = node.Up(ctx, options)
	}
	if err != nil {
		owner.Release()
		demand(t, main, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the node's logs:\n%s", node.Tail(options.Dir))
		}
		user.Release()
		if err := node.Down(context.Background(), options.Dir); err != nil {
			t.Errorf("end the node: %v", err)
		}
		owner.Release()
	})
	return &Cluster{state: state, isolated: true}
}

func options(t testing.TB) node.Options {
	t.Helper()
	work, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	repository, err := place.Repository(work)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := place.Directory(repository)
	if err != nil {
		t.Fatal(err)
	}
	return node.Options{Dir: dir, Repository: repository, Progress: os.Stderr}
}

// demand ends a test that has no node: skipped where there can be none, except
// in CI.
func demand(t testing.TB, dir string, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, node.ErrCannot) && os.Getenv("CI") != "true":
		if err := node.LeaveOut(dir, t.Name()); err != nil {
			t.Error(err)
		}
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

// Kubeconfig is the path of a file with all rights.
func (c *Cluster) Kubeconfig() string { return c.state.Kubeconfig }

// Address is that of the node as this machine sees it: NodePorts answer there,
// as do cluster IPs and pods at their own addresses.
func (c *Cluster) Address() string { return c.state.Address }

// HostAddress is that of this machine as pods see it.
func (c *Cluster) HostAddress() string { return c.state.HostAddress }

// Version is that of Kubernetes, such as v1.34.4.
func (c *Cluster) Version() string { return c.state.Version }

// Program is the path of a program of the node, such as kubectl.
func (c *Cluster) Program(name string) string { return filepath.Join(c.state.Programs, name) }

// Logs is the directory with the logs of the node's components.
func (c *Cluster) Logs() string { return filepath.Join(c.state.Dir, "logs") }

// Image is the full name of a standard image of the node's own registry: App
// with a tag such as v1, v2 or v2-crash.
func (c *Cluster) Image(tag string) string { return c.state.Registry + "/app:" + tag }

// Kubectl runs kubectl with all rights and returns its output. The test fails
// when it does.
func (c *Cluster) Kubectl(t testing.TB, args ...string) string {
	t.Helper()
	output, err := c.TryKubectl(t.Context(), "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// TryKubectl runs kubectl with something on its standard input, and returns its
// standard output; what it says on standard error is in the error.
func (c *Cluster) TryKubectl(ctx context.Context, input string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, c.Program("kubectl"), args...)
	// A proxy of this machine does not know the node.
	command.Env = append(
		os.Environ(),
		"KUBECONFIG="+c.Kubeconfig(), "KUBECACHEDIR="+filepath.Join(c.state.Dir, "kubectl"), "NO_PROXY="+c.Address(),
	)
	command.Stdin = strings.NewReader(input)
	var said strings.Builder
	command.Stderr = &said
	output, err := command.Output()
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(said.String()))
	}
	return strings.TrimSpace(string(output)), err
}

// Apply applies manifests in a namespace.
func (c *Cluster) Apply(t testing.TB, namespace, manifests string) {
	t.Helper()
	if _, err := c.TryKubectl(t.Context(), manifests, "apply", "--namespace", namespace, "--filename", "-"); err != nil {
		t.Fatal(err)
	}
}
