package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

// page is one file of the documentation.
type page struct {
	name   string // relative to the repository
	text   string
	blocks []block
	prose  string // the text without its blocks
}

// block is one fenced block, or a comment for the test.
type block struct {
	line  int
	kind  string // first word of the info string; "host" and "sh" of comments too
	extra string // the rest of it
	text  string
}

// pages reads the whole documentation.
func pages(t *testing.T) []page {
	t.Helper()
	root := harness.Repository(t)
	names := []string{"README.md", "CHANGELOG.md"}
	err := fs.WalkDir(os.DirFS(root), "docs", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	all := make([]page, 0, len(names))
	for _, name := range names {
		all = append(all, read(t, name))
	}
	return all
}

// read reads one page.
func read(t *testing.T, name string) page {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(harness.Repository(t), filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	p := page{name: name, text: string(content)}
	p.split(t)
	return p
}

var fence = regexp.MustCompile("^( *)```([^`]*)$")

// split finds the blocks.
func (p *page) split(t *testing.T) {
	t.Helper()
	var prose strings.Builder
	var open *block
	indent, end := "", ""
	for i, line := range strings.Split(p.text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch m := fence.FindStringSubmatch(line); {
		case open != nil && trimmed == end:
			p.blocks, open = append(p.blocks, *open), nil
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		case m != nil:
			kind, extra, _ := strings.Cut(strings.TrimSpace(m[2]), " ")
			open, indent, end = &block{line: i + 1, kind: kind, extra: extra}, m[1], "```"
		case trimmed == "<!-- host -->":
			p.blocks = append(p.blocks, block{line: i + 1, kind: "host"})
		case trimmed == "<!-- sh":
			open, indent, end = &block{line: i + 1, kind: "sh"}, "", "-->"
		default:
			prose.WriteString(line + "\n")
		}
	}
	if open != nil {
		t.Errorf("%s:%d: the block does not end", p.name, open.line)
	}
	p.prose = prose.String()
}

var (
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	anchor  = regexp.MustCompile(`<a id="([^"]+)"`)
	link    = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
	codeIn  = regexp.MustCompile("`[^`\n]*`")
)

// anchors returns what a link into the page can name, by GitHub's rule.
func (p *page) anchors() map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(p.prose, -1) {
		text := link.ReplaceAllStringFunc(m[1], func(l string) string { return l[1:strings.Index(l, "]")] })
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z':
				return r
			case r >= 'A' && r <= 'Z':
				return r + 'a' - 'A'
			default:
				return -1
			}
		}, text)
		found[slug] = true
	}
	for _, m := range anchor.FindAllStringSubmatch(p.prose, -1) {
		found[m[1]] = true
	}
	return found
}

// TestLinks follows every link to a file or heading of the repository.
func TestLinks(t *testing.T) {
	t.Parallel()
	root := harness.Repository(t)
	all := map[string]*page{}
	list := pages(t)
	for i := range list {
		all[list[i].name] = &list[i]
	}
	count := 0
	for _, p := range list {
		for _, m := range link.FindAllStringSubmatch(codeIn.ReplaceAllString(p.prose, "code"), -1) {
			target := m[1]
			if strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://") {
				continue
			}
			count++
			file, fragment, hasFragment := strings.Cut(target, "#")
			name := p.name
			if file != "" {
				name = filepath.ToSlash(filepath.Join(filepath.Dir(p.name), file))
			}
			if _, err := os.Stat(filepath.Join(root, name)); err != nil {
				t.Errorf("%s: link to %s: %v", p.name, target, err)
				continue
			}
			if !hasFragment {
				continue
			}
			to := all[name]
			if to == nil {
				t.Errorf("%s: link to %s: the fragment of a file that is no page", p.name, target)
			} else if !to.anchors()[fragment] {
				t.Errorf("%s: link to %s: no such heading", p.name, target)
			}
		}
	}
	if count < 20 {
		t.Errorf("only %d links were found", count)
	}
	if !all["docs/api-reference.md"].anchors()["deployment-monitoring"] {
		t.Error("docs/api-reference.md has no heading with the anchor deployment-monitoring")
	}
}
