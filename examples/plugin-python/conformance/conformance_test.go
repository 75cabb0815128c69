package conformance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest"
)

const secret = "canary-7c1e90"

// binary returns the zipapp, which `make build` makes. Only a machine where it
// cannot be built is excused, and never CI.
func binary(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../bin/apm-plugin-symlink-python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: run make build", err)
		}
		t.Skipf("%v: make build makes it, with Python 3.11 or newer", err)
	}
	return path
}

// TestConformance runs every case of the contract that a process can show.
func TestConformance(t *testing.T) {
	command := binary(t)
	root := memory(t)
	one, two, many := files(t, "one", 3), files(t, "two", 5), files(t, "many", 10_000) // a line in the log for each
	if err := os.Symlink("index.html", filepath.Join(many, "zz no UTF-8 \xff")); err != nil {
		t.Fatal(err)
	}
	plugintest.Run(t, plugintest.Config{
		Command:    []string{command},
		Platform:   fmt.Appendf(nil, `{"root": %q, "keep": 1}`, root),
		SpecV1:     spec(one),
		SpecV2:     spec(two),
		SpecBad:    fmt.Appendf(nil, `{"source": %q, "env": {"NO NAME": "x"}}`, one),
		SpecChatty: spec(many),
		Secrets:    []string{secret},
		ChangeFiles: func(t plugintest.T) {
			index := filepath.Join(one, "index.html")
			write(t, index, "changed")
			t.Cleanup(func() { write(t, index, "one") })
		},
		ChangeLive: func(t plugintest.T, target sdk.Target) {
			current := filepath.Join(root, target.Application, target.Environment, target.Component, "current")
			write(t, filepath.Join(current, "index.html"), "changed by hand")
		},
		Prune: func(t plugintest.T, target sdk.Target) {
			component := filepath.Join(root, target.Application, target.Environment, target.Component)
			if err := os.RemoveAll(filepath.Join(component, ".apm", "frozen")); err != nil {
				t.Fatal(err)
			}
		},
	})
}

func spec(source string) []byte {
	return fmt.Appendf(nil, `{"source": %q, "env": {"TOKEN": %q}}`, source, secret)
}

// files makes a directory with a file and a number of links to it, which cost less
// than files.
func files(t *testing.T, content string, links int) string {
	t.Helper()
	dir := memory(t)
	write(t, filepath.Join(dir, "index.html"), content)
	for n := range links {
		if err := os.Symlink("index.html", filepath.Join(dir, fmt.Sprintf("page-%d.html", n))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// memory returns a directory in memory where there is one: the suite is about the
// plugin, and not about the speed of a disk.
func memory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "apm") //nolint:usetesting // t.TempDir is on disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func write(t plugintest.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
