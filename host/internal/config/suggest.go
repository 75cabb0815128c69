package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// suggest is the remedy for a name that is not known here: the nearest known
// one, else all of them.
func suggest(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(known) == 0 {
		return ""
	}
	known = slices.Clone(known)
	slices.Sort(known)
	const shown = 20
	if len(known) > shown {
		known = append(known[:shown], "…")
	}
	return "known here: " + strings.Join(known, ", ")
}

// Nearest returns the known name with the smallest edit distance to name, or ""
// when none is near enough to be meant.
func Nearest(name string, known []string) string {
	if len(name) > 100 {
		return ""
	}
	best, bestDistance := "", max(1, len(name)/3)+1
	for _, candidate := range slices.Sorted(slices.Values(known)) {
		if len(candidate) > 100 {
			continue
		}
		if d := editDistance(name, candidate); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance with swapped neighbours counted as
// one edit (optimal string alignment).
func editDistance(a, b string) int {
	x, y := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}

// clip shortens a text to at most limit bytes of whole characters, so that what
// a stranger sent is not echoed whole.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}

// quote quotes a clipped text, control characters escaped.
func quote(s string) string { return fmt.Sprintf("%q", clip(s, 60)) }
