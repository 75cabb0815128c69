package conform

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/apm-deploy/apm/sdk/schema"
)

// decoder turns a block of the file into the JSON that a plugin is given, by the
// plugin's own schema.
type decoder struct {
	scope
	dir string // where relative paths begin
	// lenient lets pass what the schema refuses: the spec "bad" is there to be
	// refused by the plugin.
	lenient bool
}

type object map[string]json.RawMessage

// block decodes what stands in a block; what names it in messages.
func (d decoder) block(what string, g schema.Block, body *hclsyntax.Body, at hcl.Pos) object {
	d.names(what, g, body)
	out := object{}
	for _, a := range g.Attributes {
		if raw := d.attribute(what, a, body.Attributes[a.Name], at); raw != nil {
			out[a.Name] = raw
		}
	}
	for _, n := range g.Blocks {
		if raw := d.nested(what, n, blocksOf(body, n.Name), at); raw != nil {
			out[n.Name] = raw
		}
	}
	if d.lenient {
		d.unknown(out, g, body)
	}
	return out
}

// names refuses what the schema does not know.
func (d decoder) names(what string, g schema.Block, body *hclsyntax.Body) {
	if d.lenient {
		return
	}
	known := map[string]bool{} // whether it is a block
	var names []string
	for _, a := range g.Attributes {
		known[a.Name] = false
		names = append(names, a.Name)
	}
	for _, n := range g.Blocks {
		known[n.Name] = true
		names = append(names, n.Name)
	}
	for name, a := range body.Attributes {
		isBlock, found := known[name]
		switch {
		case !found:
			d.ps.add(a.NameRange.Start, suggest(name, names), "unknown attribute %q in %s", name, what)
		case isBlock:
			d.ps.add(a.NameRange.Start, "write "+name+" { … }", "%q in %s is a block, it has no =", name, what)
		}
	}
	for _, b := range body.Blocks {
		isBlock, found := known[b.Type]
		switch {
		case !found:
			d.ps.add(b.TypeRange.Start, suggest(b.Type, names), "unknown block %q in %s", b.Type, what)
		case !isBlock:
			d.ps.add(b.TypeRange.Start, "write "+b.Type+" = …", "%q in %s is an attribute, not a block", b.Type, what)
		}
	}
}

// attribute returns the JSON of an attribute, nil where it was not given: then the
// suite fills in the default.
func (d decoder) attribute(what string, a schema.Attribute, given *hclsyntax.Attribute, at hcl.Pos) json.RawMessage {
	kind, err := a.CtyType()
	if err != nil {
		d.ps.add(at, "tell the author of the plugin", "the plugin's schema is wrong: %v", err)
		return nil
	}
	if given == nil {
		return d.absent(what, a, kind, at)
	}
	value, ok := d.eval(given.Expr)
	if !ok {
		return nil
	}
	converted, err := convert.Convert(value, kind)
	switch {
	case err != nil && d.lenient:
		return encode(value)
	case err != nil:
		start, err := blame(given.Expr, value, kind, err)
		d.ps.add(start, "its type is "+a.Type, "wrong type for %q in %s: %v", a.Name, what, err)
		return nil
	case converted.IsNull() && a.Required && !d.lenient:
		d.ps.add(given.Expr.Range().Start, needed(a), "%q in %s must not be null", a.Name, what)
	case a.Path:
		converted = d.absolute(converted)
	}
	return encode(converted)
}

func (d decoder) absent(what string, a schema.Attribute, kind cty.Type, at hcl.Pos) json.RawMessage {
	switch {
	case a.Required && !d.lenient:
		d.ps.add(at, needed(a), "missing %q in %s", a.Name, what)
	case a.Path && a.Default != "":
		value, err := ctyjson.Unmarshal([]byte(a.Default), kind)
		if err != nil {
			d.ps.add(at, "tell the author of the plugin", "the default of %q cannot be read: %v", a.Name, err)
			return nil
		}
		return encode(d.absolute(value))
	}
	return nil
}

// needed is the remedy for a required attribute.
func needed(a schema.Attribute) string {
	remedy := "add " + a.Name + " = …"
	if sentence, _, _ := strings.Cut(a.Description, ". "); sentence != "" {
		remedy += ": " + lowerFirst(strings.TrimSuffix(sentence, "."))
	}
	return remedy
}

