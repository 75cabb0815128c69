package deployment

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// leastSecret is how long a sensitive value is at least, in bytes, to be taken out
// of what others say: a shorter one is part of many words.
const leastSecret = 6

// anyStep stands in a path for any label or index.
const anyStep = "*"

// SensitiveValues returns the texts and numbers in a spec that stand at paths such
// as "env" or "port.*.token", or below them.
func SensitiveValues(spec json.RawMessage, paths []string) []string {
	if len(spec) == 0 || len(paths) == 0 {
		return nil
	}
	var value any
	decoder := json.NewDecoder(strings.NewReader(string(spec)))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return nil
	}
	var found []string
	for _, path := range paths {
		found = append(found, valuesAt(value, strings.Split(path, "."))...)
	}
	return found
}

// valuesAt returns the leaves below a path.
func valuesAt(value any, path []string) (found []string) {
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			if len(path) == 0 {
				found = append(found, valuesAt(value[key], nil)...)
			} else if path[0] == anyStep || path[0] == key {
				found = append(found, valuesAt(value[key], path[1:])...)
			}
		}
	case []any:
		for i, item := range value {
			if len(path) == 0 {
				found = append(found, valuesAt(item, nil)...)
			} else if path[0] == anyStep || path[0] == strconv.Itoa(i) {
				found = append(found, valuesAt(item, path[1:])...)
			}
		}
	case string:
		if len(path) == 0 {
			found = append(found, value)
		}
	case json.Number:
		if len(path) == 0 {
			found = append(found, value.String())
		}
	}
	return found
}

// Secrets returns those of sensitive values that can be taken out of what others
// say: not what is known anyhow, such as a version, nor what is too short to tell
// from a word.
func Secrets(values []string, known ...string) []string {
	var secrets []string
	for _, value := range values {
		value = strings.TrimSpace(value)
		if len(value) >= leastSecret && !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, value) }) {
			secrets = append(secrets, value)
		}
	}
	return secrets
}

// Hider returns a function that takes secrets out of a text, in each form in which
// it may hold them; nil where there is nothing to hide.
func Hider(secrets []string) func(string) string {
	distinct := map[string]bool{}
	for _, secret := range Secrets(secrets) {
		for _, form := range SecretForms(secret) {
			distinct[form] = true
		}
		for _, line := range strings.Split(secret, "\n") { // a log has one at a time
			if line = strings.TrimSpace(line); len(line) >= leastSecret {
				distinct[line] = true
			}
		}
	}
	forms := slices.Sorted(maps.Keys(distinct))
	if len(forms) == 0 {
		return nil
	}
	slices.SortStableFunc(forms, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		pairs = append(pairs, form, Hidden)
	}
	return strings.NewReplacer(pairs...).Replace
}
