package plugin_test

import (
	"strings"
	"testing"
	"unicode"
)

// told is what a message must say: what it is about, what was wrong, and what to do.
type told []string

// in fails the test for each part that a text does not have, and when it cannot be
// shown as it stands, or is longer than a person reads.
func (w told) in(t *testing.T, text string) {
	t.Helper()
	if len(w) < 2 {
		t.Error("the case does not say what is wrong and what to do")
	}
	for _, part := range w {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not said: %.2000s", part, text)
		}
	}
	if len(text) > 4<<10 {
		t.Errorf("a message of %d bytes", len(text))
	}
	if i := strings.IndexFunc(text, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' || r == unicode.ReplacementChar
	}); i >= 0 {
		t.Errorf("byte %d cannot be shown: %.2000q", i, text)
	}
	for _, word := range []string{"panic:", "goroutine ", "%!", "<nil>", "0x0000"} {
		if strings.Contains(text, word) {
			t.Errorf("%q is for programmers: %.2000s", word, text)
		}
	}
}
