package docs_test

import (
	"regexp"
	"strings"
	"testing"
)

// leftOut are lines of sh blocks that the test of the page does not run: why
// not, and the test that does.
var leftOut = map[string]struct{ why, test string }{
	"make build":                             {"every test runs on what it made", "TestTakeOver"},
	"make demo":                              {"it builds everything anew and takes a minute", "TestDemoOnce"},
	"make bench":                             {"it takes ten minutes", "TestOneRound"},
	"make test":                              {"it is what runs this test; in a plugin's module it takes a minute", "TestFromNothingToARollback"},
	"make -C examples/plugin-python":         {"not every machine has the Python that it needs", "TestPython"},
	"make -C examples/plugin-python conform": {"likewise", "TestConformance"},
	"git clone https://github.com/apm-deploy/apm.git && cd apm": {"the scene of each page is what a fresh clone holds", "TestSnippets"},
}

// TestSnippets runs each page from its first block to its last.
func TestSnippets(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			for line := range strings.Lines(b.text) {
				if b.kind == "sh" {
					used[strings.TrimSpace(line)] = true
				}
			}
		}
		if len(p.blocks) == 0 {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			for _, b := range p.blocks {
				if b.kind == "host" || strings.Contains(b.kind+b.extra, "background") {
					continue
				}
				if !s.known(b) {
					t.Errorf("%s:%d: a block of the kind %q is not understood, see doc_test.go", p.name, b.line, b.kind)
				}
			}
			for _, b := range p.blocks {
				if !t.Run(b.kind+" line "+itoa(b.line), func(t *testing.T) { s.with(t).run(b) }) {
					t.Fatalf("%s:%d: what follows depends on it", p.name, b.line)
				}
			}
		})
	}
	for line := range leftOut {
		if !used[line] {
			t.Errorf("leftOut holds %q, which no page has", line)
		}
	}
}

// with returns the scene for a part of its test.
func (s *scene) with(t *testing.T) *scene {
	part := *s
	part.t = t
	return &part
}

// known says whether the test can do something with a block.
func (s *scene) known(b block) bool {
	switch b.kind {
	case "sh", "console", "hcl", "js", "mermaid":
		return b.extra == ""
	case "json":
		return types[b.extra] != nil
	default:
		return false
	}
}

// serveOther starts a host on a config.hcl of the page's own.
var serveOther = regexp.MustCompile(`^apm serve --config-file (\S+)\n$`)

// run does what a block says.
func (s *scene) run(b block) {
	s.t.Helper()
	switch {
	case b.kind == "host":
		s.host.Start()
	case b.kind == "sh" && b.extra == "background":
		if m := serveOther.FindStringSubmatch(b.text); m != nil {
			s.background(m[1])
			return
		}
		if b.text != "bin/apm serve\n" {
			s.t.Errorf("only the host can be started in the background, not %q", b.text)
		}
		s.host.Start()
	case b.kind == "sh":
		s.script(b.text)
	case b.kind == "console":
		s.console(b.text)
	case b.kind == "hcl":
		s.hcl(s.words(b.text))
	case b.kind == "json":
		s.json(b.extra, b.text)
	case b.kind == "js":
		s.socket(s.words(b.text))
	}
}

// script runs the lines that are not left out.
func (s *scene) script(text string) {
	s.t.Helper()
	var lines []string
	for line := range strings.Lines(text) {
		if _, out := leftOut[strings.TrimSpace(line)]; !out {
			lines = append(lines, line)
		}
	}
	script := strings.Join(lines, "")
	if strings.TrimSpace(script) == "" {
		return
	}
	if output, err := s.shell("set -e\n" + s.commands(script)); err != nil {
		s.t.Errorf("%v\n%s\nwrote\n%s", err, script, output)
	}
}

// console runs each command and compares what it writes.
func (s *scene) console(text string) {
	s.t.Helper()
	command, wanted := "", ""
	check := func() {
		if command == "" {
			return
		}
		if strings.TrimSpace(wanted) == "" {
			s.t.Errorf("%q: no output is shown; write it as sh", command)
		}
		output, _ := s.shell(s.commands(command))
		if line := missing(s.ports.Replace(wanted), output); line != "" {
			s.t.Errorf("$ %s\nwrites no line\n%s\nbut\n%s", command, line, output)
		}
	}
	for line := range strings.Lines(text) {
		if next, ok := strings.CutPrefix(line, "$ "); ok {
			check()
			command, wanted = next, ""
		} else if strings.HasSuffix(command, "\\\n") && wanted == "" {
			command += strings.TrimPrefix(line, "> ")
		} else {
			wanted += line
		}
	}
	check()
}

// TestLeftOutHasTests looks for the tests that run what the pages do not.
func TestLeftOutHasTests(t *testing.T) {
	t.Parallel()
	all := sources(t, ".", "_test.go")
	for line, left := range leftOut {
		if left.why == "" || !regexp.MustCompile(`func `+left.test+`\(`).MatchString(all) {
			t.Errorf("%q is left out (%s), and there is no test %s", line, left.why, left.test)
		}
	}
}
