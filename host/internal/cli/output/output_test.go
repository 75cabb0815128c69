package output_test

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/cli/output"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain":                         "plain",
		"two\nlines\tand a tab":         "two lines and a tab",
		"\x1b[31mred\x1b[0m":            "red",
		"\x1b]0;title\x07text":          "text",
		"bell\x07, back\x08, nul\x00":   "bell, back, nul",
		"right\u202eleft, soft\u00adly": "rightleft, softly",
		"c1 \u009b31m control":          "c1 31m control",
		"größer 日本":                     "größer 日本",
	} {
		if got := output.Clean(text); got != want {
			t.Errorf("Clean(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestCleanLinesKeepsIndentation(t *testing.T) {
	t.Parallel()
	got := output.CleanLines("a\n\tb\x1b[1m\n  c \n\n")
	if diff := cmp.Diff([]string{"a", "    b", "  c"}, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// people returns what a person sees of a table.
func people(t *testing.T, terminal output.Terminal, format output.Format, fill func(*output.Grid)) string {
	t.Helper()
	var out strings.Builder
	p := output.Printer{Options: output.Options{Format: format}, Out: output.Writer{Writer: &out, Terminal: terminal}}
	if err := p.Print(nil, nil, fill); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func fill(g *output.Grid) {
	g.Title("title")
	g.Columns(output.Column{Name: "ID"}, output.Column{Name: "STATUS"}, output.Column{Name: "MORE", Wide: true}, output.Column{Name: "REASON", Flex: true})
	g.Row("550e8400", "failed", "extra", "a long reason that says in many words why it failed\x1b[2J")
	g.Row("550e8401", "completed", "", "")
	g.Note("note")
}

func TestTableFitsTheTerminal(t *testing.T) {
	t.Parallel()
	narrow := people(t, output.Terminal{Present: true, Width: 40}, output.Table, fill)
	want := "title\n" +
		"ID        STATUS     REASON\n" +
		"550e8400  failed     a long reason that…\n" +
		"550e8401  completed  -\n" +
		"note\n"
	if diff := cmp.Diff(want, narrow); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	coloured := people(t, output.Terminal{Present: true, Control: true, Width: 40}, output.Table, fill)
	if coloured == narrow || ansi.Strip(coloured) != narrow {
		t.Errorf("with colours:\n%q", coloured)
	}
	if piped := people(t, output.Terminal{}, output.Wide, fill); !strings.Contains(piped, "extra  a long reason that says in many words why it failed\n") {
		t.Errorf("wide:\n%s", piped)
	}
}

func TestLookSeesNoTerminalInABuffer(t *testing.T) {
	t.Parallel()
	if got := output.Look(&strings.Builder{}, func(string) string { return "" }); got != (output.Terminal{}) {
		t.Errorf("a buffer is %+v", got)
	}
}

func TestFormatFlag(t *testing.T) {
	t.Parallel()
	var f output.Format
	for _, name := range output.Formats() {
		if err := f.Set(name); err != nil || f.String() != name {
			t.Errorf("set %s: %v, is %s", name, err, f)
		}
	}
	if err := f.Set("xml"); err == nil {
		t.Error("xml was taken")
	}
}
