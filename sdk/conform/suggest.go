package conform

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// suggest is the remedy for a name that is not known: the nearest known one, else
// all of them.
func suggest(name string, known []string) string {
	known = slices.Sorted(slices.Values(known))
	best, distance := "", max(1, len(name)/3)+1
	for _, candidate := range known {
		if d := levenshtein.Distance(name, candidate, nil); d < distance {
			best, distance = candidate, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(known) == 0:
		return "remove it: nothing is known here"
	default:
		return "known here: " + strings.Join(known, ", ")
	}
}
