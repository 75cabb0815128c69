package conform

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/apm-deploy/apm/sdk/plugintest"
)

// table writes the report for people: a line for each case as it ends, then all
// that the failed ones have to say.
type table struct {
	Streams
	names   int // width of the first column
	verbose bool
	unseen  int // cases at the end that did not run, because somebody ended the run
}

// WriteTable writes the report for people.
func (r *Report) WriteTable(s Streams, verbose bool) {
	names := make([]string, len(r.Cases))
	for i, c := range r.Cases {
		names[i] = c.Name
	}
	t := s.newTable(names, verbose)
	t.head(r)
	for _, c := range r.Cases {
		t.row(c)
	}
	t.end(r)
}

const (
	statusWidth = len("skipped")
	timeWidth   = len("000.00s")
)

func (s Streams) newTable(names []string, verbose bool) *table {
	t := &table{Streams: s, names: len("CASE"), verbose: verbose}
	for _, name := range names {
		t.names = max(t.names, utf8.RuneCountInString(name))
	}
	return t
}

func (t *table) head(r *Report) {
	about := r.Binary
	if r.Plugin.Name != "" {
		about += fmt.Sprintf(": plugin %s %s", clean(r.Plugin.Name), clean(r.Plugin.Version))
	}
	if r.File != "" {
		about += ", with " + r.File
	}
	fmt.Fprintln(t.Out, about)
	if r.File == "" {
		fmt.Fprintf(t.Out, "no conform.hcl beside it: only the cases that need nothing to deploy run; write one, or name one with --config\n")
	}
	fmt.Fprintf(t.Out, "\n%s\n", t.paint(faint, t.line("CASE", "RESULT", "TIME", "MESSAGE")))
}

// row is the line of a case.
func (t *table) row(c Case) {
	message := ""
	if c.Status != plugintest.Passed {
		message = oneLine(strings.Join(c.Messages, "\n"))
	}
	line := t.line(c.Name, string(c.Status), fmt.Sprintf("%.2fs", c.Seconds), message)
	fmt.Fprintln(t.Out, t.paint(tones[c.Status], line))
}

func (t *table) line(name, status, took, message string) string {
	line := fmt.Sprintf("%-*s  %-*s  %*s  %s", t.names, name, statusWidth, status, timeWidth, took, message)
	line = strings.TrimRight(line, " ")
	if t.Width > 0 && utf8.RuneCountInString(line) > t.Width {
		line = string([]rune(line)[:t.Width-1]) + "…"
	}
	return line
}

// end says what failed, in full, and counts.
func (t *table) end(r *Report) {
	for _, c := range r.Cases[:len(r.Cases)-t.unseen] {
		if c.Status == plugintest.Failed {
			t.failure(c)
		}
	}
	if t.unseen > 0 {
		fmt.Fprintf(t.Out, "\ninterrupted: the last %d cases did not run, and count as failed\n", t.unseen)
	}
	verdict := "passed"
	if r.Failed > 0 {
		verdict = "FAILED"
	}
	tone := tones[plugintest.Passed]
	if r.Failed > 0 {
		tone = tones[plugintest.Failed]
	}
	line := fmt.Sprintf("%s: %d passed, %d failed, %d skipped in %.1fs", verdict, r.Passed, r.Failed, r.Skipped, r.Seconds)
	fmt.Fprintf(t.Out, "\n%s\n", t.paint(tone, line))
}

func (t *table) failure(c Case) {
	fmt.Fprintf(t.Out, "\n%s\n", t.paint(tones[plugintest.Failed], "failed: "+c.Name))
	for _, message := range c.Messages {
		fmt.Fprintln(t.Out, indent("  ", strings.TrimSpace(clean(message))))
	}
	switch {
	case c.Log == "":
	case t.verbose:
		fmt.Fprintf(t.Out, "  the plugin's standard error:\n%s\n", indent("  | ", clean(c.Log)))
	default:
		fmt.Fprintln(t.Out, "  (-v shows the plugin's standard error)")
	}
}

func indent(by, text string) string {
	return by + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+by)
}

// The colours of the sixteen that every terminal has.
const faint = "2"

var tones = map[plugintest.Status]string{plugintest.Passed: "32", plugintest.Failed: "1;31", plugintest.Skipped: faint}

func (t *table) paint(tone, text string) string {
	if !t.Control || tone == "" {
		return text
	}
	return "\x1b[" + tone + "m" + text + "\x1b[0m"
}
