package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Redacted stands where something sensitive was.
const Redacted = "[redacted]"

// Redact returns the value with everything sensitive replaced by [Redacted], and
// with it what the schema does not know. Null stays null, an empty value empty.
func (s Schema) Redact(value []byte) ([]byte, error) {
	if len(bytes.TrimSpace(value)) == 0 {
		return value, nil
	}
	redacted, err := redactBlock(s.Block, value)
	if err != nil {
		return nil, fmt.Errorf("redact value: %w", err)
	}
	return redacted, nil
}

var redactedJSON = json.RawMessage(`"` + Redacted + `"`)

func isNull(value []byte) bool { return string(bytes.TrimSpace(value)) == "null" }

func redactBlock(b Block, value []byte) (json.RawMessage, error) {
	if isNull(value) {
		return value, nil
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(value, &given); err != nil {
		return nil, err
	}
	shown := make(map[string]json.RawMessage, len(given))
	for name := range given {
		shown[name] = redactedJSON
	}
	for _, a := range b.Attributes {
		if part, ok := given[a.Name]; ok && (!a.Sensitive || isNull(part)) {
			shown[a.Name] = part
		}
	}
	for _, n := range b.Blocks {
		part, ok := given[n.Name]
		if !ok {
			continue
		}
		redacted, err := redactNested(n, part)
		if err != nil {
			return nil, fmt.Errorf("block %q: %w", n.Name, err)
		}
		shown[n.Name] = redacted
	}
	return json.Marshal(shown)
}

func redactNested(n NestedBlock, value []byte) (json.RawMessage, error) {
	if isNull(value) {
		return value, nil
	}
	switch n.Nesting {
	case List:
		var items []json.RawMessage
		if err := json.Unmarshal(value, &items); err != nil {
			return nil, err
		}
		for i := range items {
			redacted, err := redactBlock(n.Block, items[i])
			if err != nil {
				return nil, err
			}
			items[i] = redacted
		}
		return json.Marshal(items)
	case Map:
		var items map[string]json.RawMessage
		if err := json.Unmarshal(value, &items); err != nil {
			return nil, err
		}
		for label := range items {
			redacted, err := redactBlock(n.Block, items[label])
			if err != nil {
				return nil, err
			}
			items[label] = redacted
		}
		return json.Marshal(items)
	default:
		return redactBlock(n.Block, value)
	}
}
