package schema

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Of makes the schema of a tagged struct, of which v is a value or a pointer.
// Each exported field has a tag `apm:"name,option,…"`, or `apm:"-"` to be left
// out:
//
//	required    must be given; excludes a default
//	sensitive   shown nowhere
//	deprecated  still read
//	path        names files: a string or strings
//	block       a nested block instead of an attribute
//	label       in the struct of a map of blocks: receives the label
//
// beside `doc:"what it is for"` and `default:"JSON"`. A field `_ struct{}` with a
// doc tag describes the block itself.
//
// Types: string, bool, integers, floats, time.Duration (a string such as "10s"),
// pointers to those (nil when left out), slices and maps by string of those, and
// structs. A struct is an object; with block it is a block (struct: with its
// defaults when absent; pointer: nil when absent), a slice of structs a repeated
// block, a map[string]struct a block with one label. What stands within an object
// cannot be sensitive, deprecated or a path: that takes a block.
func Of(v any) (Schema, error) {
	t := reflect.TypeOf(v)
	if t == nil {
		return Schema{}, errors.New("make schema: no struct given")
	}
	structure, ok := structOf(t)
	if !ok {
		return Schema{}, fmt.Errorf("make schema of %s: not a struct", t)
	}
	block, err := blockOf(structure, false, 0)
	if err != nil {
		return Schema{}, fmt.Errorf("make schema of %s: %w", structure, err)
	}
	s := Schema{Version: 1, Block: block}
	if err := s.Validate(); err != nil {
		return Schema{}, fmt.Errorf("make schema of %s: %w", structure, err)
	}
	return s, nil
}

// MustOf is Of for package-level variables. It panics on a struct whose tags
// contradict themselves, which is the programmer's mistake.
func MustOf(v any) Schema {
	s, err := Of(v)
	if err != nil {
		panic(err)
	}
	return s
}

func blockOf(t reflect.Type, labelled bool, depth int) (Block, error) {
	if depth > maxDepth {
		return Block{}, fmt.Errorf("%s is nested deeper than %d: does it contain itself?", t, maxDepth)
	}
	all, err := fields(t)
	if err != nil {
		return Block{}, err
	}
	block := Block{Description: describe(t)}
	labels := 0
	var errs []error
	for _, f := range all {
		switch {
		case f.label:
			if labels++; !labelled || labels > 1 {
				errs = append(errs, fmt.Errorf("field %q of %s: one label, and only in a map of blocks", f.name, t))
			}
		case f.block:
			nested, err := nestedOf(f, depth)
			if err != nil {
				errs = append(errs, fmt.Errorf("block %q: %w", f.name, err))
				continue
			}
			block.Blocks = append(block.Blocks, nested)
		default:
			attribute, err := attributeOf(f, depth)
			if err != nil {
				errs = append(errs, fmt.Errorf("attribute %q: %w", f.name, err))
				continue
			}
			block.Attributes = append(block.Attributes, attribute)
		}
	}
	return block, errors.Join(errs...)
}

// describe reads the doc tag of the blank field.
func describe(t reflect.Type) string {
	for i := range t.NumField() {
		if f := t.Field(i); f.Name == "_" {
			return f.Tag.Get("doc")
		}
	}
	return ""
}

func nestedOf(f field, depth int) (NestedBlock, error) {
	nested := NestedBlock{Name: f.name, Nesting: Single}
	t, isStruct := structOf(f.goType)
	switch {
	case isStruct:
	case f.goType.Kind() == reflect.Slice && f.goType.Elem().Kind() == reflect.Struct:
		nested.Nesting, t = List, f.goType.Elem()
	case f.goType.Kind() == reflect.Map && f.goType.Key().Kind() == reflect.String && f.goType.Elem().Kind() == reflect.Struct:
		nested.Nesting, t = Map, f.goType.Elem()
	default:
		return NestedBlock{}, fmt.Errorf("%s cannot be a block: use a struct, a pointer to one, a slice or a map of them", f.goType)
	}
	block, err := blockOf(t, nested.Nesting == Map, depth+1)
	if err != nil {
		return NestedBlock{}, err
	}
	if f.description != "" {
		block.Description = f.description
	}
	block.Deprecated = f.deprecated
	nested.Block = block
	if nested.Nesting == Single {
		nested.MaxItems = 1
	}
	if f.required {
		nested.MinItems = 1
	}
	return nested, nil
}

func attributeOf(f field, depth int) (Attribute, error) {
	expression, err := typeOf(f.goType, depth)
	if err != nil {
		return Attribute{}, err
	}
	if f.fallback != "" {
		// The same reader that will meet the value: what does not fit is found
		// when the plugin is built and not when it is used.
		into := reflect.New(f.goType).Elem()
		d := &decoder{}
		if d.value(nil, []byte(f.fallback), into); d.diagnostics.HasErrors() {
			return Attribute{}, fmt.Errorf("default %s does not fit: %s", f.fallback, d.diagnostics[0])
		}
	}
	return Attribute{
		Name: f.name, Type: expression, Description: f.description, Required: f.required, Sensitive: f.sensitive,
		Deprecated: f.deprecated, Default: f.fallback, Path: f.path,
	}, nil
}

// typeOf returns the type expression of HCL for a Go type.
func typeOf(t reflect.Type, depth int) (string, error) {
	if plain := plainType(t); plain != "" {
		return plain, nil
	}
	if structure, ok := structOf(t); ok {
		return objectOf(structure, depth+1)
	}
	if t.Kind() != reflect.Slice && (t.Kind() != reflect.Map || t.Key().Kind() != reflect.String) {
		return "", fmt.Errorf("%s has no type in HCL: use string, bool, numbers, time.Duration, slices, maps by string, or structs", t)
	}
	element, err := typeOf(t.Elem(), depth+1)
	if err != nil {
		return "", err
	}
	if t.Kind() == reflect.Slice {
		return "list(" + element + ")", nil
	}
	return "map(" + element + ")", nil
}

func objectOf(t reflect.Type, depth int) (string, error) {
	if depth > maxDepth {
		return "", fmt.Errorf("%s is nested deeper than %d: does it contain itself?", t, maxDepth)
	}
	all, err := fields(t)
	if err != nil {
		return "", err
	}
	members := make([]string, 0, len(all))
	for _, f := range all {
		if f.block || f.label || f.sensitive || f.deprecated || f.path {
			return "", fmt.Errorf("%q within an object: block, label, sensitive, deprecated and path take a block", f.name)
		}
		attribute, err := attributeOf(f, depth)
		if err != nil {
			return "", fmt.Errorf("%q: %w", f.name, err)
		}
		member := attribute.Type
		if !f.required {
			member = "optional(" + member + ")"
		}
		members = append(members, f.name+" = "+member)
	}
	return "object({" + strings.Join(members, ", ") + "})", nil
}
