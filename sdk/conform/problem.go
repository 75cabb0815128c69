package conform

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File         string // as the person named it
	Line, Column int    // counted from 1
	Message      string // what is wrong
	Remedy       string // what to do
	Snippet      string // the line itself
}

// String renders "conform.hcl:3:5: message; remedy" and the line below it.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	if snippet := strings.TrimSpace(clean(p.Snippet)); snippet != "" {
		b.WriteString("\n    " + snippet)
	}
	return b.String()
}

// FileError is all that is wrong with a file.
type FileError struct{ Problems []Problem }

// maxProblems bounds what is shown: the first ones matter.
const maxProblems = 20

// Error renders one problem after the other.
func (e *FileError) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for i, p := range e.Problems {
		if i == maxProblems {
			lines = append(lines, fmt.Sprintf("%d more problems", len(e.Problems)-maxProblems))
			break
		}
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// problems collects what is wrong, so that a person sees all of it at once.
type problems struct {
	file  string
	lines []string
	list  []Problem
}

func (ps *problems) add(at hcl.Pos, remedy, format string, args ...any) {
	p := Problem{File: ps.file, Line: max(at.Line, 1), Column: max(at.Column, 1), Message: fmt.Sprintf(format, args...), Remedy: remedy}
	if p.Line <= len(ps.lines) {
		p.Snippet = ps.lines[p.Line-1]
	}
	ps.list = append(ps.list, p)
}

// addHCL adds what the HCL library found.
func (ps *problems) addHCL(ds hcl.Diagnostics) {
	for _, d := range ds {
		if d.Severity != hcl.DiagError {
			continue
		}
		var at hcl.Pos
		if d.Subject != nil {
			at = d.Subject.Start
		}
		detail := strings.TrimSuffix(strings.Join(strings.Fields(d.Detail), " "), ".")
		ps.add(at, lowerFirst(detail), "%s", lowerFirst(d.Summary))
	}
}

// err returns all of them in the order of the file, each once, or nil.
func (ps *problems) err() error {
	if len(ps.list) == 0 {
		return nil
	}
	slices.SortStableFunc(ps.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return &FileError{Problems: slices.Compact(ps.list)}
}

func lowerFirst(s string) string {
	r := []rune(s)
	if len(r) > 1 && unicode.IsUpper(r[0]) && !unicode.IsUpper(r[1]) {
		r[0] = unicode.ToLower(r[0])
	}
	return string(r)
}
