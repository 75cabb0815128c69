package binaries_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/testbed/internal/binaries"
	"github.com/apm-deploy/apm/test/testbed/internal/place"
)

const module = "test/testbed/internal/binaries/module"

// checkout has a module that says which version to build, and nothing to build.
func checkout(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	at := filepath.Join(dir, module)
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"go.mod": "module m\n\ngo 1.26.0\n\nrequire (\n\tk8s.io/kubernetes " + version + "\n)\n",
		"go.sum": "",
	} {
		if err := os.WriteFile(filepath.Join(at, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestDirectory is another one for another version.
func TestDirectory(t *testing.T) {
	cache := t.TempDir()
	t.Setenv(place.CacheVariable, cache)
	seen := map[string]bool{}
	for _, version := range []string{"v1.34.4", "v1.34.5"} {
		dir, err := binaries.Directory(checkout(t, version))
		if err != nil || filepath.Dir(dir) != cache || !strings.Contains(dir, version) {
			t.Errorf("%s: got %q, %v", version, dir, err)
		}
		seen[dir] = true
	}
	if len(seen) != 2 {
		t.Errorf("two versions share a directory: %v", seen)
	}
}

// TestEnsure takes what is complete, builds what is not, and leaves nothing of a
// build that fails.
func TestEnsure(t *testing.T) {
	cache := t.TempDir()
	t.Setenv(place.CacheVariable, cache)
	t.Setenv("GOPROXY", "off")
	repository := checkout(t, "v0.0.1")
	dir, err := binaries.Directory(repository)
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	if _, err := binaries.Ensure(t.Context(), repository, &said); err == nil || !strings.Contains(err.Error(), "build Kubernetes v0.0.1: go build") {
		t.Errorf("a build without modules: %v", err)
	}
	if !strings.Contains(said.String(), "Kubernetes v0.0.1 is built from its Go module into "+dir) {
		t.Errorf("it says %q", said.String())
	}
	if left, _ := filepath.Glob(dir + ".partial*"); len(left) > 0 {
		t.Errorf("%s is left", left)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range binaries.Names {
		if _, err := binaries.Ensure(t.Context(), repository, &said); err == nil {
			t.Fatalf("it is taken for complete without %s", name)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got, err := binaries.Ensure(t.Context(), repository, &said)
	if err != nil || got != dir {
		t.Errorf("got %q, %v, want %q", got, err, dir)
	}
}

// TestTwoBuilders wait for each other.
func TestTwoBuilders(t *testing.T) {
	t.Setenv(place.CacheVariable, t.TempDir())
	repository := checkout(t, "v0.0.1")
	dir, err := binaries.Directory(repository)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := place.Try(dir+".lock", false)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	ctx, cancel := context.WithCancel(t.Context())
	said := &firstLine{then: cancel}
	if _, err := binaries.Ensure(ctx, repository, said); err == nil || !strings.Contains(said.text, "another process builds Kubernetes") {
		t.Errorf("it says %q and returns %v", said.text, err)
	}
}

type firstLine struct {
	then func()
	text string
}

func (f *firstLine) Write(p []byte) (int, error) {
	f.text += string(p)
	f.then()
	return len(p), nil
}
