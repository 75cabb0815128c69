package client

import (
	"context"
	"net/http"
	"net/url"

	v1 "github.com/apm-deploy/apm/api/v1"
)

// Targets returns all targets.
func (c *Client) Targets(ctx context.Context) (v1.TargetList, error) {
	var list v1.TargetList
	_, err := c.do(ctx, request{method: http.MethodGet, path: "/api/v1/targets"}, &list)
	return list, err
}

// target is the path of a target.
func target(application, environment string) string {
	return "/api/v1/targets/" + url.PathEscape(application) + "/" + url.PathEscape(environment)
}

// Target returns what runs of an application in an environment.
func (c *Client) Target(ctx context.Context, application, environment string) (v1.Target, error) {
	var t v1.Target
	_, err := c.do(ctx, request{method: http.MethodGet, path: target(application, environment)}, &t)
	return t, err
}

// Remove removes what runs on a target. For the key see Start.
func (c *Client) Remove(ctx context.Context, application, environment string, remove v1.RemoveRequest, key string) (v1.Deployment, error) {
	if key == "" {
		key = NewKey()
	}
	var d v1.Deployment
	_, err := c.do(ctx, request{method: http.MethodDelete, path: target(application, environment), body: remove, key: key}, &d)
	return d, err
}

// PlanRemove says what Remove would do.
func (c *Client) PlanRemove(ctx context.Context, application, environment string) (v1.Plan, error) {
	var p v1.Plan
	_, err := c.do(ctx, request{method: http.MethodDelete, path: target(application, environment), query: dryRun(), key: NewKey()}, &p)
	return p, err
}

// Applications returns what is known of applications.
func (c *Client) Applications(ctx context.Context) (v1.ApplicationList, error) {
	var list v1.ApplicationList
	_, err := c.do(ctx, request{method: http.MethodGet, path: "/api/v1/applications"}, &list)
	return list, err
}

// Plugins returns all platforms.
func (c *Client) Plugins(ctx context.Context) (v1.PluginList, error) {
	var list v1.PluginList
	_, err := c.do(ctx, request{method: http.MethodGet, path: "/api/v1/plugins"}, &list)
	return list, err
}

// Plugin returns a platform with its schemas.
func (c *Client) Plugin(ctx context.Context, platform string) (v1.Plugin, error) {
	var p v1.Plugin
	_, err := c.do(ctx, request{method: http.MethodGet, path: "/api/v1/plugins/" + url.PathEscape(platform)}, &p)
	return p, err
}

// RestartPlugin restarts the process of a platform, and returns at once: Plugin
// says how it is. It needs the role admin.
func (c *Client) RestartPlugin(ctx context.Context, platform string) (v1.Plugin, error) {
	var p v1.Plugin
	_, err := c.do(ctx, request{method: http.MethodPost, path: "/api/v1/plugins/" + url.PathEscape(platform) + "/restart", key: NewKey()}, &p)
	return p, err
}

// UpgradePlugin replaces the binary of a plugin that runs by the one that is
// pinned now, and returns when that has been ready for some seconds; the error
// says whether the old one stays. It needs the role admin.
func (c *Client) UpgradePlugin(ctx context.Context, plugin string) (v1.PluginUpgrade, error) {
	var u v1.PluginUpgrade
	_, err := c.do(ctx, request{method: http.MethodPost, path: "/api/v1/plugins/" + url.PathEscape(plugin) + "/upgrade"}, &u)
	return u, err
}

// Audit returns a page of the audit trail, newest first. It needs the role
// admin.
func (c *Client) Audit(ctx context.Context, cursor string, limit int) (v1.AuditList, error) {
	q := url.Values{}
	set(q, "cursor", cursor)
	setInt(q, "limit", limit)
	var list v1.AuditList
	_, err := c.do(ctx, request{method: http.MethodGet, path: "/api/v1/audit", query: q}, &list)
	return list, err
}

// Tokens returns all tokens. It needs the role admin.
func (c *Client) Tokens(ctx context.Context) (v1.TokenList, error) {
	var list v1.TokenList
	_, err := c.do(ctx, request{method: http.MethodGet, path: "/api/v1/tokens"}, &list)
	return list, err
}

// CreateToken makes a token and returns it with its secret. It needs the role
// admin.
func (c *Client) CreateToken(ctx context.Context, token v1.TokenRequest) (v1.NewToken, error) {
	var t v1.NewToken
	_, err := c.do(ctx, request{method: http.MethodPost, path: "/api/v1/tokens", body: token}, &t)
	return t, err
}

// RevokeToken ends a token at once. It needs the role admin.
func (c *Client) RevokeToken(ctx context.Context, id, reason string) (v1.Token, error) {
	q := url.Values{}
	set(q, "reason", reason)
	var t v1.Token
	_, err := c.do(ctx, request{method: http.MethodDelete, path: "/api/v1/tokens/" + url.PathEscape(id), query: q}, &t)
	return t, err
}

// Health returns the health of the host, also when it is bad.
func (c *Client) Health(ctx context.Context) (v1.Health, error) {
	var h v1.Health
	_, err := c.do(ctx, request{method: http.MethodGet, path: "/healthz"}, &h)
	return h, err
}
