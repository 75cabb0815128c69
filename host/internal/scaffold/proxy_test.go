package scaffold_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/scaffold"
)

// proxied writes the proxy and returns its directory.
func proxied(t *testing.T) string {
	t.Helper()
	dir, err := scaffold.WriteProxy(t.Context(), filepath.Join(t.TempDir(), "proxy"))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestProxyIsWhatGoReads has the go command get the modules from it and from
// nowhere else, at the version that our own modules name.
func TestProxyIsWhatGoReads(t *testing.T) {
	t.Parallel()
	dir, cache := proxied(t), t.TempDir()
	required, err := os.ReadFile(filepath.Join(repository, "host", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"api", "sdk"} {
		path := "github.com/apm-deploy/apm/" + name
		if !strings.Contains(string(required), "\t"+path+" v0.1.0\n") {
			t.Errorf("host does not require %s v0.1.0", path)
		}
		command := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", path+"@v0.1.0")
		command.Dir = cache
		command.Env = append(os.Environ(), "GOPROXY=file://"+dir, "GONOSUMDB=github.com/apm-deploy/apm", "GONOPROXY=", "GOPRIVATE=",
			"GOMODCACHE="+filepath.Join(cache, "mod"), "GOFLAGS=-modcacherw", "GOWORK=off")
		output, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		var module struct{ Version, Dir, Sum string }
		if err := json.Unmarshal(output, &module); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		if module.Version != "v0.1.0" || !strings.HasPrefix(module.Sum, "h1:") {
			t.Errorf("go has got %+v", module)
		}
		if diff := cmp.Diff(tree(t, filepath.Join(repository, name)), tree(t, module.Dir)); diff != "" {
			t.Errorf("%s is not what go has got:\n%s", name, diff)
		}
	}
}

// TestProxyIsTheSameEveryTime: a checksum in a go.sum holds.
func TestProxyIsTheSameEveryTime(t *testing.T) {
	t.Parallel()
	one, two := proxied(t), proxied(t)
	files := tree(t, one)
	if len(files) != 8 {
		t.Errorf("%d files in the proxy, two times list, .info, .mod and .zip were wanted", len(files))
	}
	if diff := cmp.Diff(files, tree(t, two)); diff != "" {
		t.Error(diff)
	}
}

func TestRenew(t *testing.T) {
	t.Parallel()
	p, files := written(t, scaffold.Plugin{Name: "files"})
	stale := filepath.Join(p.Dir, thirdParty, "sdk", "stale.go")
	gone := filepath.Join(p.Dir, thirdParty, "api", "go.mod")
	if err := os.WriteFile(stale, []byte("package sdk\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	dir, err := scaffold.Renew(t.Context(), p.Dir)
	if err != nil || dir != filepath.Join(p.Dir, "third_party", "apm") {
		t.Fatalf("%s, %v", dir, err)
	}
	if diff := cmp.Diff(files, tree(t, p.Dir)); diff != "" {
		t.Error(diff)
	}
	// The same where somebody has removed all of it.
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := scaffold.Renew(t.Context(), p.Dir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(files, tree(t, p.Dir)); diff != "" {
		t.Error(diff)
	}
}

// TestRenewLeavesOthersAlone: only what New has written is replaced.
func TestRenewLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ mod, want string }{
		"no module":     {"", "is not the root of a Go module"},
		"no go.mod":     {"modul x\n", "read go.mod"},
		"another":       {"module example.com/x\n\ngo 1.26.0\n", "has no line that replaces github.com/apm-deploy/apm/api by ./third_party/apm/api"},
		"its own place": {"module example.com/x\n\nreplace github.com/apm-deploy/apm/api => ../api\n", "apm plugin new"},
	} {
		dir := t.TempDir()
		if c.mod != "" {
			if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(c.mod), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		before := tree(t, dir)
		_, err := scaffold.Renew(t.Context(), dir)
		if deployment.CodeOf(err) != deployment.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
