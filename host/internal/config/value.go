package config

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/apm-deploy/apm/sdk/schema"
)

// value is an evaluated attribute: null where it was not given and has no
// default.
type value struct {
	cty.Value
	kind  cty.Type
	at    place      // of the value, or of the block that lacks it
	attr  *attribute // nil where not given
	given bool
	bad   bool // reported already
}

// attribute evaluates the attribute that s describes.
func (d decoder) attribute(s *schema.Attribute, b *body) value {
	v := value{at: b.at.in(s.Name)}
	kind, defaults, err := typeOf(s.Type)
	if err != nil {
		d.ps.add(v.at, "tell the author of the plugin", "the schema of %q cannot be read: %v", s.Name, err)
		v.bad, v.Value = true, cty.NullVal(cty.DynamicPseudoType)
		return v
	}
	v.kind, v.Value = kind, cty.NullVal(kind)
	if a := b.attr(s.Name); a != nil {
		v.attr, v.at = a, a.valueAt
		got, ok := d.given(s, a, kind, defaults)
		if !ok {
			v.bad = true
			return v
		}
		if !got.IsNull() {
			v.Value, v.given = got, true
			if s.Deprecated {
				d.ps.warn(a.at, lowerFirst(s.Description), "%q is deprecated", s.Name)
			}
			return v
		}
	}
	switch {
	case s.Required && v.attr == nil:
		d.ps.add(v.at, needed(s, b.at), "missing %q", s.Name)
		v.bad, d.ps.lacks = true, true
	case s.Required:
		d.ps.add(v.at, needed(s, v.at), "%q must not be null", s.Name)
		v.bad = true
	case s.Default != "":
		def, err := ctyjson.Unmarshal([]byte(s.Default), kind)
		if err != nil {
			d.ps.add(v.at, "tell the author of the plugin", "the default of %q cannot be read: %v", s.Name, err)
			v.bad = true
			return v
		}
		if s.Path && b.at.src != nil {
			def = mapTexts(def, nil, func(text string, _ []string) string { return d.path(text, b.at) })
		}
		v.Value = def
	}
	return v
}

// needed is the remedy for a required attribute.
func needed(s *schema.Attribute, at place) string {
	remedy := "add it"
	if at.src != nil {
		remedy = fmt.Sprintf("add %s = …", s.Name)
	}
	if s.Description != "" {
		sentence, _, _ := strings.Cut(s.Description, ". ")
		remedy += ": " + lowerFirst(strings.TrimSuffix(sentence, "."))
	}
	return remedy
}

// given evaluates what was written and brings it to the type.
func (d decoder) given(s *schema.Attribute, a *attribute, kind cty.Type, defaults *typeexpr.Defaults) (cty.Value, bool) {
	var got cty.Value
	if a.expr != nil {
		var ok bool
		if got, ok = d.scope.eval(a); !ok {
			return got, false
		}
	} else {
		implied, err := ctyjson.ImpliedType(a.literal)
		if err == nil {
			got, err = ctyjson.Unmarshal(a.literal, implied)
		}
		if err != nil {
			d.ps.add(a.valueAt, "", "%q cannot be read as JSON", s.Name)
			return got, false
		}
	}
	got, _ = got.UnmarkDeep()
	if !got.IsWhollyKnown() {
		d.ps.add(a.valueAt, "", "the value of %q is not known", s.Name)
		return got, false
	}
	if defaults != nil && !got.IsNull() {
		got = defaults.Apply(got)
	}
	converted, err := convert.Convert(got, kind)
	if err != nil {
		path, err := blame(got, kind, err)
		d.ps.add(a.in(path), "its type is "+s.Type, "wrong type for %q: %v", s.Name, err)
		return got, false
	}
	if s.Path {
		before := d.ps.count()
		converted = mapTexts(converted, nil, func(text string, path []string) string { return d.path(text, a.in(path)) })
		return converted, d.ps.count() == before
	}
	return converted, true
}

// blame finds the part of v that cannot have its type: of a list or a map the
// first element that cannot.
func blame(v cty.Value, kind cty.Type, err error) ([]string, error) {
	if v.IsNull() || !v.CanIterateElements() || !kind.IsCollectionType() || (kind.IsMapType() != (v.Type().IsObjectType() || v.Type().IsMapType())) {
		return nil, err
	}
	for it := v.ElementIterator(); it.Next(); {
		key, element := it.Element()
		if _, err := convert.Convert(element, kind.ElementType()); err != nil {
			rest, err := blame(element, kind.ElementType(), err)
			return append(steps(cty.Path{cty.IndexStep{Key: key}}), rest...), err
		}
	}
	return nil, err
}

