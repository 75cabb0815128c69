package docs_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// sources returns the text of all Go files below a directory of the repository
// whose names end so.
func sources(t *testing.T, below, suffix string) string {
	t.Helper()
	var all strings.Builder
	root := os.DirFS(harness.Repository(t))
	err := fs.WalkDir(root, below, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, suffix) {
			return err
		}
		content, err := fs.ReadFile(root, path)
		all.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// found returns the first group of each match, at least so many.
func found(t *testing.T, text, pattern string, least int) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(all, m[1]) {
			all = append(all, m[1])
		}
	}
	if len(all) < least {
		t.Fatalf("%q found %d only: %q", pattern, len(all), all)
	}
	return all
}

// tells fails the test for each word that the page does not have.
func tells(t *testing.T, name string, words ...string) {
	t.Helper()
	text := read(t, name).text
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%s does not tell of %s", name, word)
		}
	}
}

// TestCommandsAreTold asks the program itself for its commands and flags.
func TestCommandsAreTold(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	all := 0
	var ask func(words ...string)
	ask = func(words ...string) {
		help := h.Must(0, append(words, "--help")...).Stdout
		command := strings.Join(append([]string{"apm"}, words...), " ")
		own, _, _ := strings.Cut(help, "Global Flags:")
		if len(words) > 0 {
			all++
			tells(t, "docs/cli.md", "`"+command)
		}
		for _, flag := range regexp.MustCompile(`(?m)^ +(?:-\w, +| +)(--[a-z-]+)`).FindAllStringSubmatch(own, -1) {
			if flag[1] != "--help" {
				tells(t, "docs/cli.md", "`"+flag[1])
			}
		}
		_, list, _ := strings.Cut(own, "Available Commands:\n")
		list, _, _ = strings.Cut(list, "\n\n")
		for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+) `).FindAllStringSubmatch(list, -1) {
			if m[1] != "help" {
				ask(append(slices.Clone(words), m[1])...)
			}
		}
	}
	ask()
	if all < 25 {
		t.Errorf("only %d commands were found", all)
	}
	for _, variable := range found(t, h.Must(0, "--help").Stdout, `\b(APM_[A-Z_]+)\b`, 3) {
		tells(t, "docs/cli.md", "`"+variable+"`")
	}
	for _, code := range found(t, sources(t, "host/internal/cli", "exit.go"), `Exit\w+ +ExitCode = (\d+)`, 11) {
		tells(t, "docs/cli.md", "| "+code+" |")
	}
}

// TestAPIIsTold goes by the sources and by what a host serves.
func TestAPIIsTold(t *testing.T) {
	t.Parallel()
	const page = "docs/api-reference.md"
	for _, event := range found(t, sources(t, "host/internal/deployment", "event.go"), `EventType += "([a-z._]+)"`, 17) {
		tells(t, page, "`"+event+"`", `"type": "`+event+`"`)
	}
	for _, code := range found(t, sources(t, "host/internal/deployment", "problem.go"), `ErrorCode = "([a-z_]+)"`, 8) {
		tells(t, page, "`"+code+"`")
	}
	for _, status := range found(t, sources(t, "host/internal/deployment", "/status.go"), `Status = "([a-z_]+)"`, 13) {
		tells(t, "docs/concepts.md", "`"+status+"`")
	}

	h := harness.Started(t)
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{{Name: "web", Listen: h.Address()}}})
	h.Artifact("v1")
	h.Deployed("shop", "v1")
	metrics := h.REST("GET", "/metrics", "")
	for _, family := range found(t, metrics.Body, `(?m)^# TYPE ((?:apm|deployment)_[a-z_]+)`, 12) {
		tells(t, page, "`"+family+"`")
	}

	var document struct {
		Paths      map[string]map[string]any
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	answer := h.REST("GET", "/openapi.json", "")
	answer.Decode(h, &document)
	if len(document.Paths) < 20 {
		t.Errorf("%d paths: %s", len(document.Paths), answer.Body)
	}
	for path, methods := range document.Paths {
		for method := range methods {
			if len(method) <= len("delete") && method != "summary" {
				tells(t, page, "`"+strings.ToUpper(method)+" "+path+"`")
			}
		}
	}
	for _, name := range []string{"Deployment", "Progress", "ETA", "Waiting", "HealthCheck", "Component", "Resource", "Failure", "Problem"} {
		properties := document.Components.Schemas[name].Properties
		if len(properties) == 0 {
			t.Errorf("no schema %s", name)
		}
		for property := range properties {
			if text := read(t, page).text; !strings.Contains(text, "`"+property+"`") && !strings.Contains(text, `"`+property+`"`) {
				t.Errorf("%s does not tell of %s.%s", page, name, property)
			}
		}
	}
}

// TestPlatformIsTold holds the page of the platform against the reference that is
// made of the plugin's schema: of the host's plugin, and of the binary alone.
func TestPlatformIsTold(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	var plugin apiv1.Plugin
	if err := json.Unmarshal([]byte(h.Must(0, "plugin", "inspect", "process", "-o", "json").Stdout), &plugin); err != nil {
		t.Fatal(err)
	}
	keys := append(slices.Clone(plugin.Config), plugin.Spec...)
	if len(keys) < 13 {
		t.Errorf("only %d keys: %+v", len(keys), keys)
	}
	reference := h.Must(0, "plugin", "inspect", "process", "--docs").Stdout
	if alone := h.Must(0, "plugin", "inspect", h.Plugin, "--docs").Stdout; alone != reference {
		t.Errorf("the binary alone tells\n%s\nwith a host it is\n%s", alone, reference)
	}
	for _, key := range keys {
		name := key.Name[strings.LastIndexByte(key.Name, '.')+1:]
		if row := regexp.MustCompile("(?m)^\\| `" + name + "` \\|.*$").FindString(reference); row == "" || !strings.Contains(row, key.Default) {
			t.Errorf("the reference does not tell of %s with its default %s: %s", key.Name, key.Default, row)
		}
	}
	_, keysOn, begins := strings.Cut(reference, "## Keys of the platform\n")
	keysOn, example, ends := strings.Cut(keysOn, "## Example\n")
	if !begins || !ends || !strings.Contains(example, "command = ") {
		t.Fatalf("the reference is not whole:\n%s", reference)
	}
	if page := read(t, "docs/platforms/process.md").text; !strings.Contains(page, "## Keys of the platform\n"+keysOn) {
		t.Errorf("docs/platforms/process.md does not hold what `apm plugin inspect process --docs` writes:\n%s", keysOn)
	}
	for _, capability := range plugin.Capabilities {
		tells(t, "docs/platforms/process.md", "`"+capability+"`")
	}
}
