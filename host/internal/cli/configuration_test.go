package cli_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadConfiguration(t *testing.T) {
	t.Parallel()
	want := map[string]any{
		"artifact": "web-v2.tar.gz",
		"command":  []any{"./web", "-v"},
		"replicas": 2.0,
		"port":     map[string]any{"http": map[string]any{"listen": "127.0.0.1:8088"}},
	}
	for name, path := range map[string]string{
		"hcl": write(t, "c.hcl", `
artifact = "web-${version}.tar.gz"
command  = ["./web", "-v"]
replicas = 2
port "http" { listen = "127.0.0.1:8088" }
`),
		"json": write(t, "c.json", `{"artifact":"web-v2.tar.gz","command":["./web","-v"],"replicas":2,"port":{"http":{"listen":"127.0.0.1:8088"}}}`),
	} {
		got, err := cli.ReadConfiguration(path, apiv1.StartRequest{Version: "v2"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestReadConfigurationNamesThePlace(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, content string
		line, column  int
	}{
		"syntax":           {"c.hcl", "a = 1\nb = = 2\n", 2, 5},
		"unknown variable": {"c.hcl", "a = \"${region}\"\n", 1, 8},
		"json":             {"c.json", "{\n  \"a\": 1,,\n}\n", 2, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := cli.ReadConfiguration(write(t, test.file, test.content), apiv1.StartRequest{})
			var e *deployment.Error
			if !errors.As(err, &e) || len(e.Problems) == 0 {
				t.Fatalf("error %v has no problems", err)
			}
			p := e.Problems[0]
			if p.Line != test.line || p.Column != test.column || p.Snippet == "" {
				t.Errorf("place %d:%d %q, want %d:%d", p.Line, p.Column, p.Snippet, test.line, test.column)
			}
		})
	}
}

func TestAssign(t *testing.T) {
	t.Parallel()
	values := map[string]any{}
	for _, setting := range []string{
		`replicas=3`, `command=["./a","b"]`, `env.GREETING=hello world`, `env.EMPTY=`, `port.http.listen=127.0.0.1:1`, `on=true`, `tag=v1.0`,
	} {
		if err := cli.Assign(values, setting); err != nil {
			t.Errorf("%s: %v", setting, err)
		}
	}
	want := map[string]any{
		"replicas": 3.0, "command": []any{"./a", "b"}, "on": true, "tag": "v1.0",
		"env":  map[string]any{"GREETING": "hello world", "EMPTY": ""},
		"port": map[string]any{"http": map[string]any{"listen": "127.0.0.1:1"}},
	}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	for _, setting := range []string{"replicas", "=x", "replicas.more=1"} {
		if err := cli.Assign(values, setting); err == nil {
			t.Errorf("%q was taken", setting)
		}
	}
}

func TestPathsBecomeAbsolute(t *testing.T) {
	t.Parallel()
	got := map[string]any{
		"artifact": "a.tgz", "directory": "/abs", "command": []any{"./stays"}, "files": []any{"b", "/c"},
		"port": map[string]any{"http": map[string]any{"certificate": "tls.crt", "listen": "x:1"}},
		"web":  map[string]any{"artifact": "../w.tgz"},
	}
	cli.ResolvePaths(got, "/etc/app", "artifact", "directory", "files", "port.NAME.certificate")
	want := map[string]any{
		"artifact": "/etc/app/a.tgz", "directory": "/abs", "command": []any{"./stays"}, "files": []any{"/etc/app/b", "/c"},
		"port": map[string]any{"http": map[string]any{"certificate": "/etc/app/tls.crt", "listen": "x:1"}},
		"web":  map[string]any{"artifact": "/etc/w.tgz"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain-1.0/x": "plain-1.0/x", "two words": "'two words'", "it's": `'it'\''s'`, "": "''", "$(x)": "'$(x)'",
	} {
		if got := cli.Quote(text); got != want {
			t.Errorf("quote %q = %s, want %s", text, got, want)
		}
	}
}
