package config

import (
	"encoding/json"
)

// inherit lays the request on top of the one that the application was born from.
// What belongs to another plugin's spec is left behind.
func (w *work) inherit() error {
	old := w.last.Source.Request
	if w.req.Platform == "" {
		w.req.Platform = old.Platform
	}
	if w.req.Environment == "" {
		w.req.Environment = w.last.Environment
	}
	before, _ := w.config.Platform(old.Platform)
	name := w.req.Platform
	if name == "" {
		name = w.config.DefaultPlatform
	}
	now, ok := w.config.Platform(name)
	if name != "" && !ok {
		w.checkPlatform(field("platform"), name)
		return w.ps.err("the platform of the last deployment is not configured any more", "name another one")
	}
	w.req.HealthChecks = mergeHealthChecks(old.HealthChecks, w.req.HealthChecks)
	w.req.Policy = mergeJSON(&policyGrammar, old.Policy, w.req.Policy)
	if !ok || before.Plugin != now.Plugin {
		return nil
	}
	s, err := w.schema(now.Name)
	if err != nil {
		return err
	}
	w.req.Configuration = mergeJSON(&s.Block, old.Configuration, w.req.Configuration)
	return nil
}

// mergeHealthChecks lays checks on top of others: one of the same name and
// component replaces, others are added.
func mergeHealthChecks(base, over json.RawMessage) json.RawMessage {
	if isNull(over) {
		return base
	}
	var lower, upper []map[string]json.RawMessage
	if isNull(base) || json.Unmarshal(base, &lower) != nil || json.Unmarshal(over, &upper) != nil {
		return over
	}
	key := func(c map[string]json.RawMessage) string { return string(c["name"]) + string(c["component"]) }
	replaced := map[string]bool{}
	for _, c := range upper {
		replaced[key(c)] = true
	}
	merged := []map[string]json.RawMessage{}
	for _, c := range lower {
		if !replaced[key(c)] {
			merged = append(merged, c)
		}
	}
	raw, err := json.Marshal(append(merged, upper...))
	if err != nil {
		return over
	}
	return raw
}
