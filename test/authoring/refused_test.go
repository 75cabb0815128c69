package authoring_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

// TestNewIsRefused: the exit code, the words, and that nothing is written.
func TestNewIsRefused(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	h.Write("full/notes.txt", "mine")
	h.Write("file", "mine")
	h.Write("old/go", "#!/bin/sh\n[ ! -e go.mod ] || { echo 'go.mod requires go >= 1.26.0' >&2; exit 1; }\necho go1.22.3\n")
	h.Write("none/empty", "")
	if err := os.Chmod(h.Path("old/go"), 0o755); err != nil {
		t.Fatal(err)
	}
	before := names(t, h.Home)
	for name, c := range map[string]struct {
		arguments []string
		path      string // PATH, below the home
		code      int
		want      string
	}{
		"a name with a space":     {[]string{"My Files"}, "", 2, "error: \"My Files\" is no name for a plugin\n  use lower case letters, digits, - and _, a letter first, 63 at most; for example my-files\n"},
		"a path as a name":        {[]string{"../files"}, "", 2, "for example files"},
		"a name of the host's":    {[]string{"cache"}, "", 2, "a plugin cannot be named \"cache\""},
		"no name":                 {nil, "", 2, "the argument NAME is missing"},
		"a module with a space":   {[]string{"files", "--module", "example.com/my files"}, "", 2, "is no path of a Go module"},
		"a module of ours":        {[]string{"files", "--module", "github.com/apm-deploy/apm/files"}, "", 2, "belongs to APM itself"},
		"a directory that is not": {[]string{"files", "--dir", "full"}, "", 1, "full is not empty: it holds notes.txt\n  name a directory that is not there yet, or an empty one\n"},
		"a file":                  {[]string{"files", "--dir", "file"}, "", 1, "not a directory"},
		"below a file":            {[]string{"files", "--dir", "file/below"}, "", 1, "not a directory"},
		"no go":                   {[]string{"files"}, "none", 1, "a plugin needs Go 1.26.0 to be built, and there is no go on the PATH\n  install Go 1.26.0 or newer: https://go.dev/dl/"},
		"an old go":               {[]string{"files"}, "old", 1, "a plugin needs Go 1.26.0 to be built; this is go1.22.3\n  install Go 1.26.0 or newer"},
		"sdk of no module":        {[]string{"--sdk"}, "", 2, "is not the root of a Go module"},
		"proxy in the way":        {[]string{"--sdk", "--proxy", "full"}, "", 1, "full is not empty"},
	} {
		words := append([]string{"plugin", "new"}, c.arguments...)
		if len(c.arguments) > 0 && c.arguments[0] == "--sdk" {
			words = append([]string{"plugin", "sdk"}, c.arguments[1:]...)
		}
		command := harness.Command{Arguments: words}
		if c.path != "" {
			command.Environ = h.Environ("PATH=" + h.Path(c.path))
		}
		if r := h.Run(command); r.Code != c.code || !strings.Contains(r.Stderr, c.want) || r.Stdout != "" {
			t.Errorf("%s: exit code %d with %q was wanted: %s", name, c.code, c.want, r)
		}
	}
	if after := names(t, h.Home); after != before {
		t.Errorf("something was written:\n%s\nwas\n%s", after, before)
	}
}

// TestNewMayNotWrite is about a directory of somebody else's.
func TestNewMayNotWrite(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	harness.CopyProgram(t, harness.Binary(t, "apm"), h.Path("bin/apm"))
	h.Write("closed/notes.txt", "mine")
	if err := os.Remove(h.Path("closed/notes.txt")); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{h.Home: 0o755, h.Path("closed"): 0o555} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"closed", "closed/deep/below"} {
		command := exec.CommandContext(t.Context(), h.Path("bin/apm"), "plugin", "new", "files", "--dir", dir)
		command.Dir, command.Env = h.Home, h.Environ()
		if os.Geteuid() == 0 { // who may write anywhere
			command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		var stderr bytes.Buffer
		command.Stderr = &stderr
		_ = command.Run() // its exit code is judged
		for _, want := range []string{"permission denied", filepath.FromSlash(dir), "name a directory that you may write to"} {
			if !strings.Contains(stderr.String(), want) {
				t.Errorf("--dir %s: %q was wanted: %s", dir, want, &stderr)
			}
		}
		if code := command.ProcessState.ExitCode(); code != 1 {
			t.Errorf("--dir %s: exit code %d", dir, code)
		}
	}
	if found := names(t, h.Path("closed")); found != "" {
		t.Errorf("something was written: %s", found)
	}
}

// names lists what lies below a directory, without what go itself keeps there.
func names(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == ".config" || entry.Name() == ".cache" || entry.Name() == "tmp") {
			return filepath.SkipDir
		}
		if path != dir {
			all.WriteString(path + "\n")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