// absolute has paths begin in the directory of the file.
func (d decoder) absolute(value cty.Value) cty.Value {
	out, err := cty.Transform(value, func(_ cty.Path, one cty.Value) (cty.Value, error) {
		if one.IsNull() || one.Type() != cty.String {
			return one, nil
		}
		return cty.StringVal(absolutePath(d.dir, one.AsString())), nil
	})
	if err != nil {
		return value
	}
	return out
}

func absolutePath(dir, path string) string {
	if rest, home := strings.CutPrefix(path, "~/"); home {
		if user, err := os.UserHomeDir(); err == nil {
			return filepath.Join(user, rest)
		}
	}
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// nested decodes all blocks of one name, nil where there is none.
func (d decoder) nested(what string, n schema.NestedBlock, given []*hclsyntax.Block, at hcl.Pos) json.RawMessage {
	d.count(what, n, given, at)
	list, labelled := []object{}, map[string]object{}
	for _, b := range given {
		name, ok := d.labels(n, b)
		if !ok {
			continue
		}
		if _, twice := labelled[name]; twice && n.Nesting == schema.Map {
			d.ps.add(b.TypeRange.Start, "keep one of them", "%s %q in %s stands twice", n.Name, name, what)
		}
		one := d.block(blockName(b), n.Block, b.Body, b.TypeRange.Start)
		list, labelled[name] = append(list, one), one
	}
	switch {
	case len(list) == 0:
		return nil
	case n.Nesting == schema.Map:
		return marshal(labelled)
	case n.Nesting == schema.List:
		return marshal(list)
	default:
		return marshal(list[0])
	}
}

func (d decoder) labels(n schema.NestedBlock, b *hclsyntax.Block) (name string, ok bool) {
	switch {
	case n.Nesting == schema.Map && len(b.Labels) == 1:
		return b.Labels[0], true
	case n.Nesting == schema.Map:
		d.ps.add(b.TypeRange.Start, "write "+n.Name+` "name" { … }`, "block %q needs one name", n.Name)
		return "", false
	case len(b.Labels) > 0:
		d.ps.add(b.LabelRanges[0].Start, "write "+n.Name+" { … }", "block %q has no name", n.Name)
		return "", false
	default:
		return "", true
	}
}

func (d decoder) count(what string, n schema.NestedBlock, given []*hclsyntax.Block, at hcl.Pos) {
	limit := int(n.MaxItems)
	if n.Nesting == schema.Single {
		limit = 1
	}
	switch {
	case d.lenient:
	case len(given) < int(n.MinItems):
		d.ps.add(at, "add "+n.Name+" { … }", "%d of block %q are needed in %s, there are %d", n.MinItems, n.Name, what, len(given))
	case limit > 0 && len(given) > limit:
		d.ps.add(given[limit].TypeRange.Start, "remove it", "at most %d of block %q can stand in %s", limit, n.Name, what)
	}
}

// unknown keeps what the schema does not know.
func (d decoder) unknown(out object, g schema.Block, body *hclsyntax.Body) {
	for name, a := range body.Attributes {
		if _, known := out[name]; known {
			continue
		}
		if value, ok := d.eval(a.Expr); ok {
			out[name] = encode(value)
		}
	}
	for _, b := range body.Blocks {
		if _, known := out[b.Type]; known {
			continue
		}
		out[b.Type] = marshal(d.block(blockName(b), schema.Block{}, b.Body, b.TypeRange.Start))
	}
}

func blocksOf(body *hclsyntax.Body, name string) []*hclsyntax.Block {
	var found []*hclsyntax.Block
	for _, b := range body.Blocks {
		if b.Type == name {
			found = append(found, b)
		}
	}
	return found
}

// blockName renders a block's type and labels.
func blockName(b *hclsyntax.Block) string {
	name := b.Type
	for _, label := range b.Labels {
		name += ` "` + label + `"`
	}
	return name
}

// encode is the JSON of a value that is known.
func encode(value cty.Value) json.RawMessage {
	if value.IsNull() {
		return json.RawMessage("null")
	}
	raw, err := ctyjson.Marshal(value, value.Type())
	if err != nil {
		return json.RawMessage("null")
	}
	return raw
}

func marshal(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return raw
}
