package manifest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Path leads to a value within a document: names and indices.
type Path []any

var plain = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$-]*$`)

// String renders spec.containers[0].name; a name with other signs than letters and
// digits stands in brackets: metadata.labels["a.b/c"].
func (p Path) String() string {
	var text strings.Builder
	for i, step := range p {
		switch step := step.(type) {
		case int:
			text.WriteString("[" + strconv.Itoa(step) + "]")
		case string:
			switch {
			case !plain.MatchString(step):
				text.WriteString("[" + strconv.Quote(step) + "]")
			case i > 0:
				text.WriteString("." + step)
			default:
				text.WriteString(step)
			}
		default:
			fmt.Fprintf(&text, "[%v]", step)
		}
	}
	return text.String()
}

// then returns the path of a part, in memory of its own.
func (p Path) then(steps ...any) Path {
	return append(append(make(Path, 0, len(p)+len(steps)), p...), steps...)
}

func pathOf(names []string) Path {
	p := make(Path, len(names))
	for i, name := range names {
		p[i] = name
	}
	return p
}
