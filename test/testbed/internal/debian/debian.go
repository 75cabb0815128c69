// Package debian looks for the programs that the testbed takes from the system,
// and installs the packages they come in. It never starts a service.
package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/apm-deploy/apm/test/testbed/internal/place"
)

// A Part is a program or file that a package brings.
type Part struct {
	// Package is the name of Debian and Ubuntu.
	Package string
	// File is what must be there: a path, or a program to be found on the PATH.
	File string
}

// Node are the parts of a Kubernetes node that are not built from Go modules.
// What kubeadm also looks for (socat, ethtool, ebtables, conntrack) is called by
// nothing here: containerd forwards ports by itself, kube-proxy speaks netlink.
var Node = []Part{
	{Package: "containerd", File: "containerd"},
	{Package: "containerd", File: "containerd-shim-runc-v2"},
	{Package: "runc", File: "runc"},
	{Package: "containernetworking-plugins", File: "/usr/lib/cni/bridge"},
	{Package: "containernetworking-plugins", File: "/usr/lib/cni/portmap"},
	{Package: "iptables", File: "iptables"},
	{Package: "iproute2", File: "ip"},
	{Package: "mount", File: "mount"},
}

// ErrMissing is wrapped by errors about packages that are not there and cannot
// be installed.
var ErrMissing = errors.New("packages are missing")

// Missing returns the packages whose parts are not there, in order.
func Missing(parts []Part) []string {
	var packages []string
	for _, part := range parts {
		if _, err := exec.LookPath(part.File); err != nil && !slices.Contains(packages, part.Package) {
			packages = append(packages, part.Package)
		}
	}
	return packages
}

// lockPath keeps two testbeds of this machine from installing at once: the
// second one then finds everything there.
const lockPath = place.Machine + "/apt"

// Ensure installs what is missing with apt-get. It needs root and a system with
// apt-get, else the error names the packages.
func Ensure(ctx context.Context, parts []Part, progress io.Writer) error {
	if len(Missing(parts)) == 0 {
		return nil
	}
	if os.Getuid() != 0 {
		return refuse(parts, "only root can install them")
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return refuse(parts, "there is no apt-get on this system")
	}
	lock, err := place.Take(ctx, lockPath, false, nil)
	if err != nil {
		return err
	}
	defer lock.Release()
	missing := Missing(parts)
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintf(progress, "testbed: apt-get install %s\n", strings.Join(missing, " "))
	allow, err := denyStarts()
	if err != nil {
		return err
	}
	defer allow()
	install := append([]string{"install", "-y", "-qq", "--no-install-recommends"}, missing...)
	if _, err := apt(ctx, install...); err != nil {
		// The list of packages may be missing or old.
		if output, err := apt(ctx, "update", "-qq"); err != nil {
			return refuse(parts, fmt.Sprintf("apt-get update: %v\n%s", err, output))
		}
		if output, err := apt(ctx, install...); err != nil {
			return refuse(parts, fmt.Sprintf("apt-get install: %v\n%s", err, output))
		}
	}
	if len(Missing(parts)) > 0 {
		return refuse(parts, "apt-get install brought less than expected")
	}
	return nil
}

func refuse(parts []Part, reason string) error {
	names := strings.Join(Missing(parts), " ")
	return fmt.Errorf("%w: %s (%s); as root: apt-get install --no-install-recommends %s", ErrMissing, names, reason, names)
}

func apt(ctx context.Context, args ...string) ([]byte, error) {
	// Another apt-get may be at work; it is waited for.
	command := exec.CommandContext(ctx, "apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300"}, args...)...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = time.Minute
	return command.CombinedOutput()
}

// policyPath is asked by Debian's packages whether they may start a service.
const policyPath = "/usr/sbin/policy-rc.d"

// denyStarts answers no there until the returned function is called. An answer
// that is already there is left alone, whatever it says.
func denyStarts() (allow func(), err error) {
	file, err := os.OpenFile(policyPath, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if errors.Is(err, os.ErrExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("keep services from starting: %w", err)
	}
	_, err = io.WriteString(file, "#!/bin/sh\nexit 101\n")
	if err := errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(policyPath)
		return nil, fmt.Errorf("keep services from starting: %w", err)
	}
	return func() { _ = os.Remove(policyPath) }, nil
}
