package badinput_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/apm-deploy/apm/test/harness"
)

// told is what a message must say: the field, or file:line, that it is about,
// what was wrong with it, and what to do.
type told struct{ where, wrong, todo string }

// in fails the test for each part that the text does not have.
func (w told) in(t *testing.T, text string) {
	t.Helper()
	if w.wrong == "" || w.todo == "" {
		t.Error("the case does not say what is wrong and what to do")
	}
	for name, part := range map[string]string{"where": w.where, "what was wrong": w.wrong, "what to do": w.todo} {
		if !strings.Contains(text, part) {
			t.Errorf("%s: %q is not said", name, part)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// longest is what a message may have: what a stranger sent is not echoed whole.
const longest = 4 << 10

// presentable fails the test when a message is too long, or is not printable.
func presentable(t *testing.T, text string) {
	t.Helper()
	printable(t, text)
	if len(text) > longest {
		t.Errorf("a message of %d bytes: %.300s…", len(text), text)
	}
}

// printable fails the test when a text cannot be shown on a terminal as it
// stands, or shows what only a programmer understands.
func printable(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("not UTF-8: %q", text)
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }); i >= 0 {
		t.Errorf("a control character at byte %d: %q", i, text)
	}
	for _, word := range []string{"panic:", "panicked", "goroutine ", "%!", "<nil>", "0x0000", "cty.", "hcl.", "*fs.", ": json: ", " json: cannot", "strconv.", "sql:"} {
		if strings.Contains(text, word) {
			t.Errorf("%q is for programmers: %s", word, text)
		}
	}
}

// refused fails the test unless a command ended with the code, said what it
// must, and wrote no data.
func refused(t *testing.T, r harness.Result, code int, want told) {
	t.Helper()
	if r.Code != code {
		t.Errorf("exit code %d, want %d", r.Code, code)
	}
	if r.Stdout != "" {
		t.Errorf("data of a command that failed: %q", r.Stdout)
	}
	if !strings.HasPrefix(r.Stderr, "error: ") && !strings.Contains(r.Stderr, "\nerror: ") {
		t.Error("no line begins with \"error: \"")
	}
	presentable(t, r.Stderr)
	want.in(t, r.Stderr)
	if t.Failed() {
		t.Log(r)
	}
}
