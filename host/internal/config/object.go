package config

import (
	"encoding/json"
	"fmt"
	"strconv"

	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/apm-deploy/apm/sdk/schema"
)

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
