package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2/ext/typeexpr"
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
			d.ps.add(a.valueAt, "write a JSON value", "%q cannot be read as JSON", s.Name)
			return got, false
		}
	}
	got, marks := got.UnmarkDeepWithPaths()
	if len(marks) > 0 && d.guarded && !s.Sensitive {
		d.ps.add(a.in(steps(marks[0].Path)), d.secretKeys(), "%q would show the value of env()", s.Name)
		return got, false
	}
	if !got.IsWhollyKnown() {
		d.ps.add(a.valueAt, "write the value itself", "the value of %q is not known", s.Name)
		return got, false
	}
	if s.Sensitive {
		d.ps.secretsIn(got)
	}
	if path, huge := hugeNumber(got); huge {
		d.ps.add(a.in(path), "write a smaller one", "%q holds a number out of all range", s.Name)
		return got, false
	}
	if defaults != nil && !got.IsNull() {
		got = defaults.Apply(got)
	}
	converted, err := convert.Convert(got, kind)
	if path, huge := hugeNumber(converted); err == nil && huge {
		d.ps.add(a.in(path), "write a smaller one", "%q holds a number out of all range", s.Name)
		return got, false
	}
	if err != nil {
		path, err := blame(got, kind, err)
		d.ps.add(a.in(path), formOf(s.Type), "wrong type for %q: %v", s.Name, err)
		return got, false
	}
	if s.Path {
		before := d.ps.count()
		converted = mapTexts(converted, nil, func(text string, path []string) string { return d.path(text, a.in(path)) })
		return converted, d.ps.count() == before
	}
	return converted, true
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

// secretKeys is the remedy for a secret where all can see it.
func (d decoder) secretKeys() string {
	remedy := "it stands in plans and in what is told of a release: write the value itself if it is no secret"
	if len(d.secret) > 0 {
		remedy += "; if it is one, put it into " + strings.Join(d.secret, " or ") + ", which is kept sealed"
	}
	return remedy
}

// sensitiveKeys returns the keys of a schema that are kept sealed.
func sensitiveKeys(prefix string, g *schema.Block) []string {
	var keys []string
	for _, a := range g.Attributes {
		if a.Sensitive {
			keys = append(keys, prefix+a.Name)
		}
	}
	for i := range g.Blocks {
		keys = append(keys, sensitiveKeys(prefix+g.Blocks[i].Name+".", &g.Blocks[i].Block)...)
	}
	return keys
}
