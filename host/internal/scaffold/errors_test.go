package scaffold_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/scaffold"
)

// refused wants New to fail with a code and words, and to leave nothing behind.
func refused(t *testing.T, p scaffold.Plugin, code deployment.ErrorCode, words ...string) {
	t.Helper()
	above := t.TempDir()
	if p.Dir == "" {
		p.Dir = filepath.Join(above, "deep", "below")
	}
	_, err := scaffold.New(t.Context(), p)
	if err == nil || deployment.CodeOf(err) != code {
		t.Fatalf("the error is %v (%s), %s was wanted", err, deployment.CodeOf(err), code)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
	empty(t, above)
}

func TestNewRefusesNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"":                      `"" is no name for a plugin; use lower case letters`,
		"My Files":              "for example my-files",
		"1st":                   "for example st",
		"apm-plugin-x!":         "for example x",
		"Größe":                 "for example gr-e",
		"../../etc":             "for example etc",
		"a/b":                   "for example a-b",
		"42":                    "63 at most",
		strings.Repeat("a", 64): "63 at most",
		"history":               "choose another name",
		"cache":                 "deployment { cache { … } } is the host's",
		"x\nreplace a => b":     "for example x-replace-a-b",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, scaffold.Plugin{Name: name}, deployment.Invalid, want)
		})
	}
}

func TestNewRefusesModules(t *testing.T) {
	t.Parallel()
	for module, want := range map[string]string{
		"example.com/a b":               `"example.com/a b" is no path of a Go module: invalid char ' '`,
		"example.com//a":                "double slash",
		"/a":                            "empty path element",
		"-a":                            "leading dash",
		"example.com/a\nreplace x => y": "invalid char",
		"github.com/apm-deploy/apm":     "belongs to APM itself",
		"github.com/apm-deploy/apm/sdk": "choose a path of your own",
	} {
		t.Run(module, func(t *testing.T) {
			t.Parallel()
			refused(t, scaffold.Plugin{Name: "files", Module: module}, deployment.Invalid, want)
		})
	}
}

func TestNewRefusesDirectories(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, scaffold.Plugin{Name: "files", Dir: dir}, deployment.Conflict, "is not empty: it holds notes.txt", "not there yet, or an empty one")
	refused(t, scaffold.Plugin{Name: "files", Dir: file}, deployment.Unavailable, "not a directory", "that you may write to")
	refused(t, scaffold.Plugin{Name: "files", Dir: filepath.Join(file, "below")}, deployment.Unavailable, "not a directory")
	refused(t, scaffold.Plugin{Name: "files", Dir: "/proc/apm/below"}, deployment.Unavailable, "/proc/apm")
	if content, err := os.ReadFile(file); string(content) != "mine" {
		t.Errorf("notes.txt is %q, %v", content, err)
	}
}

// TestNewNeedsGo puts another go before the one of this machine, or none.
func TestNewNeedsGo(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"none":       {"", "a plugin needs Go 1.26.0 to be built, and there is no go on the PATH; install Go 1.26.0 or newer: https://go.dev/dl/"},
		"old":        {"echo go1.22.3", "a plugin needs Go 1.26.0 to be built; this is go1.22.3; install Go 1.26.0 or newer"},
		"very old":   {"[ ! -e go.mod ] || { echo 'invalid go version' >&2; exit 1; }; echo go1.20", "this is go1.20;"},
		"kept local": {"[ ! -e go.mod ] || { echo 'go.mod requires go >= 1.26.0' >&2; exit 1; }; echo go1.25.9", "this is go1.25.9; install Go 1.26.0 or newer: https://go.dev/dl/ has it for every system, or let go get it: GOTOOLCHAIN=auto"},
		"broken":     {"echo out of order >&2; exit 3", "the go on the PATH does not work: exit status 3: out of order"},
	} {
		t.Run(name, func(t *testing.T) {
			bin := t.TempDir()
			if c.script != "" {
				if err := os.WriteFile(filepath.Join(bin, "go"), []byte("#!/bin/sh\n"+c.script+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("PATH", bin)
			refused(t, scaffold.Plugin{Name: "files"}, deployment.Unavailable, c.want)
		})
	}
	t.Run("newer", func(t *testing.T) {
		bin := t.TempDir()
		if err := os.WriteFile(filepath.Join(bin, "go"), []byte("#!/bin/sh\necho go1.99\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", bin)
		written(t, scaffold.Plugin{Name: "files"})
	})
}
