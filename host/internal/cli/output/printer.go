package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/cli/go-gh/v2/pkg/jq"
	"github.com/cli/go-gh/v2/pkg/template"
	"go.yaml.in/yaml/v3"
)

// noLimit is a width that nothing reaches: only a terminal truncates.
const noLimit = 1 << 20

// Printer writes a command's data in the format asked for.
type Printer struct {
	Options
	Out Writer
}

// Print writes data. lines are its elements, for JSON lines; nil makes data the
// only one. For people, table fills a table instead.
func (p *Printer) Print(data any, lines []any, table func(*Grid)) error {
	switch {
	case p.Format == JSONL:
		if lines == nil {
			lines = []any{data}
		}
		for _, line := range lines {
			if err := p.Line(line); err != nil {
				return err
			}
		}
		return nil
	case p.JQ != "" || p.Template != "":
		return p.filter(data, "  ")
	case p.Format == JSON:
		return p.json(data, "  ")
	case p.Format == YAML:
		return p.yaml(data)
	default:
		grid := &Grid{wide: p.Format == Wide, color: p.Out.Control}
		table(grid)
		return grid.render(p.Out)
	}
}

// Line writes data as one line of JSON, or what the jq expression or the
// template makes of it.
func (p *Printer) Line(data any) error {
	if p.JQ != "" || p.Template != "" {
		return p.filter(data, "")
	}
	return p.json(data, "")
}

// json writes data as JSON.
func (p *Printer) json(data any, indent string) error {
	encoded, err := encode(data, indent)
	if err != nil {
		return err
	}
	_, err = p.Out.Write(encoded)
	return err
}

// encode returns data as JSON in which nothing drives a terminal: what Go leaves
// as it is, is escaped.
func encode(data any, indent string) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", indent)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(data); err != nil {
		return nil, fmt.Errorf("encode output: %w", err)
	}
	return escape(b.Bytes()), nil
}

// escape writes what drives a terminal as JSON and YAML do between quotes.
func escape(text []byte) []byte {
	if !bytes.ContainsFunc(text, drives) {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if drives(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.Bytes()
}

// drives says whether a terminal may do something else than show it. The line
// breaks of JSON itself do not count.
func drives(r rune) bool {
	switch {
	case r == '\n':
		return false
	case unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // the latter turn the direction of text
		return true
	default:
		return r == 0xfffe || r == 0xffff // YAML has none of these
	}
}

// filter writes what the expression makes of data: as it is for programs, on a
// terminal of texts that cannot drive it.
func (p *Printer) filter(data any, indent string) error {
	encoded, err := json.Marshal(data)
	if err == nil && p.Out.Present {
		encoded, err = cleanTexts(encoded)
	}
	if err != nil {
		return fmt.Errorf("encode output: %w", err)
	}
	if p.JQ != "" {
		if err := jq.EvaluateFormatted(bytes.NewReader(encoded), p.Out, p.JQ, indent, false); err != nil {
			return fmt.Errorf("--jq %q does not fit the data, which -o json shows: %w", p.JQ, err)
		}
		return nil
	}
	width := p.Out.Width
	if width == 0 {
		width = noLimit
	}
	t := template.New(p.Out, width, p.Out.Control)
	if err := t.Parse(p.Template); err != nil {
		return fmt.Errorf("--template %q is no template of Go: %w", p.Template, err)
	}
	if err := t.Execute(bytes.NewReader(encoded)); err != nil {
		return fmt.Errorf("--template %q does not fit the data, which -o json shows: %w", p.Template, err)
	}
	return t.Flush()
}

// cleanTexts cleans each text of a JSON document.
func cleanTexts(document []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return json.Marshal(cleanValue(value))
}

func cleanValue(value any) any {
	switch v := value.(type) {
	case string:
		return strings.Join(CleanLines(v), "\n")
	case []any:
		for i := range v {
			v[i] = cleanValue(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = cleanValue(v[name])
		}
	}
	return value
}

// yaml keeps the order and the names of the JSON: JSON is YAML, only its style
// is another.
func (p *Printer) yaml(data any) error {
	encoded, err := encode(data, "")
	if err != nil {
		return err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(encoded, &node); err != nil {
		return fmt.Errorf("encode output as YAML: %w", err)
	}
	block(&node)
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(&node); err != nil {
		return fmt.Errorf("encode output as YAML: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return fmt.Errorf("encode output as YAML: %w", err)
	}
	_, err = p.Out.Write(escape(b.Bytes()))
	return err
}

// block gives a node that was read from JSON the style that people write. Keys
// and texts lose their quotes where the encoder sees that none are needed.
func block(node *yaml.Node) {
	if len(node.Content) > 0 {
		node.Style = 0
	} else if strings.ContainsFunc(node.Value, drives) {
		node.Style = yaml.DoubleQuotedStyle // the only one that can escape
	} else if node.Kind == yaml.ScalarNode && node.Tag == "!!str" {
		node.Style = 0
	}
	for _, child := range node.Content {
		block(child)
	}
}
