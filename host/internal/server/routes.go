package server

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"

	v1 "github.com/apm-deploy/apm/api/v1"
)

// register registers every route.
func (s *Server) register() {
	s.api = humafiber.NewV2(s.app, s.document())
	s.registerDeployments()
	s.registerHistory()
	s.registerRollback()
	s.registerTargets()
	s.registerPlugins()
	s.registerAccess()
	s.registerHealth()
	openAnswers(s.api.OpenAPI())
	s.registerDocs()
	s.route("/metrics", s.serveMetrics)
	s.route("/ws/deployments", s.serveSocket)
	s.route("/ws/logs", s.serveLogs)
}

// document begins the OpenAPI document; the operations add themselves.
func (s *Server) document() huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "APM",
				Version:     "1",
				Description: "Deployments followed live, judged and rolled back. Errors are RFC 9457 problem+json. The WebSocket at /ws/deployments carries the same events as GET /api/v1/deployments/{id}/events.",
				License:     &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token": {Type: "http", Scheme: "bearer", Description: "`apm token show` prints the one of the host's machine."},
				},
			},
			Tags: []*huma.Tag{
				{Name: "deployments", Description: "Start, follow, cancel and roll back."},
				{Name: "history", Description: "What happened, and what was deployed."},
				{Name: "targets", Description: "What runs where."},
				{Name: "platforms", Description: "Plugins and the applications known here."},
				{Name: "access", Description: "Tokens and the audit trail."},
				{Name: "host", Description: "The host itself."},
			},
		},
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
	}
}

// answer documents an answer that is not the operation's main one.
func answer[T any](s *Server, status int, description string) *huma.Response {
	schema := huma.SchemaFromType(s.api.OpenAPI().Components.Schemas, typeOf[T]())
	if description == "" {
		description = http.StatusText(status)
	}
	return &huma.Response{
		Description: description,
		Content:     map[string]*huma.MediaType{"application/json": {Schema: schema}},
	}
}

// registerHealth registers the host's own health.
func (s *Server) registerHealth() {
	add(s, operation{
		method: http.MethodGet, path: "/healthz", id: "health", tag: "host",
		summary:     "Health of the host",
		description: "Answers 503 with the same body while the store is gone.",
		responses: map[string]*huma.Response{
			"503": answer[v1.Health](s, http.StatusServiceUnavailable, "The store is gone."),
		},
	}, s.health)
}