// path makes a path absolute: relative to the file that it stands in. Over REST
// there is no such file.
func (d decoder) path(text string, at place) string {
	switch {
	case text == "" || filepath.IsAbs(text):
		return text
	case at.src == nil:
		d.ps.add(at, "write an absolute path, or put it into an application file", "relative path %s: a request has no directory that it could begin in", quote(text))
		return text
	default:
		if _, err := expandHome(text); err != nil {
			d.ps.add(at, "set HOME, or write an absolute path", "%v", err)
		}
		return absolute(at.src.dir(), text)
	}
}

// mapTexts replaces every text in v.
func mapTexts(v cty.Value, at []string, replace func(text string, path []string) string) cty.Value {
	out, err := cty.Transform(v, func(path cty.Path, one cty.Value) (cty.Value, error) {
		if one.IsNull() || one.Type() != cty.String {
			return one, nil
		}
		return cty.StringVal(replace(one.AsString(), append(at, steps(path)...))), nil
	})
	if err != nil {
		return v
	}
	return out
}

// in returns the place of a part of the value.
func (a *attribute) in(path []string) place {
	if a.expr == nil {
		return a.valueAt.in(path...)
	}
	at, expr := a.valueAt, hclsyntax.Expression(a.expr)
	for _, step := range path {
		expr = partOf(expr, step)
		if expr == nil {
			break
		}
		at.start = expr.Range().Start
	}
	return at
}

func partOf(expr hclsyntax.Expression, step string) hclsyntax.Expression {
	switch e := expr.(type) {
	case *hclsyntax.TupleConsExpr:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(e.Exprs) {
			return e.Exprs[i]
		}
	case *hclsyntax.ObjectConsExpr:
		for _, item := range e.Items {
			key, diags := item.KeyExpr.Value(nil)
			if !diags.HasErrors() && key.Type() == cty.String && key.IsKnown() && !key.IsNull() && key.AsString() == step {
				return item.ValueExpr
			}
		}
	}
	return nil
}

func steps(path cty.Path) []string {
	var out []string
	for _, step := range path {
		switch s := step.(type) {
		case cty.GetAttrStep:
			out = append(out, s.Name)
		case cty.IndexStep:
			switch s.Key.Type() {
			case cty.String:
				out = append(out, s.Key.AsString())
			case cty.Number:
				out = append(out, s.Key.AsBigFloat().Text('f', -1))
			}
		}
	}
	return out
}

// typeOf reads a type expression.
func typeOf(text string) (cty.Type, *typeexpr.Defaults, error) {
	expr, diags := hclsyntax.ParseExpression([]byte(text), "type", hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilType, nil, diags
	}
	kind, defaults, diags := typeexpr.TypeConstraintWithDefaults(expr)
	if diags.HasErrors() {
		return cty.NilType, nil, diags
	}
	return kind, defaults, nil
}

// json renders the object as the plugin sees it: every attribute is there, null
// where it has no value; a single block that is absent is null.
func (o *object) json() (json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	for name, v := range o.attrs {
		raw, err := ctyjson.Marshal(v.Value, v.kind)
		if err != nil {
			return nil, fmt.Errorf("encode %q: %w", name, err)
		}
		members[name] = raw
	}
	for _, nested := range o.g.Blocks {
		raw, err := blocksJSON(nested.Nesting, o.blocks[nested.Name])
		if err != nil {
			return nil, err
		}
		members[nested.Name] = raw
	}
	return json.Marshal(members)
}

func blocksJSON(nesting schema.Nesting, children []child) (json.RawMessage, error) {
	list, labelled := []json.RawMessage{}, map[string]json.RawMessage{}
	for _, c := range children {
		raw, err := c.json()
		if err != nil {
			return nil, err
		}
		list = append(list, raw)
		labelled[c.label] = raw
	}
	switch {
	case nesting == schema.Map:
		return json.Marshal(labelled)
	case nesting == schema.List:
		return json.Marshal(list)
	case len(list) > 0:
		return list[0], nil
	default:
		return json.RawMessage("null"), nil
	}
}

// locate returns the place of the value at path, as deep as it was written.
func (o *object) locate(path []string) place {
	if len(path) == 0 {
		return o.at
	}
	if v, ok := o.attrs[path[0]]; ok {
		if v.attr != nil {
			return v.attr.in(path[1:])
		}
		return o.at.in(path...)
	}
	nested := nestedOf(o.g, path[0])
	if nested == nil {
		return o.at.in(path...)
	}
	children := o.blocks[path[0]]
	if nested.Nesting == schema.Single && len(children) > 0 {
		return children[0].locate(path[1:])
	}
	if len(path) > 1 {
		for i, c := range children {
			if (nested.Nesting == schema.Map && c.label == path[1]) || (nested.Nesting == schema.List && strconv.Itoa(i) == path[1]) {
				return c.locate(path[2:])
			}
		}
	}
	if len(children) > 0 && o.at.src != nil {
		return children[0].at
	}
	return o.at.in(path...)
}
