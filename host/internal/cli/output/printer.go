package output

import (
	"bytes"
	"encoding/json"
	"fmt"

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
		encoder := json.NewEncoder(p.Out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(data)
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
	encoder := json.NewEncoder(p.Out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(data)
}

func (p *Printer) filter(data any, indent string) error {
	encoded, err := json.Marshal(data)
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

// yaml keeps the order and the names of the JSON: JSON is YAML, only its style
// is another.
func (p *Printer) yaml(data any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode output: %w", err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(encoded, &node); err != nil {
		return fmt.Errorf("encode output as YAML: %w", err)
	}
	block(&node)
	encoder := yaml.NewEncoder(p.Out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&node); err != nil {
		return fmt.Errorf("encode output as YAML: %w", err)
	}
	return encoder.Close()
}

// block gives a node that was read from JSON the style that people write. Keys
// and texts lose their quotes where the encoder sees that none are needed.
func block(node *yaml.Node) {
	if len(node.Content) > 0 {
		node.Style = 0
	} else if node.Kind == yaml.ScalarNode && node.Tag == "!!str" {
		node.Style = 0
	}
	for _, child := range node.Content {
		block(child)
	}
}
