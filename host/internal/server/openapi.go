package server

import "github.com/danielgtaylor/huma/v2"

// openAnswers lets the schemas of answers have more members than they name:
// version 1 may add some. What is in requests stays closed.
func openAnswers(spec *huma.OpenAPI) {
	registry := spec.Components.Schemas
	closed := map[*huma.Schema]bool{}
	for _, item := range spec.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Delete} {
			if op == nil || op.RequestBody == nil {
				continue
			}
			for _, media := range op.RequestBody.Content {
				reach(registry, media.Schema, closed)
			}
		}
	}
	for _, schema := range registry.Map() {
		if open, isBool := schema.AdditionalProperties.(bool); isBool && !open && !closed[schema] {
			schema.AdditionalProperties = nil
		}
	}
}

// reach adds the schemas that a schema refers to, itself first.
func reach(registry huma.Registry, schema *huma.Schema, seen map[*huma.Schema]bool) {
	schema = follow(registry, schema)
	if schema == nil || seen[schema] {
		return
	}
	seen[schema] = true
	reach(registry, schema.Items, seen)
	for _, property := range schema.Properties {
		reach(registry, property, seen)
	}
}
