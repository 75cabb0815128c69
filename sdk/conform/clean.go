package conform

import (
	"regexp"
	"strings"
	"unicode"
)

// escapes are sequences that move a cursor, colour a text or name a window.
var escapes = regexp.MustCompile("\x1b(\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(\x07|\x1b\\\\)?|[@-_])")

// clean takes out of a text what acts on a terminal, or is no text: what a plugin
// wrote must not. Lines and tabs stay.
func clean(text string) string {
	text = escapes.ReplaceAllString(text, "")
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar) {
			return -1
		}
		return r
	}, text)
}

// oneLine is the first line of a text that says something.
func oneLine(text string) string {
	for line := range strings.SplitSeq(clean(text), "\n") {
		if line = strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")); line != "" {
			return line
		}
	}
	return ""
}
