package reference

import (
	"fmt"
	"strings"

	apiv1 "github.com/apm-deploy/apm/api/v1"
)

// Markdown returns the reference of a plugin. From "## Keys of the platform" on it
// is the same for each build with the same schema.
func Markdown(p apiv1.Plugin) string {
	w := &writer{}
	w.line("# Plugin %s", p.Plugin)
	about := "Version " + p.Version + "."
	if len(p.Capabilities) > 0 {
		about += " It can: `" + strings.Join(p.Capabilities, "`, `") + "`."
	}
	w.paragraph(about)
	w.line("## Keys of the platform")
	w.paragraph(fmt.Sprintf("In `deployment { %s { } }`, or in a `platform \"NAME\" { plugin = %q }`.", p.Plugin, p.Plugin))
	if p.Schema == nil {
		return w.String()
	}
	w.block("", p.Schema.Config)
	w.line("## Keys of a component")
	w.paragraph("In `spec { }`.")
	w.block("", p.Schema.Spec)
	w.line("## Example")
	w.paragraph("What is optional stands behind `#`.")
	w.line("%s", indent(examplePlatform(p.Plugin, p.Schema.Config), 1))
	w.line("%s", indent(exampleSpec(p.Schema.Spec), 1))
	return strings.TrimRight(w.String(), "\n") + "\n"
}

type writer struct{ strings.Builder }

// line writes a line and an empty one.
func (w *writer) line(format string, args ...any) { fmt.Fprintf(w, format+"\n\n", args...) }

// paragraph writes a text, if there is one.
func (w *writer) paragraph(text string) {
	if text = strings.TrimSpace(text); text != "" {
		w.line("%s", text)
	}
}

// block writes the keys of a block, and then the blocks in it, each under a
// heading of its own with the path to it.
func (w *writer) block(path string, b apiv1.SchemaBlock) {
	w.paragraph(prose(b.Description))
	if len(b.Attributes) > 0 {
		w.WriteString("| key | type | default | meaning |\n|---|---|---|---|\n")
		for _, a := range b.Attributes {
			fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", cell(a.Name), typeOf(a), defaultOf(a), meaning(a))
		}
		w.WriteString("\n")
	}
	if len(b.Attributes)+len(b.Blocks) == 0 {
		w.line("None.")
	}
	for _, n := range b.Blocks {
		form := n.Name + " { }"
		if n.Nesting == "map" {
			form = n.Name + ` "NAME" { }`
		}
		if path != "" {
			form = path + " › " + form
		}
		w.line("### `%s`", form)
		w.paragraph(often(n))
		w.block(form, n.Block)
	}
}

// often says how often a block may stand.
func often(n apiv1.SchemaNested) string {
	var words string
	switch least, most := n.MinItems, n.MaxItems; {
	case n.Nesting == "single" && least > 0:
		words = "Required, once."
	case n.Nesting == "single":
		words = "Once at most."
	case least > 0 && most > 0:
		words = fmt.Sprintf("%d to %d times.", least, most)
	case least > 0:
		words = fmt.Sprintf("At least %d times.", least)
	case most > 0:
		words = fmt.Sprintf("At most %d times.", most)
	default:
		words = "As often as needed."
	}
	if n.Nesting == "map" {
		words += " Each has a name of its own."
	}
	if n.Block.Deprecated {
		words += " Deprecated."
	}
	return words
}

func typeOf(a apiv1.SchemaKey) string {
	kind := "`" + cell(a.Type) + "`"
	if a.Path {
		kind += ", path"
	}
	return kind
}

func defaultOf(a apiv1.SchemaKey) string {
	switch {
	case a.Required:
		return "required"
	case a.Default == "":
		return "none"
	default:
		return "`" + cell(a.Default) + "`"
	}
}

func meaning(a apiv1.SchemaKey) string {
	text := strings.TrimSpace(a.Description)
	if a.Sensitive {
		text += " Sensitive: it is shown nowhere."
	}
	if a.Deprecated {
		text += " Deprecated."
	}
	return cell(prose(text))
}

// prose keeps a text from being read as HTML.
func prose(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "<", `\<`) }

// cell makes a text fit for the cell of a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

// indent begins every line with so many steps of four spaces.
func indent(text string, steps int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = strings.Repeat("    ", steps) + line
		}
	}
	return strings.Join(lines, "\n")
}
