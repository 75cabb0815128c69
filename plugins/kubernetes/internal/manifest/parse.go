package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubejson "sigs.k8s.io/json"
	kubeyaml "sigs.k8s.io/yaml"
)

// Parse reads the documents of a text, which may be YAML or JSON, and checks each.
// file names it in problems. Documents that have one are returned too as far as they
// could be read.
func Parse(file string, text []byte) ([]Document, []Problem) {
	chunks, problem := split(file, text)
	if problem != nil {
		return nil, []Problem{*problem}
	}
	var documents []Document
	var problems []Problem
	for i, c := range chunks {
		read, wrong := c.parse(file, i+1)
		if wrong != nil {
			problems = append(problems, *wrong)
			continue
		}
		for _, d := range read {
			problems = append(problems, d.check()...)
			documents = append(documents, d)
		}
	}
	if len(chunks) == 0 {
		problems = append(problems, Problem{File: file, Message: "there is no object in it", Remedy: "write a manifest, or leave it out"})
	}
	slices.SortStableFunc(problems, less)
	return documents, problems
}

// parse reads one document; a List gives several.
func (c chunk) parse(file string, number int) ([]Document, *Problem) {
	d := Document{File: file, Number: number, Line: c.line, offset: c.line - 1}
	value, err := c.value()
	if err != nil {
		remedy := "correct the text"
		if bytes.Contains(c.text, []byte("{{")) {
			remedy = "this looks like a template: render it first, such as with helm template"
		}
		p := Problem{File: file, Number: number, Line: c.line, Message: err.Error(), Remedy: remedy}
		return nil, &p
	}
	var root yaml.Node
	// Only for the lines: what is no YAML in the eyes of this parser has none.
	if err := yaml.Unmarshal(c.text, &root); err == nil && len(root.Content) == 1 {
		d.root = root.Content[0]
		d.Line = d.root.Line + d.offset
	}
	object, ok := value.(map[string]any)
	if !ok {
		p := d.Problem(nil, "begin with apiVersion, kind and metadata", "expected an object, got %s", kindOf(value))
		return nil, &p
	}
	d.Object = &unstructured.Unstructured{Object: object}
	return d.items()
}

// value reads a text as kubectl does: YAML of the old kind, in which yes is true,
// and no name twice.
func (c chunk) value() (any, error) {
	text := c.text
	if !c.json {
		var err error
		if text, err = kubeyaml.YAMLToJSONStrict(c.text); err != nil {
			return nil, c.syntax(err)
		}
	}
	var value any
	twice, err := kubejson.UnmarshalStrict(text, &value)
	if err == nil && len(twice) > 0 {
		err = errors.Join(twice...)
	}
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	return value, nil
}

// syntax returns the error with the lines of the file: the parser counts those of
// the text that it is given.
func (c chunk) syntax(err error) error {
	padded := append(bytes.Repeat([]byte("\n"), c.line-1), c.text...)
	if _, again := kubeyaml.YAMLToJSONStrict(padded); again != nil {
		err = again
	}
	text := err.Error()
	for _, noise := range []string{"error converting YAML to JSON: ", "yaml: ", "unmarshal errors:\n"} {
		text = strings.TrimPrefix(text, noise)
	}
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return errors.New("not YAML: " + strings.Join(lines, "; "))
}

// items returns what a List holds, or the document itself.
func (d Document) items() ([]Document, *Problem) {
	if !strings.HasSuffix(d.Object.GetKind(), "List") {
		return []Document{d}, nil
	}
	list, ok := d.Object.Object["items"].([]any)
	if !ok {
		return []Document{d}, nil
	}
	var all []Document
	for i, item := range list {
		one := d
		one.inner = d.inner.then("items", i)
		object, ok := item.(map[string]any)
		if !ok {
			p := d.Problem(Path{"items", i}, "write an object there", "expected an object, got %s", kindOf(item))
			return nil, &p
		}
		one.Object = &unstructured.Unstructured{Object: object}
		one.Line = one.At(nil)
		inner, problem := one.items()
		if problem != nil {
			return nil, problem
		}
		all = append(all, inner...)
	}
	return all, nil
}
