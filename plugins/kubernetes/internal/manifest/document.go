package manifest

import (
	"cmp"
	"fmt"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Document is one object of a manifest. Those of a List are several of one number.
type Document struct {
	Object *unstructured.Unstructured
	File   string // as it was named; "manifest" for text
	Number int    // within the file, from 1; what is empty does not count
	Line   int    // within the file, where it begins

	root   *yaml.Node // for the lines of what is in it; nil where they are not known
	offset int        // of root's lines within the file
	inner  Path       // of Object within root: the items of a List
}

// At returns the line of what stands at a path, or of the nearest thing around it.
func (d Document) At(path Path) int {
	line := d.Line
	node := d.root
	for _, step := range append(append(Path{}, d.inner...), path...) {
		next := stepInto(node, step)
		if next == nil {
			break
		}
		line, node = next.line+d.offset, next.value
	}
	return line
}

// within is what a step leads to.
type within struct {
	value *yaml.Node
	line  int // of the key where there is one
}

func stepInto(node *yaml.Node, step any) *within {
	for node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node == nil {
		return nil
	}
	switch step := step.(type) {
	case string:
		if node.Kind != yaml.MappingNode {
			return nil
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if key := node.Content[i]; key.Value == step {
				return &within{value: node.Content[i+1], line: key.Line}
			}
		}
	case int:
		if node.Kind == yaml.SequenceNode && step < len(node.Content) {
			return &within{value: node.Content[step], line: node.Content[step].Line}
		}
	}
	return nil
}

// Name is the object for people: Deployment "api".
func (d Document) Name() string { return fmt.Sprintf("%s %q", d.Object.GetKind(), d.Object.GetName()) }

// Problem makes one of this document, about what stands at a path.
func (d Document) Problem(path Path, remedy, format string, args ...any) Problem {
	return Problem{
		File: d.File, Number: d.Number, Line: d.At(path), Path: append(append(Path{}, d.inner...), path...),
		Message: fmt.Sprintf(format, args...), Remedy: remedy,
	}
}

// Warning is a Problem that stops nothing.
func (d Document) Warning(path Path, remedy, format string, args ...any) Problem {
	p := d.Problem(path, remedy, format, args...)
	p.Warning = true
	return p
}

// Problem is what is wrong, and where.
type Problem struct {
	File    string
	Line    int // 0: not known
	Number  int // of the document; 0: of the file as a whole
	Path    Path
	Message string
	Remedy  string // what to do
	Warning bool
}

// String renders "db.yaml:14: document 2, spec.replicas: message".
func (p Problem) String() string {
	text := p.File
	if p.Line > 0 {
		text += fmt.Sprintf(":%d", p.Line)
	}
	text += ": "
	if p.Number > 0 {
		text += fmt.Sprintf("document %d", p.Number)
		if len(p.Path) > 0 {
			text += ", " + p.Path.String()
		}
		text += ": "
	}
	return text + p.Message
}

// less orders problems as a reader meets them.
func less(a, b Problem) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path.String(), b.Path.String()))
}
