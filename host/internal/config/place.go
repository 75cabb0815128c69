package config

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// source is a text that was read: a file, or its content as it was stored.
type source struct {
	path    string // absolute
	display string // as people know it
	content []byte
}

// dir is where relative paths of the file begin.
func (s *source) dir() string { return filepath.Dir(s.path) }

// line returns line n, counted from 1, without its end.
func (s *source) line(n int) string {
	lines := strings.Split(string(s.content), "\n")
	if n < 1 || n > len(lines) {
		return ""
	}
	return clip(strings.TrimRight(lines[n-1], "\r"), 200)
}

// place is where something was written: in a file, or in a request.
type place struct {
	src   *source // nil for a request
	start hcl.Pos
	field string // of a request: "configuration.port"
}

// in returns the place of the path inside of what stands at p. In a file only
// what was written has a place of its own, so that p itself is the answer.
func (p place) in(path ...string) place {
	if p.src == nil {
		for _, step := range path {
			p.field = joinField(p.field, step)
		}
	}
	return p
}

// joinField appends a step to a field: a name with a dot, an index in brackets.
func joinField(field, step string) string {
	if _, err := strconv.Atoi(step); err == nil && field != "" {
		return field + "[" + step + "]"
	}
	step = clip(step, 60)
	if field == "" {
		return step
	}
	return field + "." + step
}

// short renders the place inside of a sentence.
func (p place) short() string {
	if p.src == nil {
		return p.field
	}
	return p.src.display + ":" + strconv.Itoa(p.start.Line)
}

// problem makes a problem about what stands at p.
func (p place) problem(message, remedy string) deployment.Problem {
	if p.src == nil {
		return deployment.Problem{Field: p.field, Message: message, Remedy: remedy}
	}
	return deployment.Problem{
		Message: message, Remedy: remedy, File: p.src.display,
		Line: p.start.Line, Column: p.start.Column, Snippet: p.src.line(p.start.Line),
	}
}
