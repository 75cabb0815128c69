package server

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Routes returns "METHOD /path" of every route that is served, with parameters
// in braces.
func (s *Server) Routes() []string {
	var routes []string
	for _, stack := range s.app.Stack() {
		for _, route := range stack {
			if route.Path != "/" {
				routes = append(routes, route.Method+" "+braced(route.Path))
			}
		}
	}
	return routes
}

// Rules returns the table of rights: "METHOD /path" → role, "open" for none, and
// whether a token is needed.
func Rules() map[string]string {
	table := map[string]string{}
	for route, r := range rules {
		switch {
		case r.Open:
			table[route] = "open"
		case r.Token:
			table[route] = string(r.Role) + " with a token"
		default:
			table[route] = string(r.Role)
		}
	}
	return table
}

// Registry returns what /metrics shows.
func (s *Server) Registry() *prometheus.Registry { return s.metrics.registry }

// DiffViews lays the diff of views open.
func DiffViews(from, to map[string]string) string { return diffViews("a", "b", from, to) }

// braced writes parameters as the table of rights does.
func braced(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

// EnterAll lets so many clients past the first look at once, and returns how many
// of them may stay.
func EnterAll(limit, clients int) (stay int) {
	s := newSockets(limit)
	for range clients {
		if s.enter(&session{}, func(error) {}) == nil {
			stay++
		}
	}
	return stay
}
