//go:build !linux

package node

import (
	"context"
	"io"
	"time"

	"github.com/apm-deploy/apm/test/testbed/internal/place"
)

// See the files for Linux; elsewhere there is no node, and the tests that need
// one are left out.

// The names of the components.
const (
	Containerd        = "containerd"
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Kubelet           = "kubelet"
	Proxy             = "kube-proxy"
)

// A Verb is what can be done to a component.
type Verb string

// The verbs.
const (
	Start  Verb = "start"
	Stop   Verb = "stop"
	Kill   Verb = "kill"
	Freeze Verb = "freeze"
	Thaw   Verb = "thaw"
)

// Options are those of Up.
type Options struct {
	Progress        io.Writer
	Dir, Repository string
	Idle            time.Duration
	Keep            bool
}

// A State is that of a running node.
type State struct {
	Started                                     time.Time
	Dir, Kubeconfig, Programs, Version          string
	Address, HostAddress, Registry, Fingerprint string
	Kept                                        bool
}

// Check returns ErrCannot.
func Check() error { return ErrCannot }

// Up returns ErrCannot.
func Up(context.Context, Options) (*State, *place.Lock, error) { return nil, nil, ErrCannot }

// Down does nothing.
func Down(context.Context, string) error { return nil }

// Tail is empty.
func Tail(string) string { return "" }

// Control returns ErrCannot.
func Control(context.Context, string, Verb, string) error { return ErrCannot }

// Components returns ErrCannot.
func Components(context.Context, string) (map[string]bool, error) { return nil, ErrCannot }

// TrustRegistry returns ErrCannot.
func TrustRegistry(_, _, _ string) error { return ErrCannot }

// DistrustRegistry does nothing.
func DistrustRegistry(_, _ string) error { return nil }
