package server

import (
	"context"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"
)

// operation describes a route of the REST interface.
type operation struct {
	method, path string
	id, summary  string
	description  string
	tag          string
	status       int // default 200
	errors       []int
	responses    map[string]*huma.Response
}

// add registers a route with the rule that the table has for it.
func add[I, O any](s *Server, o operation, handler func(context.Context, *I) (*O, error)) {
	r, known := rules[o.method+" "+o.path]
	if !known {
		panic("no rule for " + o.method + " " + o.path)
	}
	op := huma.Operation{
		OperationID: o.id, Method: o.method, Path: o.path,
		Summary: o.summary, Description: describe(o.description, r), Tags: []string{o.tag},
		DefaultStatus: o.status, Responses: o.responses,
		MaxBodyBytes:                 maxBody + 1,
		RejectUnknownQueryParameters: true,
		Metadata:                     map[string]any{registryKey: s.api.OpenAPI().Components.Schemas},
		Middlewares:                  huma.Middlewares{s.enter(r)},
		Errors:                       append([]int{http.StatusBadRequest, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, o.errors...),
	}
	if !r.Open {
		op.Errors = append(op.Errors, http.StatusUnauthorized)
		op.Security = []map[string][]string{{"token": {}}}
		if !r.Token {
			op.Security = append(op.Security, map[string][]string{})
		}
	}
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err == nil {
			return out, nil
		}
		p := problemOf(err)
		if p.Status == http.StatusInternalServerError {
			s.log.ErrorContext(ctx, "request failed", "operation", o.id, "error", err)
		}
		if o.method == http.MethodGet {
			locateInQuery(p)
		}
		return nil, p
	})
}

// locateInQuery places what is wrong with a request that has no body.
func locateInQuery(p *problem) {
	for i := range p.Errors {
		if rest, ok := strings.CutPrefix(p.Errors[i].Location, "body."); ok {
			p.Errors[i].Location = "query." + rest
		}
	}
}

// describe adds to a description who may use it.
func describe(description string, r rule) string {
	switch {
	case r.Open:
		return description
	case r.Token:
		return description + "\n\nNeeds a token with the role " + string(r.Role) + "."
	default:
		return description + "\n\nNeeds the role " + string(r.Role) + "."
	}
}

// enter is what happens to a request before huma reads it.
func (s *Server) enter(r rule) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		c := humafiber.UnwrapV2(ctx)
		who, err := s.authorize(c, r)
		// As it was sent: guard let no compressed one through.
		if body := c.Request().Body(); err == nil && len(body) > 0 {
			switch {
			case ctx.Operation().RequestBody == nil:
				err = newProblem(http.StatusBadRequest, "this request takes no body", "leave it out")
			case !isJSON(c.Get(fiber.HeaderContentType)):
				err = newProblem(http.StatusUnsupportedMediaType, "the body is not JSON by its Content-Type", `send "Content-Type: application/json"`)
			default:
				if p := checkJSON(body); p != nil {
					err = p
				}
			}
		}
		if err != nil {
			if err := s.fail(c, err); err != nil {
				s.log.Error("answer not written", "error", err)
			}
			return
		}
		next(huma.WithValue(ctx, callerKey{}, who))
	}
}

// isJSON says whether a Content-Type is JSON; none at all is taken for it.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == "application/json"
}

// route registers a route that is no operation of the REST interface.
func (s *Server) route(path string, handlers ...func(*fiber.Ctx, caller) error) {
	r, known := rules[http.MethodGet+" "+path]
	if !known {
		panic("no rule for GET " + path)
	}
	for _, handler := range handlers {
		s.app.Add(http.MethodGet, path, func(c *fiber.Ctx) error {
			who, err := s.authorize(c, r)
			if err != nil {
				return err
			}
			return handler(c, who)
		})
	}
}

// unescape undoes the escaping of a path parameter.
func unescape(name, value string) (string, error) {
	text, err := url.PathUnescape(value)
	if err != nil || hasControl(text) {
		return "", newProblem(http.StatusUnprocessableEntity, "path."+name+" is not a valid name", "")
	}
	return text, nil
}
