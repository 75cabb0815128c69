package reference

import (
	"fmt"
	"strings"

	apiv1 "github.com/apm-deploy/apm/api/v1"
)

// examplePlatform is a platform block of config.hcl.
func examplePlatform(plugin string, b apiv1.SchemaBlock) string {
	var e example
	e.add("platform \"NAME\" {\n")
	e.add("  plugin = %q\n", plugin)
	e.body(b, "  ", false)
	e.add("}\n")
	return e.String()
}

// exampleSpec is a component of an application file.
func exampleSpec(b apiv1.SchemaBlock) string {
	var e example
	e.add("component \"NAME\" {\n  spec {\n")
	e.body(b, "    ", false)
	e.add("  }\n}\n")
	return e.String()
}

type example struct{ strings.Builder }

func (e *example) add(format string, args ...any) { fmt.Fprintf(e, format, args...) }

// body writes the keys of a block: those that are required first, and then those
// that are not, behind a mark where there is none yet. What is deprecated is left
// out.
func (e *example) body(b apiv1.SchemaBlock, indent string, marked bool) {
	for _, required := range []bool{true, false} {
		before := ""
		if !required && !marked {
			before = "# "
		}
		for _, a := range b.Attributes {
			if a.Required == required && !a.Deprecated {
				e.add("%s%s%s = %s\n", indent, before, a.Name, valueOf(a))
			}
		}
		for _, n := range b.Blocks {
			if (n.MinItems > 0) != required || n.Block.Deprecated {
				continue
			}
			label := ""
			if n.Nesting == "map" {
				label = ` "NAME"`
			}
			e.add("%s%s%s%s {\n", indent, before, n.Name, label)
			e.body(n.Block, indent+before+"  ", marked || before != "")
			e.add("%s%s}\n", indent, before)
		}
	}
}

// valueOf is the default of a key, or a value of its type.
func valueOf(a apiv1.SchemaKey) string {
	if a.Default != "" {
		return a.Default
	}
	switch kind := a.Type; {
	case kind == "string":
		return `"…"`
	case kind == "number":
		return "0"
	case kind == "bool":
		return "false"
	case strings.HasPrefix(kind, "list(string"), strings.HasPrefix(kind, "set(string"):
		return `["…"]`
	case strings.HasPrefix(kind, "list("), strings.HasPrefix(kind, "set("), strings.HasPrefix(kind, "tuple("):
		return "[]"
	case strings.HasPrefix(kind, "map(string"):
		return `{ NAME = "…" }`
	default:
		return "{}"
	}
}
