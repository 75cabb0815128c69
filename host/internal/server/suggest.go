package server

import (
	"errors"
	"net/http"
	"sort"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	v1 "github.com/apm-deploy/apm/api/v1"
)

// problemOfHuma translates what huma found wrong with a request, and adds to
// each unknown name the nearest that is known.
func problemOfHuma(ctx huma.Context, status int, message string, errs []error) *problem {
	if status >= http.StatusInternalServerError && len(errs) > 0 {
		return problemOf(errors.Join(errs...))
	}
	p := newProblem(status, message, "")
	for _, err := range errs {
		if err == nil {
			continue
		}
		item := v1.ProblemItem{Message: err.Error()}
		var detail *huma.ErrorDetail
		if errors.As(err, &detail) {
			item = v1.ProblemItem{Location: detail.Location, Message: detail.Message}
			if scalar(detail.Value) {
				item.Value = detail.Value
			}
		}
		if ctx != nil {
			mend(ctx.Operation(), &item)
		}
		p.Errors = append(p.Errors, item)
	}
	sort.SliceStable(p.Errors, func(i, j int) bool { return p.Errors[i].Location < p.Errors[j].Location })
	switch {
	case status == http.StatusUnsupportedMediaType:
		p.Detail, p.Remedy, p.Errors = "the body is not JSON by its Content-Type", `send "Content-Type: application/json"`, nil
	case status == http.StatusBadRequest && len(p.Errors) == 0:
		return noBody()
	case status == http.StatusBadRequest && len(p.Errors) > 0:
		p.Detail, p.Errors[0].Value = "the body is not JSON", nil
	case len(p.Errors) > 0:
		p.Detail = "the request is not valid: " + p.Errors[0].Location + ": " + p.Errors[0].Message
	}
	return p
}

// scalar says whether a value is short enough to be echoed.
func scalar(value any) bool {
	switch v := value.(type) {
	case string:
		return v != "" && len(v) <= 100
	case bool, float64, int, int64, uint64:
		return true
	default:
		return false
	}
}

// nameRemedy names what is known where something unknown was found.
func nameRemedy(op *huma.Operation, item v1.ProblemItem) string {
	var known []string
	at := strings.LastIndexByte(item.Location, '.')
	name := item.Location[at+1:]
	switch item.Message {
	case "unexpected property":
		if op.RequestBody == nil {
			return ""
		}
		known = knownProperties(op, item.Location)
	case "unknown query parameter":
		if name = strings.TrimPrefix(item.Location, "query."); name == "token" {
			return tokenHeader
		}
		for _, parameter := range op.Parameters {
			if parameter.In == "query" {
				known = append(known, parameter.Name)
			}
		}
	default:
		return ""
	}
	if best := nearest(name, known); best != "" {
		return "did you mean " + best + "?"
	}
	if len(known) == 0 {
		return "leave it out"
	}
	sort.Strings(known)
	return "known are " + strings.Join(known, ", ")
}

// registryKey is where an operation's metadata holds the registry of schemas.
const registryKey = "registry"

// knownProperties returns the names that the object around location may have.
func knownProperties(op *huma.Operation, location string) []string {
	registry, ok := op.Metadata[registryKey].(huma.Registry)
	if !ok {
		return nil
	}
	schema := op.RequestBody.Content["application/json"].Schema
	parts := strings.Split(location, ".")
	for _, part := range parts[1 : len(parts)-1] {
		schema = follow(registry, schema)
		if schema == nil {
			return nil
		}
		name, index, _ := strings.Cut(part, "[")
		schema = follow(registry, schema.Properties[name])
		if schema != nil && index != "" {
			schema = schema.Items
		}
	}
	schema = follow(registry, schema)
	if schema == nil {
		return nil
	}
	names := make([]string, 0, len(schema.Properties))
	for name := range schema.Properties {
		names = append(names, name)
	}
	return names
}

// follow resolves references.
func follow(registry huma.Registry, schema *huma.Schema) *huma.Schema {
	for schema != nil && schema.Ref != "" {
		schema = registry.SchemaFromRef(schema.Ref)
	}
	return schema
}

// nearest returns the known name that was most likely meant, "" if none is near.
func nearest(name string, known []string) string {
	best, distance := "", len(name)/3+2
	for _, candidate := range known {
		if len(name) >= 3 && strings.HasPrefix(candidate, strings.ToLower(name)+"_") {
			return candidate
		}
		d := editDistance(strings.ToLower(name), strings.ToLower(candidate))
		if d < distance || (d == distance && best != "" && candidate < best) {
			best, distance = candidate, d
		}
	}
	return best
}

// editDistance is the number of insertions, deletions and replacements between
// two words (Levenshtein). Words of any length cost no more than long names do.
func editDistance(a, b string) int {
	const longest = 64
	a, b = a[:min(len(a), longest)], b[:min(len(b), longest)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
