package manifest_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/manifest"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func configMap(name string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\n"
}

// Of a directory the files that look like manifests are read, by name, and not those below it.
func TestReadDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "b.yml"), configMap("b"))
	write(t, filepath.Join(dir, "a.yaml"), configMap("a")+"---\n"+configMap("a2"))
	write(t, filepath.Join(dir, "c.json"), `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}`)
	write(t, filepath.Join(dir, "README.md"), "no: [manifest")
	write(t, filepath.Join(dir, "below", "d.yaml"), configMap("d"))
	if err := os.Symlink(filepath.Join(dir, "below", "d.yaml"), filepath.Join(dir, "e.yaml")); err != nil {
		t.Fatal(err)
	}
	documents, problems := manifest.Read(dir)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var names []string
	for _, d := range documents {
		names = append(names, filepath.Base(d.File)+" "+d.Object.GetName())
	}
	if diff := cmp.Diff([]string{"a.yaml a", "a.yaml a2", "b.yml b", "c.json c", "e.yaml d"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "parent", "child", "a.yaml"), configMap("a"))
	write(t, filepath.Join(dir, "large.yaml"), "#"+strings.Repeat("x", manifest.MaxFile))
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "nothing"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"gone.yaml":  "/gone.yaml: no such file or directory → correct the path, or let the host's user read it",
		"parent":     "/parent: no file in it ends in .yaml, .yml or .json → directories below it are not looked into: name each",
		"nothing":    "/nothing: no file in it ends in .yaml, .yml or .json → name a directory with manifests",
		"large.yaml": "/large.yaml: larger than 8 MiB → name smaller files",
		"pipe.yaml":  "/pipe.yaml: not a file → correct the path, or let the host's user read it",
	} {
		documents, problems := manifest.Read(filepath.Join(dir, name))
		if got := strings.TrimPrefix(strings.Join(render(problems), "\n"), dir); got != want || len(documents) > 0 {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
		}
	}
}

func TestTwice(t *testing.T) {
	t.Parallel()
	one, _ := manifest.Parse("a.yaml", []byte(configMap("a")+"---\n"+configMap("b")+"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: other}\n"))
	two, _ := manifest.Parse("b.yaml", []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n---\n"+configMap("c")+"---\n"+configMap("c")))
	want := []string{
		`b.yaml:1: document 1: ConfigMap "a" stands in document 1 of a.yaml (line 1) already → leave one of them out`,
		`b.yaml:9: document 3: ConfigMap "c" stands in document 2 (line 5) already → leave one of them out`,
	}
	if diff := cmp.Diff(want, render(manifest.Twice(append(one, two...), "shop"))); diff != "" {
		t.Error(diff)
	}
}

func TestSort(t *testing.T) {
	t.Parallel()
	var text []string
	for _, kind := range []string{"Ingress", "Deployment", "Widget", "Service", "ConfigMap", "Namespace"} {
		text = append(text, "apiVersion: v1\nkind: "+kind+"\nmetadata: {name: a}\n")
	}
	documents, _ := manifest.Parse("a.yaml", []byte(strings.Join(text, "---\n")))
	manifest.Sort(documents)
	var kinds []string
	for _, d := range documents {
		kinds = append(kinds, d.Object.GetKind())
	}
	if got := strings.Join(kinds, " "); got != "Namespace ConfigMap Service Widget Deployment Ingress" {
		t.Error(got)
	}
}

// What was taken from a cluster has more in it than a manifest may have.
func TestClean(t *testing.T) {
	t.Parallel()
	documents, problems := manifest.Parse("a.yaml", []byte(`apiVersion: v1
kind: Service
metadata:
  name: a
  uid: 1-2
  resourceVersion: "7"
  creationTimestamp: null
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: "{}"
    mine: "1"
spec: {ports: [{port: 80}]}
status: {loadBalancer: {}}
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	manifest.Clean(documents[0].Object)
	want := map[string]any{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"name": "a", "annotations": map[string]any{"mine": "1"}},
		"spec":     map[string]any{"ports": []any{map[string]any{"port": int64(80)}}},
	}
	if diff := cmp.Diff(want, documents[0].Object.Object); diff != "" {
		t.Error(diff)
	}
}
