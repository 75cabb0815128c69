package config

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/apm-deploy/apm/sdk/schema"
)

// fromJSON reads the JSON form of a block: attributes are members, a single
// block is an object, repeated ones an array, labelled ones an object by label.
// Members that g does not know become attributes, which the decoder refuses.
func fromJSON(g *schema.Block, raw json.RawMessage, at place, ps *problems) *body {
	b := &body{at: at}
	members, ok := jsonObject(raw, at, ps)
	if !ok {
		return b
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value, here := members[name], at.in(name)
		nested := nestedOf(g, name)
		switch {
		case nested == nil:
			b.attrs = append(b.attrs, &attribute{name: name, at: here, valueAt: here, literal: value})
		case isNull(value):
		case nested.Nesting == schema.Map:
			labelled, _ := jsonObject(value, here, ps)
			for _, label := range slices.Sorted(maps.Keys(labelled)) {
				under := here.in(label)
				b.blocks = append(b.blocks, &block{
					kind: name, labels: []string{label}, at: under, labelsAt: []place{under},
					body: fromJSON(&nested.Block, labelled[label], under, ps),
				})
			}
		case nested.Nesting == schema.List && firstByte(value) == '[':
			items, _ := jsonArray(value, here, ps)
			for i, item := range items {
				under := here.in(strconv.Itoa(i))
				b.blocks = append(b.blocks, &block{kind: name, at: under, body: fromJSON(&nested.Block, item, under, ps)})
			}
		default:
			b.blocks = append(b.blocks, &block{kind: name, at: here, body: fromJSON(&nested.Block, value, here, ps)})
		}
	}
	return b
}

// jsonObject reads an object; nothing at all is an empty one.
func jsonObject(raw json.RawMessage, at place, ps *problems) (map[string]json.RawMessage, bool) {
	if isNull(raw) {
		return nil, true
	}
	var members map[string]json.RawMessage
	if firstByte(raw) != '{' || json.Unmarshal(raw, &members) != nil {
		ps.add(at, "write { … }", "an object is needed, this is %s", jsonKind(raw))
		return nil, false
	}
	return members, true
}

func jsonArray(raw json.RawMessage, at place, ps *problems) ([]json.RawMessage, bool) {
	if isNull(raw) {
		return nil, true
	}
	var items []json.RawMessage
	if firstByte(raw) != '[' || json.Unmarshal(raw, &items) != nil {
		ps.add(at, "write [ … ]", "a list is needed, this is %s", jsonKind(raw))
		return nil, false
	}
	return items, true
}

func isNull(raw json.RawMessage) bool {
	trimmed := bytes.TrimSpace(raw)
	return len(trimmed) == 0 || string(trimmed) == "null"
}

func firstByte(raw json.RawMessage) byte {
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) == 0 {
		return 0
	}
	return trimmed[0]
}

func jsonKind(raw json.RawMessage) string {
	switch firstByte(raw) {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a text"
	case 't', 'f':
		return "true or false"
	default:
		return "a number"
	}
}

// mergeJSON lays over on top of base by the rules of merge. What cannot be read
// is taken as it is: the decoder names it.
func mergeJSON(g *schema.Block, base, over json.RawMessage) json.RawMessage {
	if isNull(over) {
		return base
	}
	var lower, upper map[string]json.RawMessage
	if isNull(base) || json.Unmarshal(base, &lower) != nil || json.Unmarshal(over, &upper) != nil {
		return over
	}
	for name, value := range upper {
		nested := nestedOf(g, name)
		switch {
		case nested == nil || nested.Nesting == schema.List:
			lower[name] = value
		case nested.Nesting == schema.Map:
			// One level of labels above the blocks.
			labels := schema.Block{}
			var present map[string]json.RawMessage
			_ = json.Unmarshal(value, &present)
			for label := range present {
				labels.Blocks = append(labels.Blocks, schema.NestedBlock{Name: label, Nesting: schema.Single, Block: nested.Block})
			}
			lower[name] = mergeJSON(&labels, lower[name], value)
		default:
			lower[name] = mergeJSON(&nested.Block, lower[name], value)
		}
	}
	merged, err := json.Marshal(lower)
	if err != nil {
		return over
	}
	return merged
}
