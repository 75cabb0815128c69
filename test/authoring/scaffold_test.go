package authoring_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

// TestFromNothingToARollback is the way of docs/plugin-authoring.md, with a host of
// one's own that has another plugin already.
func TestFromNothingToARollback(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	dir := h.Path("files")
	h.Must(0, "plugin", "new", "files", "--dir", dir, "--module", "git.example.com/ops/files")
	binary := filepath.Join(dir, "apm-plugin-files")

	proxy := newRecorder(t)
	a := newAuthor(t, dir, proxy.URL)
	a.run("make")
	proxy.check(t)
	if output := a.run("make", "test"); !regexp.MustCompile(`(?m)^ok\s+git\.example\.com/ops/files\s`).MatchString(output) {
		t.Errorf("make test ran no conformance suite:\n%s", output)
	}
	proxy.check(t)
	if r := h.Must(0, "plugin", "test", binary, "--run", "rollback"); !strings.Contains(r.Stdout, " 0 failed") {
		t.Errorf("the suite did not run: %s", r)
	}

	blocks := hcl(t, filepath.Join(dir, "README.md"))
	if len(blocks) != 2 {
		t.Fatalf("the README shows %d blocks of HCL, plugin with platform and an application were wanted", len(blocks))
	}
	root := h.Path("www")
	place := strings.NewReplacer("/opt/apm/apm-plugin-files", binary, "/srv/www", root)
	h.WriteConfig(h.DefaultConfig() + place.Replace(blocks[0]))
	h.Write("applications/shop.hcl", blocks[1])
	for _, version := range []string{"v1", "v2"} {
		if err := os.CopyFS(h.Path("applications/dist/"+version), os.DirFS(filepath.Join(dir, "testdata", version))); err != nil {
			t.Fatal(err)
		}
	}
	h.Must(0, "plugin", "lock")
	h.Start()

	page := filepath.Join(root, "shop", "test", "web", "current", "index.html")
	serves := func(version string) {
		t.Helper()
		want, err := os.ReadFile(filepath.Join(dir, "testdata", version, "index.html"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(page); string(got) != string(want) {
			t.Errorf("%s is %q, %v; %q was wanted", page, got, err, want)
		}
	}
	h.Must(0, "deploy", "start", "--name", "shop", "--version", "v1", "--watch")
	serves("v1")
	h.Must(0, "deploy", "start", "--name", "shop", "--version", "v2", "--watch")
	serves("v2")
	id := strings.TrimSpace(h.Must(0, "deploy", "list", "--version", "v2", "-o", "json", "--jq", ".deployments[0].id").Stdout)
	h.Must(0, "deploy", "rollback", id, "--watch")
	serves("v1")
	h.Must(0, "deploy", "remove", "shop", "--yes", "--watch")
	if _, err := os.Lstat(filepath.Dir(page)); !os.IsNotExist(err) {
		t.Errorf("removed, and %s is there: %v", filepath.Dir(page), err)
	}
}

// hcl returns the blocks of HCL in a page.
func hcl(t *testing.T, file string) []string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllStringSubmatch(string(content), -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// TestModuleFromTheProxy builds without a copy of the sdk in the module: go gets api
// and sdk from the proxy that apm writes, and everything else from the usual one.
func TestModuleFromTheProxy(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	dir := h.Path("files")
	h.Must(0, "plugin", "new", "files", "--dir", dir)
	h.Must(0, "plugin", "sdk", "--proxy", h.Path("proxy"))
	if err := os.RemoveAll(filepath.Join(dir, "third_party")); err != nil {
		t.Fatal(err)
	}

	others := newRecorder(t)
	a := newAuthor(t, dir, "file://"+h.Path("proxy")+","+others.URL)
	a.environ = append(a.environ, "GONOSUMDB=github.com/apm-deploy/apm")
	a.run("go", "mod", "edit", "-dropreplace=github.com/apm-deploy/apm/api", "-dropreplace=github.com/apm-deploy/apm/sdk")
	a.run("go", "build", "-mod=mod", "./...")
	a.run("go", "vet", "./...")
	others.check(t)
	sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"api", "sdk"} {
		if !strings.Contains(string(sums), "github.com/apm-deploy/apm/"+name+" v0.1.0 h1:") {
			t.Errorf("go.sum has no checksum of %s:\n%s", name, sums)
		}
	}
}
