package server

import (
	"embed"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"path"
	"sync"

	"github.com/gofiber/fiber/v2"
)

// pages are the files of /docs. They load nothing from elsewhere.
//
//go:embed docs/index.html docs/docs.js docs/docs.css
var pages embed.FS

// registerDocs registers the OpenAPI document and the page that shows it.
func (s *Server) registerDocs() {
	asJSON := sync.OnceValues(func() ([]byte, error) { return json.Marshal(s.api.OpenAPI()) })
	asYAML := sync.OnceValues(s.OpenAPI)
	s.route("/openapi.json", func(c *fiber.Ctx, _ caller) error { return document(c, "application/openapi+json", asJSON) })
	s.route("/openapi.yaml", func(c *fiber.Ctx, _ caller) error { return document(c, "application/openapi+yaml", asYAML) })
	s.route("/docs", func(c *fiber.Ctx, _ caller) error { return page(c, "index.html") })
	s.route("/docs/*", func(c *fiber.Ctx, _ caller) error { return page(c, c.Params("*")) })
}

// OpenAPI returns the document of the REST interface as YAML.
func (s *Server) OpenAPI() ([]byte, error) {
	text, err := s.api.OpenAPI().YAML()
	if err != nil {
		return nil, fmt.Errorf("write openapi document: %w", err)
	}
	return text, nil
}

// document answers with the OpenAPI document.
func document(c *fiber.Ctx, contentType string, content func() ([]byte, error)) error {
	body, err := content()
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, contentType)
	return c.Send(body)
}

// page answers with one of the files.
func page(c *fiber.Ctx, name string) error {
	if name == "" {
		name = "index.html"
	}
	body, err := pages.ReadFile("docs/" + name)
	if err != nil {
		return fiber.NewError(http.StatusNotFound)
	}
	c.Set(fiber.HeaderContentType, mime.TypeByExtension(path.Ext(name)))
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	return c.Send(body)
}
