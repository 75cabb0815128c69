package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk/schema"
)

// ReadConfiguration reads a file that overrides the spec of a request: JSON when
// its name ends in .json, HCL otherwise. It needs no schema: a labelled block
// becomes an object by its label, a repeated one a list. Paths in it are still
// as they were written, see [AbsolutePaths].
func ReadConfiguration(path string) (json.RawMessage, error) {
	ps := &problems{}
	message := path + " is not valid"
	src, err := readSource(path, path)
	if err != nil {
		return nil, &deployment.Error{
			Code: deployment.Invalid, Message: fmt.Sprintf("%s cannot be read", path), Err: err,
			Problems: []deployment.Problem{{File: path, Message: reasonOf(err)}},
		}
	}
	if strings.EqualFold(filepath.Ext(path), ".json") {
		raw := json.RawMessage(bytes.TrimSpace(src.content))
		var members map[string]json.RawMessage
		switch err := json.Unmarshal(raw, &members); {
		case len(raw) > 0 && raw[0] != '{':
			ps.list = append(ps.list, deployment.Problem{File: path, Message: "an object is needed, this is " + jsonKind(raw)})
		case err != nil:
			ps.list = append(ps.list, deployment.Problem{File: path, Message: "it is no JSON: " + err.Error()})
		}
		return raw, ps.err(message, "")
	}
	root := parse(src, ps)
	var members map[string]json.RawMessage
	if !ps.failed() {
		members = plain(root, scope{ps: ps})
	}
	if err := ps.err(message, ""); err != nil {
		return nil, err
	}
	return json.Marshal(members)
}

// plain evaluates a body without a schema.
func plain(b *body, s scope) map[string]json.RawMessage {
	members := map[string]json.RawMessage{}
	for _, a := range b.attrs {
		v, ok := s.eval(a)
		if !ok {
			continue
		}
		v, _ = v.UnmarkDeep()
		if path, huge := hugeNumber(v); huge {
			s.ps.add(a.in(path), "write a smaller one", "%q holds a number out of all range", a.name)
			continue
		}
		raw, err := ctyjson.Marshal(v, v.Type())
		if err != nil {
			s.ps.add(a.valueAt, "", "the value of %q cannot be sent", a.name)
			continue
		}
		members[a.name] = raw
	}
	for _, one := range b.blocks {
		raw, err := json.Marshal(plain(one.body, s))
		if err != nil {
			s.ps.add(one.at, "", "block %q cannot be sent", one.kind)
			continue
		}
		s.place(members, b, one, raw)
	}
	return members
}

// place puts a block among the members of its parent.
func (s scope) place(members map[string]json.RawMessage, parent *body, one *block, raw json.RawMessage) {
	all := parent.of(one.kind)
	switch {
	case parent.attr(one.kind) != nil:
		s.ps.add(one.at, "", "%q stands here as an attribute too", one.kind)
	case len(one.labels) > 1 || len(one.labels) != len(all[0].labels):
		s.ps.add(one.at, "", "blocks %q have one name each, or none", one.kind)
	case len(one.labels) == 1:
		labelled := map[string]json.RawMessage{}
		if present, ok := members[one.kind]; ok {
			_ = json.Unmarshal(present, &labelled) // written below
		}
		if _, twice := labelled[one.labels[0]]; twice {
			s.ps.add(one.at, "", "%s stands twice", blockName(one))
		}
		labelled[one.labels[0]] = raw
		members[one.kind], _ = json.Marshal(labelled)
	case len(all) == 1:
		members[one.kind] = raw
	default:
		var list []json.RawMessage
		if present, ok := members[one.kind]; ok {
			_ = json.Unmarshal(present, &list) // written below
		}
		members[one.kind], _ = json.Marshal(append(list, raw))
	}
}

// AbsolutePaths makes the paths that the schema names absolute, relative to dir:
// a host refuses relative ones in a request. What does not fit the schema stays
// as it is, for the host to name.
func AbsolutePaths(s schema.Schema, dir string, configuration json.RawMessage) json.RawMessage {
	return absoluteBlock(&s.Block, dir, configuration)
}

func absoluteBlock(g *schema.Block, dir string, raw json.RawMessage) json.RawMessage {
	return eachMember(raw, func(name string, value json.RawMessage) json.RawMessage {
		if a := attributeOf(g, name); a != nil && a.Path {
			return absoluteValue(dir, value)
		}
		nested := nestedOf(g, name)
		if nested == nil {
			return value
		}
		inner := func(_ string, one json.RawMessage) json.RawMessage { return absoluteBlock(&nested.Block, dir, one) }
		if nested.Nesting == schema.Map || firstByte(value) == '[' {
			return eachMember(value, inner)
		}
		return inner("", value)
	})
}

// absoluteValue makes every text in a value absolute.
func absoluteValue(dir string, raw json.RawMessage) json.RawMessage {
	var text string
	if firstByte(raw) != '"' || json.Unmarshal(raw, &text) != nil || text == "" {
		return eachMember(raw, func(_ string, one json.RawMessage) json.RawMessage { return absoluteValue(dir, one) })
	}
	encoded, err := json.Marshal(absolute(dir, text))
	if err != nil {
		return raw
	}
	return encoded
}

// eachMember replaces the members of an object or a list; anything else is left
// as it is.
func eachMember(raw json.RawMessage, replace func(name string, value json.RawMessage) json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	var items []json.RawMessage
	var changed any
	switch {
	case firstByte(raw) == '{' && json.Unmarshal(raw, &members) == nil:
		for name, value := range members {
			members[name] = replace(name, value)
		}
		changed = members
	case firstByte(raw) == '[' && json.Unmarshal(raw, &items) == nil:
		for i, value := range items {
			items[i] = replace("", value)
		}
		changed = items
	default:
		return raw
	}
	encoded, err := json.Marshal(changed)
	if err != nil {
		return raw
	}
	return encoded
}
