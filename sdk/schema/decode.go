package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/apm-deploy/apm/sdk/diag"
)

// Decode reads a JSON value into the struct that [Of] made the schema from, of
// which into is a pointer. It is strict: an unknown field, a wrong type, a number
// that does not fit and a missing required value are errors, each with its path.
// What was left out or is null gets its default. An empty value is that of an
// empty block.
func Decode(value []byte, into any) diag.Diagnostics {
	d := &decoder{}
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() || target.Elem().Kind() != reflect.Struct {
		d.diagnostics.Errorf(nil, "decode into %T: not a pointer to a struct", into)
		return d.diagnostics
	}
	if len(bytes.TrimSpace(value)) == 0 {
		value = []byte("{}")
	}
	d.block(nil, value, target.Elem(), "")
	return d.diagnostics
}

type decoder struct{ diagnostics diag.Diagnostics }

func (d *decoder) errorf(path []string, format string, args ...any) {
	d.diagnostics.Errorf(path, format, args...)
}

// under returns the path of a part, in memory of its own.
func under(path []string, name string) []string { return append(slices.Clip(path), name) }

// block reads an object into a struct.
func (d *decoder) block(path []string, value []byte, into reflect.Value, label string) {
	all, err := fields(into.Type())
	if err != nil {
		d.errorf(path, "the plugin's own schema is wrong: %v", err)
		return
	}
	var given map[string]json.RawMessage
	if kindOf(value) != "an object" {
		d.errorf(path, "expected an object, got %s", kindOf(value))
		return
	}
	if err := json.Unmarshal(value, &given); err != nil {
		d.errorf(path, "read value: %v", err)
		return
	}
	known := make([]string, 0, len(all))
	for _, f := range all {
		target := into.Field(f.index)
		if f.label {
			target.SetString(label)
			continue
		}
		known = append(known, f.name)
		d.field(under(path, f.name), f, given[f.name], target)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(known, name) {
			d.errorf(under(path, name), "unknown name %q: known are %s", name, strings.Join(known, ", "))
		}
	}
}

// field reads the value of one field, or fills in what stands for its absence.
func (d *decoder) field(path []string, f field, value []byte, into reflect.Value) {
	absent := len(value) == 0 || string(bytes.TrimSpace(value)) == "null"
	switch {
	case absent && f.required:
		d.errorf(path, "%q is required", f.name)
	case absent && f.fallback != "":
		d.value(path, []byte(f.fallback), into)
	case absent && into.Kind() == reflect.Struct:
		d.absent(path, into)
	case absent:
		into.SetZero()
	case f.block && into.Kind() == reflect.Map:
		d.labelled(path, value, into)
	default:
		d.value(path, value, into)
	}
	if f.block && f.required && !absent && (into.Kind() == reflect.Slice || into.Kind() == reflect.Map) && into.Len() == 0 {
		d.errorf(path, "at least one block %q is required", f.name)
	}
}

// absent fills a struct that was left out with its defaults. What is required in
// it is required only where it is given.
func (d *decoder) absent(path []string, into reflect.Value) {
	all, err := fields(into.Type())
	if err != nil {
		d.errorf(path, "the plugin's own schema is wrong: %v", err)
		return
	}
	into.SetZero()
	for _, f := range all {
		if f.required || f.label {
			continue
		}
		d.field(under(path, f.name), f, nil, into.Field(f.index))
	}
}

// labelled reads a map of blocks.
func (d *decoder) labelled(path []string, value []byte, into reflect.Value) {
	entries, ok := d.object(path, value)
	if !ok {
		return
	}
	result := reflect.MakeMapWithSize(into.Type(), len(entries))
	for _, label := range slices.Sorted(maps.Keys(entries)) {
		element := reflect.New(into.Type().Elem()).Elem()
		d.block(under(path, label), entries[label], element, label)
		result.SetMapIndex(reflect.ValueOf(label).Convert(into.Type().Key()), element)
	}
	into.Set(result)
}

func (d *decoder) object(path []string, value []byte) (map[string]json.RawMessage, bool) {
	var entries map[string]json.RawMessage
	if kind := kindOf(value); kind != "an object" {
		d.errorf(path, "expected an object, got %s", kind)
		return nil, false
	}
	if err := json.Unmarshal(value, &entries); err != nil {
		d.errorf(path, "read value: %v", err)
		return nil, false
	}
	return entries, true
}

// value reads a value of any type that a field may have.
func (d *decoder) value(path []string, value []byte, into reflect.Value) {
	if into.Type() == durationType {
		d.duration(path, value, into)
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(into.Type().Elem())
		d.value(path, value, fresh.Elem())
		into.Set(fresh)
	case reflect.Struct:
		d.block(path, value, into, "")
	case reflect.Slice:
		d.slice(path, value, into)
	case reflect.Map:
		entries, ok := d.object(path, value)
		if !ok {
			return
		}
		result := reflect.MakeMapWithSize(into.Type(), len(entries))
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			element := reflect.New(into.Type().Elem()).Elem()
			d.value(under(path, key), entries[key], element)
			result.SetMapIndex(reflect.ValueOf(key).Convert(into.Type().Key()), element)
		}
		into.Set(result)
	default:
		d.scalar(path, value, into)
	}
}

func (d *decoder) slice(path []string, value []byte, into reflect.Value) {
	var elements []json.RawMessage
	if kind := kindOf(value); kind != "a list" {
		d.errorf(path, "expected a list, got %s", kind)
		return
	}
	if err := json.Unmarshal(value, &elements); err != nil {
		d.errorf(path, "read value: %v", err)
		return
	}
	result := reflect.MakeSlice(into.Type(), len(elements), len(elements))
	for i, element := range elements {
		d.value(under(path, strconv.Itoa(i)), element, result.Index(i))
	}
	into.Set(result)
}

// kindOf names the kind of a JSON value for people.
func kindOf(value []byte) string {
	value = bytes.TrimSpace(value)
	if !json.Valid(value) {
		return "something that is no JSON"
	}
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a bool"
	case 'n':
		return "null"
	default:
		return fmt.Sprintf("the number %s", value)
	}
}
