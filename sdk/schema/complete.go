package schema

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/apm-deploy/apm/sdk/diag"
)

// Complete turns a JSON value that a person wrote into what a plugin is given:
// every name is there, defaults are filled in, the rest is null, and every value
// has the type of the schema. An unknown name, a missing required one and a value
// that cannot have its type are errors with a path; then there is no result.
func (s Schema) Complete(value []byte) ([]byte, diag.Diagnostics) {
	if len(bytes.TrimSpace(value)) == 0 {
		value = []byte("{}")
	}
	c := &completer{}
	complete := c.block(nil, s.Block, value)
	if c.diagnostics.HasErrors() {
		return nil, c.diagnostics
	}
	return complete, c.diagnostics
}

type completer struct{ diagnostics diag.Diagnostics }

func (c *completer) block(path []string, b Block, value []byte) json.RawMessage {
	var given map[string]json.RawMessage
	if kind := kindOf(value); kind != "an object" {
		c.diagnostics.Errorf(path, "expected an object, got %s", kind)
		return nil
	}
	if err := json.Unmarshal(value, &given); err != nil {
		c.diagnostics.Errorf(path, "read value: %v", err)
		return nil
	}
	complete := make(map[string]json.RawMessage, len(b.Attributes)+len(b.Blocks))
	known := make([]string, 0, len(b.Attributes)+len(b.Blocks))
	for _, a := range b.Attributes {
		known = append(known, a.Name)
		complete[a.Name] = c.attribute(under(path, a.Name), a, given[a.Name])
	}
	for _, n := range b.Blocks {
		known = append(known, n.Name)
		complete[n.Name] = c.nested(under(path, n.Name), n, given[n.Name])
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(known, name) {
			c.diagnostics.Errorf(under(path, name), "unknown name %q: known are %s", name, strings.Join(known, ", "))
		}
	}
	return mustMarshal(complete)
}

var null = json.RawMessage("null")

func absent(value []byte) bool { return len(value) == 0 || isNull(value) }

func (c *completer) attribute(path []string, a Attribute, value []byte) json.RawMessage {
	if absent(value) {
		switch {
		case a.Required:
			c.diagnostics.Errorf(path, "%q is required", a.Name)
			return null
		case a.Default == "":
			return null
		}
		value = []byte(a.Default)
	}
	t, err := a.CtyType()
	if err != nil {
		c.diagnostics.Errorf(path, "the plugin's schema is wrong: %v", err)
		return null
	}
	implied, err := ctyjson.ImpliedType(value)
	if err != nil {
		c.diagnostics.Errorf(path, "read value: %v", err)
		return null
	}
	decoded, err := ctyjson.Unmarshal(value, implied)
	if err != nil {
		c.diagnostics.Errorf(path, "read value: %v", err)
		return null
	}
	converted, err := convert.Convert(decoded, t)
	if err != nil {
		c.diagnostics.Errorf(path, "not of type %s: %v", a.Type, err)
		return null
	}
	encoded, err := ctyjson.Marshal(converted, t.WithoutOptionalAttributesDeep())
	if err != nil {
		c.diagnostics.Errorf(path, "not of type %s: %v", a.Type, err)
		return null
	}
	return encoded
}

func (c *completer) nested(path []string, n NestedBlock, value []byte) json.RawMessage {
	switch n.Nesting {
	case List:
		return c.list(path, n, value)
	case Map:
		return c.labelled(path, n, value)
	default:
		if !absent(value) {
			return c.block(path, n.Block, value)
		}
		c.count(path, n, 0)
		return null
	}
}

func (c *completer) list(path []string, n NestedBlock, value []byte) json.RawMessage {
	items := []json.RawMessage{}
	if !absent(value) {
		if kind := kindOf(value); kind != "a list" {
			c.diagnostics.Errorf(path, "expected a list of blocks, got %s", kind)
			return null
		}
		if err := json.Unmarshal(value, &items); err != nil {
			c.diagnostics.Errorf(path, "read value: %v", err)
			return null
		}
	}
	c.count(path, n, len(items))
	for i := range items {
		items[i] = c.block(under(path, strconv.Itoa(i)), n.Block, items[i])
	}
	return mustMarshal(items)
}

func (c *completer) labelled(path []string, n NestedBlock, value []byte) json.RawMessage {
	items := map[string]json.RawMessage{}
	if !absent(value) {
		if kind := kindOf(value); kind != "an object" {
			c.diagnostics.Errorf(path, "expected an object of blocks by label, got %s", kind)
			return null
		}
		if err := json.Unmarshal(value, &items); err != nil {
			c.diagnostics.Errorf(path, "read value: %v", err)
			return null
		}
	}
	c.count(path, n, len(items))
	for _, label := range slices.Sorted(maps.Keys(items)) {
		items[label] = c.block(under(path, label), n.Block, items[label])
	}
	return mustMarshal(items)
}

func (c *completer) count(path []string, n NestedBlock, count int) {
	switch {
	case count < int(n.MinItems):
		c.diagnostics.Errorf(path, "at least %d block %q is required", n.MinItems, n.Name)
	case n.MaxItems > 0 && count > int(n.MaxItems):
		c.diagnostics.Errorf(path, "at most %d blocks %q are allowed, not %d", n.MaxItems, n.Name, count)
	}
}

// mustMarshal encodes what was read as JSON before; nil parts, which stand for
// errors that were reported, become null.
func mustMarshal(v any) json.RawMessage {
	encoded, err := json.Marshal(v)
	if err != nil {
		return null
	}
	return encoded
}
