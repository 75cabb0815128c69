package manifest

import "fmt"

// Twice finds objects that stand in several documents. namespace is that of objects
// which name none.
func Twice(documents []Document, namespace string) []Problem {
	type key struct{ group, kind, namespace, name string }
	first := map[key]Document{}
	var problems []Problem
	for _, d := range documents {
		kind := d.Object.GroupVersionKind()
		k := key{kind.Group, kind.Kind, d.Object.GetNamespace(), d.Object.GetName()}
		if k.namespace == "" {
			k.namespace = namespace
		}
		before, twice := first[k]
		if !twice {
			first[k] = d
			continue
		}
		where := fmt.Sprintf("document %d", before.Number)
		if before.File != d.File {
			where += " of " + before.File
		}
		problems = append(problems, d.Problem(
			nil, "leave one of them out", "%s stands in %s (line %d) already", d.Name(), where, before.Line))
	}
	return problems
}
