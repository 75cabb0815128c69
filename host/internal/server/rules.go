package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// rule says who may use a route.
type rule struct {
	// Open: no authentication at all.
	Open bool
	// Role that is needed.
	Role deployment.Role
	// Token: the anonymous viewer is not enough.
	Token bool
}

// What a rule can be.
var (
	open     = rule{Open: true}
	viewer   = rule{Role: deployment.RoleViewer}
	reader   = rule{Role: deployment.RoleViewer, Token: true}
	deployer = rule{Role: deployment.RoleDeployer, Token: true}
	admin    = rule{Role: deployment.RoleAdmin, Token: true}
)

// rules is the one table of rights. A route that is not in it is not served.
var rules = map[string]rule{
	"GET /healthz":      open,
	"GET /docs":         open,
	"GET /docs/*":       open,
	"GET /openapi.json": open,
	"GET /openapi.yaml": open,
	"GET /metrics":      viewer,

	"GET /ws/deployments": viewer,
	"GET /ws/logs":        reader,

	"POST /api/v1/deployments":                         deployer,
	"GET /api/v1/deployments":                          viewer,
	"GET /api/v1/deployments/{id}":                     viewer,
	"GET /api/v1/deployments/{id}/events":              viewer,
	"GET /api/v1/deployments/{id}/timeline":            viewer,
	"GET /api/v1/deployments/{id}/runs":                viewer,
	"GET /api/v1/deployments/{id}/releases":            viewer,
	"GET /api/v1/deployments/{id}/snapshots":           viewer,
	"GET /api/v1/deployments/{id}/evidence":            reader,
	"GET /api/v1/deployments/{id}/logs":                reader,
	"GET /api/v1/deployments/{id}/rollback-candidates": viewer,
	"POST /api/v1/deployments/{id}/rollback":           deployer,
	"POST /api/v1/deployments/{id}/cancel":             deployer,

	"GET /api/v1/targets":                                viewer,
	"GET /api/v1/targets/{application}/{environment}":    viewer,
	"DELETE /api/v1/targets/{application}/{environment}": deployer,

	"GET /api/v1/applications":                viewer,
	"GET /api/v1/plugins":                     viewer,
	"GET /api/v1/plugins/{platform}":          viewer,
	"POST /api/v1/plugins/{platform}/restart": admin,
	"POST /api/v1/plugins/{platform}/upgrade": admin,

	"GET /api/v1/audit":          admin,
	"GET /api/v1/tokens":         admin,
	"POST /api/v1/tokens":        admin,
	"DELETE /api/v1/tokens/{id}": admin,
}

// caller is whose request it is.
type caller struct {
	Actor deployment.Actor
	// Principal is what an idempotency key is bound to.
	Principal string
	// Header is what was authenticated, to ask again while a WebSocket lasts.
	Header   string
	Loopback bool
}

// anonymous says that no token was sent.
func (c caller) anonymous() bool { return c.Actor.Kind == deployment.ActorAnonymous }

// callerKey is where the context of a request holds its caller.
type callerKey struct{}

// callerOf returns whose request ctx belongs to.
func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// authorize authenticates the request and holds it against the rule.
func (s *Server) authorize(c *fiber.Ctx, r rule) (caller, error) {
	if r.Open {
		return caller{}, nil
	}
	who := caller{Header: c.Get(fiber.HeaderAuthorization), Loopback: peerIsLoopback(c)}
	actor, err := s.parts.Authenticator.Authenticate(c.UserContext(), who.Header, who.Loopback)
	if err != nil {
		return caller{}, err
	}
	who.Actor = actor
	who.Principal = principal(who)
	return who, permit(r, actor)
}

// permit says whether the rule lets the actor through.
func permit(r rule, actor deployment.Actor) error {
	switch {
	case r.Token && actor.Kind == deployment.ActorAnonymous:
		return newProblem(http.StatusUnauthorized, fmt.Sprintf("this needs a token with the role %s", r.Role),
			`send "Authorization: Bearer TOKEN"; on the host's machine "apm token show" prints one`)
	case !actor.Role.Allows(r.Role):
		return newProblem(http.StatusForbidden,
			fmt.Sprintf("this needs the role %s; token %q has the role %s", r.Role, actor.Name, actor.Role),
			"ask an admin for a token: apm token create --role "+string(r.Role))
	default:
		return nil
	}
}

// principal is the public part of the token, which no two tokens share.
func principal(c caller) string {
	_, bearer, _ := strings.Cut(c.Header, " ")
	id, _, _ := strings.Cut(strings.TrimSpace(bearer), ".")
	if id == "" {
		return c.Actor.String()
	}
	return id
}

// peerIsLoopback says whether the connection comes from this machine itself: not
// through a proxy on it.
func peerIsLoopback(c *fiber.Ctx) bool {
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"} {
		if c.Get(name) != "" {
			return false
		}
	}
	return c.Context().RemoteIP().IsLoopback()
}
