package schema

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

var durationType = reflect.TypeFor[time.Duration]()

// field is what a tagged struct field says.
type field struct {
	index       int
	name        string
	description string
	fallback    string // JSON of the default
	goType      reflect.Type

	required, sensitive, deprecated, path, label, block bool
}

// fields reads the tags of a struct type.
func fields(t reflect.Type) ([]field, error) {
	var found []field
	var errs []error
	seen := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" {
			continue
		}
		one, skip, err := readField(f)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("field %s.%s: %w", t.Name(), f.Name, err))
			continue
		case skip:
			continue
		case seen[one.name]:
			errs = append(errs, fmt.Errorf("field %s.%s: the name %q stands twice", t.Name(), f.Name, one.name))
			continue
		}
		seen[one.name] = true
		one.index = i
		found = append(found, one)
	}
	return found, errors.Join(errs...)
}

func readField(f reflect.StructField) (one field, skip bool, err error) {
	tag, tagged := f.Tag.Lookup("apm")
	if !f.IsExported() {
		if tagged {
			return field{}, false, errors.New("tagged and not exported")
		}
		return field{}, true, nil
	}
	if tag == "-" {
		return field{}, true, nil
	}
	if !tagged {
		return field{}, false, errors.New(`no apm tag: name the attribute, or leave the field out with apm:"-"`)
	}
	parts := strings.Split(tag, ",")
	one = field{name: parts[0], description: f.Tag.Get("doc"), fallback: f.Tag.Get("default"), goType: f.Type}
	if !isIdent(one.name) {
		return field{}, false, fmt.Errorf("the name %q is no identifier of HCL", one.name)
	}
	for _, option := range parts[1:] {
		switch option {
		case "required":
			one.required = true
		case "sensitive":
			one.sensitive = true
		case "deprecated":
			one.deprecated = true
		case "path":
			one.path = true
		case "label":
			one.label = true
		case "block":
			one.block = true
		default:
			return field{}, false, fmt.Errorf("unknown option %q: use required, sensitive, deprecated, path, label or block", option)
		}
	}
	return one, false, one.contradiction()
}

// contradiction finds options that exclude each other.
func (f field) contradiction() error {
	options := map[string]bool{
		"required": f.required, "sensitive": f.sensitive, "path": f.path, "label": f.label, "default": f.fallback != "",
	}
	set := func(names ...string) error {
		for _, name := range names {
			if options[name] {
				return fmt.Errorf("%s makes no sense here", name)
			}
		}
		return nil
	}
	switch {
	case f.label:
		if f.goType.Kind() != reflect.String {
			return errors.New("a label is a string")
		}
		return set("required", "sensitive", "path", "default")
	case f.block:
		if err := set("sensitive", "path", "default"); err != nil {
			return fmt.Errorf("block: %w", err)
		}
	case f.required && f.fallback != "":
		return errors.New("required, so that a default is never used: drop one of them")
	}
	if f.path && !slices.Contains([]string{"string", "list(string)", "map(string)"}, plainType(f.goType)) {
		return errors.New("a path must be a string or strings")
	}
	return nil
}

// plainType is the type expression of a type without objects in it, else "".
func plainType(t reflect.Type) string {
	switch {
	case t == durationType || t.Kind() == reflect.String:
		return "string"
	case t.Kind() == reflect.Bool:
		return "bool"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64, t.Kind() == reflect.Float32, t.Kind() == reflect.Float64:
		return "number"
	case t.Kind() == reflect.Pointer && t.Elem().Kind() != reflect.Struct && t.Elem().Kind() != reflect.Pointer:
		return plainType(t.Elem())
	case t.Kind() == reflect.Slice || (t.Kind() == reflect.Map && t.Key().Kind() == reflect.String):
		element := plainType(t.Elem())
		if element == "" || t.Elem().Kind() == reflect.Pointer {
			return ""
		}
		if t.Kind() == reflect.Slice {
			return "list(" + element + ")"
		}
		return "map(" + element + ")"
	default:
		return ""
	}
}

// structOf returns the struct behind a pointer.
func structOf(t reflect.Type) (reflect.Type, bool) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t, t.Kind() == reflect.Struct
}
