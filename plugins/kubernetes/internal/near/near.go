// Package near finds the names that somebody may have meant. It must never decide
// anything: it is for messages.
package near

import (
	"slices"
	"strings"
)

const (
	maxShown = 3
	// maxNames bounds the work: a cluster may have any number of names.
	maxNames = 5000
)

// To returns the names that are nearest to one that there is not, best first, at
// most three; none if none is near.
func To(name string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	if name == "" {
		return nil
	}
	limit := max(2, len(name)/3)
	var found []candidate
	for _, other := range names[:min(len(names), maxNames)] {
		if other == name {
			continue
		}
		d := distance(strings.ToLower(name), strings.ToLower(other))
		if d > limit && len(name) > 2 && len(other) > 2 && (strings.Contains(other, name) || strings.Contains(name, other)) {
			d = limit
		}
		if d <= limit {
			found = append(found, candidate{other, d})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		if a.distance != b.distance {
			return a.distance - b.distance
		}
		return strings.Compare(a.name, b.name)
	})
	shown := make([]string, 0, maxShown)
	for _, c := range found[:min(len(found), maxShown)] {
		shown = append(shown, c.name)
	}
	return shown
}

// Hint is To as the beginning of a sentence about what to do: `did you mean "a" or
// "b"?`, or "there are a, b, c" if none is near, or "" if there are none.
func Hint(name string, names []string) string {
	if shown := To(name, names); len(shown) > 0 {
		quoted := make([]string, len(shown))
		for i, s := range shown {
			quoted[i] = `"` + s + `"`
		}
		return "did you mean " + strings.Join(quoted, " or ") + "?"
	}
	const few = 8
	names = slices.Sorted(slices.Values(names))
	switch {
	case len(names) == 0:
		return ""
	case len(names) == 1:
		return "there is only " + names[0]
	case len(names) > few:
		return "there are " + strings.Join(names[:few], ", ") + " and others"
	default:
		return "there are " + strings.Join(names, ", ")
	}
}

// Remedy is Hint and what to do else.
func Remedy(name string, names []string, otherwise string) string {
	switch hint := Hint(name, names); {
	case hint == "":
		return otherwise
	case strings.HasSuffix(hint, "?"):
		return hint + " Else " + otherwise
	default:
		return hint + "; " + otherwise
	}
}

// distance counts the letters to be inserted, removed, replaced, or swapped with
// the next.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
