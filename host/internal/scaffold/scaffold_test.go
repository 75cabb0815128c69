package scaffold_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/scaffold"
)

// repository is the root of the repository.
const repository = "../../.."

// tree returns the content of the files below a directory by path, without those
// that its .gitignore names.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	ignored, err := os.ReadFile(filepath.Join(dir, ".gitignore"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	files := map[string]string{}
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if regexp.MustCompile(`(?m)^/` + regexp.QuoteMeta(name) + `/?$`).Match(ignored) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.IsDir() {
			return nil
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// written runs New into a directory that is not there yet.
func written(t *testing.T, p scaffold.Plugin) (scaffold.Plugin, map[string]string) {
	t.Helper()
	if p.Dir == "" {
		p.Dir = filepath.Join(t.TempDir(), "deep", "below")
	}
	p, err := scaffold.New(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return p, tree(t, p.Dir)
}

const thirdParty = "third_party/apm/"

// own returns the files without api and sdk.
func own(files map[string]string) map[string]string {
	rest := map[string]string{}
	for name, content := range files {
		if !strings.HasPrefix(name, thirdParty) {
			rest[name] = content
		}
	}
	return rest
}

// TestTemplateIsTheExample fails when the example has changed since `go generate`.
func TestTemplateIsTheExample(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "template.txtar")
	command := exec.CommandContext(t.Context(), "go", "run", "./pack", repository+"/examples/plugin-symlink", file)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	var texts []string
	for _, name := range []string{"template.txtar", file} {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(content))
	}
	if diff := cmp.Diff(texts[0], texts[1]); diff != "" {
		t.Errorf("template.txtar is not examples/plugin-symlink: run go generate ./host/internal/scaffold\n%s", diff)
	}
}

// TestNewWritesTheExample: the example is what the command writes for its name,
// only that it has api and sdk elsewhere.
func TestNewWritesTheExample(t *testing.T) {
	t.Parallel()
	p, files := written(t, scaffold.Plugin{Name: "symlink"})
	if want := "example.com/apm-plugin-symlink"; p.Module != want {
		t.Errorf("the module is %s, %s was wanted", p.Module, want)
	}
	example := tree(t, repository+"/examples/plugin-symlink")
	for name, content := range example {
		if filepath.Base(name) == "go.mod" {
			example[name] = strings.ReplaceAll(content, "=> ../../", "=> ./"+thirdParty)
		}
	}
	if diff := cmp.Diff(example, own(files)); diff != "" {
		t.Errorf("the example and what is written differ:\n%s", diff)
	}
}

// TestNewWritesAnotherName looks for what is left of the example's.
func TestNewWritesAnotherName(t *testing.T) {
	t.Parallel()
	const module = "zz.example.org/ops/log_files/v2"
	p, files := written(t, scaffold.Plugin{Name: "log-files", Module: module})
	if !filepath.IsAbs(p.Dir) {
		t.Errorf("the directory %s is not absolute", p.Dir)
	}
	left := regexp.MustCompile(`plugin-symlink|(plugin|platform) "symlink"|= "?symlink\b|symlink \{|example\.com/apm`)
	for name, content := range own(files) {
		if found := left.FindString(content); found != "" {
			t.Errorf("%s has %q", name, found)
		}
	}
	for name, want := range map[string]string{
		"go.mod":                      "module " + module + "\n",
		"main.go":                     `"` + module + `/internal/platform"`,
		"internal/platform/plugin.go": `= "log-files"`,
		"Makefile":                    "NAME := log-files\n",
		"README.md":                   `plugin "log-files" {`,
		".gitignore":                  "/apm-plugin-log-files\n",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s has no %q:\n%s", name, want, files[name])
		}
	}
}

// TestNewWritesIntoAnEmptyDirectory, relative to the working directory.
func TestNewWritesIntoAnEmptyDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("apm-plugin-files", 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := scaffold.New(t.Context(), scaffold.Plugin{Name: "files"})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs("apm-plugin-files")
	if err != nil || p.Dir != dir {
		t.Errorf("it was written to %s, %v; %s was wanted", p.Dir, err, dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".apm-") {
			t.Errorf("%s is left", entry.Name())
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "main.go")); err != nil {
		t.Error(err)
	}
}

// TestNewFindsAWorkspace that leaves the module out.
func TestNewFindsAWorkspace(t *testing.T) {
	t.Parallel()
	above := t.TempDir()
	work := filepath.Join(above, "go.work")
	if err := os.WriteFile(work, []byte("go 1.26.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, _ := written(t, scaffold.Plugin{Name: "files", Dir: filepath.Join(above, "files")})
	if p.Workspace != work {
		t.Errorf("the workspace is %q, %q was wanted", p.Workspace, work)
	}
	if p, _ := written(t, scaffold.Plugin{Name: "files"}); p.Workspace != "" {
		t.Errorf("there is no workspace, and %q was found", p.Workspace)
	}
}

// TestModulesAreTheTree: what is embedded is api and sdk, whole.
func TestModulesAreTheTree(t *testing.T) {
	t.Parallel()
	_, files := written(t, scaffold.Plugin{Name: "files"})
	license, err := os.ReadFile(filepath.Join(repository, "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"api", "sdk"} {
		if files[thirdParty+name+"/LICENSE"] != string(license) {
			t.Errorf("%s does not come with the LICENSE of the repository", name)
		}
		want, got := map[string]string{}, map[string]string{}
		for file, content := range tree(t, filepath.Join(repository, name)) {
			want[file] = content
		}
		for file, content := range files {
			if below, ok := strings.CutPrefix(file, thirdParty+name+"/"); ok {
				got[below] = content
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the embedded %s is not %s; does the go:embed line in its source.go name every directory?\n%s", name, name, diff)
		}
	}
}

// TestNewIsStopped leaves nothing behind.
func TestNewIsStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	above := t.TempDir()
	if _, err := scaffold.New(ctx, scaffold.Plugin{Name: "files", Dir: filepath.Join(above, "a", "b")}); err == nil {
		t.Error("no error")
	}
	empty(t, above)
}

func empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("%s is left in %s", entry.Name(), dir)
	}
}
