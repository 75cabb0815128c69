// Package binaries builds the programs of a Kubernetes node from their Go
// modules, once for all checkouts of a machine. The versions and checksums are
// those of the module in module/, which is no part of the workspace. It never
// fetches a program that somebody else built.
package binaries

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/apm-deploy/apm/test/testbed/internal/place"
)

// Names are the programs, as Ensure leaves them in its directory.
var Names = []string{
	"etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet",
}

// built are the names that go build gives where they are not those of Names.
var built = map[string]string{"etcd": "server"}

// module is where the versions stand.
const module = "test/testbed/internal/binaries/module"

var kubernetes = regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes (v\S+)`)

// Version returns the version of Kubernetes that the checkout asks for.
func Version(repository string) (string, error) {
	content, err := os.ReadFile(filepath.Join(repository, module, "go.mod"))
	if err != nil {
		return "", err
	}
	match := kubernetes.FindSubmatch(content)
	if match == nil {
		return "", fmt.Errorf("no version of k8s.io/kubernetes in %s/go.mod", module)
	}
	return string(match[1]), nil
}

// Directory returns where the programs are, or will be: below the cache, keyed
// by version, system, and everything that the build depends on.
func Directory(repository string) (string, error) {
	cache, err := place.Cache()
	if err != nil {
		return "", err
	}
	version, err := Version(repository)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(repository, module, name))
		if err != nil {
			return "", err
		}
		_, _ = sum.Write(content)
	}
	_, _ = io.WriteString(sum, flags(version))
	key := hex.EncodeToString(sum.Sum(nil))[:12]
	return filepath.Join(cache, strings.Join([]string{"kubernetes", version, runtime.GOOS, runtime.GOARCH, key}, "-")), nil
}

// flags are those of the linker: Kubernetes asks its own version of them.
func flags(version string) string {
	words := []string{"-s", "-w"}
	numbers := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		words = append(
			words,
			"-X", pkg+".gitVersion="+version, "-X", pkg+".gitMajor="+numbers[0], "-X", pkg+".gitMinor="+numbers[1],
			"-X", pkg+".gitTreeState=clean",
		)
	}
	return strings.Join(words, " ")
}

// Ensure returns the directory with the programs, built if need be. Of several
// builders one builds and the others wait; a build that was broken off leaves
// nothing that is taken for finished.
func Ensure(ctx context.Context, repository string, progress io.Writer) (string, error) {
	dir, err := Directory(repository)
	if err != nil {
		return "", err
	}
	if complete(dir) {
		return dir, nil
	}
	lock, err := place.Take(ctx, dir+".lock", false, func() {
		fmt.Fprintf(progress, "testbed: another process builds Kubernetes in %s; waiting for it\n", dir)
	})
	if err != nil {
		return "", err
	}
	defer lock.Release()
	if complete(dir) {
		return dir, nil
	}
	return dir, build(ctx, repository, dir, progress)
}

func complete(dir string) bool {
	for _, name := range Names {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.Mode().IsRegular() {
			return false
		}
	}
	return true
}

func build(ctx context.Context, repository, dir string, progress io.Writer) error {
	version, err := Version(repository)
	if err != nil {
		return err
	}
	started := time.Now()
	fmt.Fprintf(progress, "testbed: Kubernetes %s is built from its Go module into %s; once, about ten minutes on two cores\n", version, dir)
	// Only one builds at a time: what an earlier one left is of no use to anyone.
	partial := dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(partial) }()
	if err := compile(ctx, filepath.Join(repository, module), partial, version, progress); err != nil {
		return fmt.Errorf("build Kubernetes %s: %w", version, err)
	}
	for name, as := range built {
		if err := os.Rename(filepath.Join(partial, as), filepath.Join(partial, name)); err != nil {
			return err
		}
	}
	if !complete(partial) {
		return fmt.Errorf("build Kubernetes %s: go build left not all of %s in %s", version, strings.Join(Names, ", "), partial)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Rename(partial, dir); err != nil {
		return err
	}
	fmt.Fprintf(progress, "testbed: Kubernetes %s is built (%s)\n", version, time.Since(started).Round(time.Second))
	return nil
}

func compile(ctx context.Context, source, into, version string, progress io.Writer) error {
	total := count(ctx, source)
	output := &counter{progress: progress, total: total, next: time.Now().Add(interval)}
	command := gocommand(ctx, source, "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", flags(version), "-o", into, "tool")
	command.Stdout, command.Stderr = output, output
	if err := command.Run(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, output.tail())
	}
	return nil
}

func gocommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "CGO_ENABLED=0")
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	return command
}

// count returns how many packages there are to compile, 0 if nobody knows. It
// also fetches the modules, which takes a while the first time.
func count(ctx context.Context, source string) int {
	output, err := gocommand(ctx, source, "list", "-deps", "tool").Output()
	if err != nil {
		return 0
	}
	return strings.Count(string(output), "\n")
}
