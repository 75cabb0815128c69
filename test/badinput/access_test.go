package badinput_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// access comes without the right to: no token, a wrong one, one of another role,
// from a foreign page, by a foreign name.
func access(t *testing.T, w *world) {
	const (
		deployments = "/api/v1/deployments"
		none        = "Authorization:"
		start       = `{"name":"shop","version":"v1","environment":"test"}`
	)
	bearer := func(token string) string { return "Authorization: Bearer " + token }
	viewer, deployer := bearer(w.viewer), bearer(w.deployer)
	revoked := w.token("viewer")
	id, _, _ := strings.Cut(strings.TrimPrefix(revoked, "apm_"), ".")
	w.Must(0, "token", "revoke", id, "--yes")
	secretless, _, _ := strings.Cut(w.Token(), ".")
	get := func(path string, headers ...string) call { return call{http.MethodGet, path, "", headers} }
	post := func(path, body string, headers ...string) call { return call{http.MethodPost, path, body, headers} }
	for name, c := range map[string]struct {
		call
		status int
		told
	}{
		"start without token":      {post(deployments, start, none), 401, told{"", "this needs a token with the role deployer", `send "Authorization: Bearer TOKEN"`}},
		"body is judged later":     {post(deployments, "\x00", none), 401, told{"", "this needs a token with the role deployer", `send "Authorization: Bearer TOKEN"`}},
		"audit without token":      {get("/api/v1/audit", none), 401, told{"", "this needs a token with the role admin", `send "Authorization: Bearer TOKEN"`}},
		"logs without token":       {get(deployments+"/"+w.current+"/logs", none), 401, told{"", "this needs a token", "apm token show"}},
		"evidence without token":   {get(deployments+"/"+w.current+"/evidence", none), 401, told{"", "this needs a token", "apm token show"}},
		"through a proxy":          {get(deployments, none, "X-Forwarded-For: 203.0.113.7"), 401, told{"", "token", `"Authorization: Bearer TOKEN"`}},
		"unknown token":            {get(deployments, bearer("apm_000000000000.x")), 401, told{"", "the token is not known", "apm token"}},
		"wrong secret":             {get(deployments, bearer(secretless+"."+strings.Repeat("A", 43))), 401, told{"", "the token is not known", "apm token"}},
		"no secret":                {get(deployments, bearer(secretless)), 401, told{"", "of the form", "apm_ID.SECRET"}},
		"revoked token":            {get(deployments, bearer(revoked)), 401, told{"", "revoked", "apm token create"}},
		"no token at all":          {get(deployments, bearer("x")), 401, told{"", "of the form", "apm_ID.SECRET"}},
		"token of 8 kB":            {get(deployments, bearer("apm_"+strings.Repeat("x", 8_000))), 401, told{"", "of the form", "apm_ID.SECRET"}},
		"password":                 {get(deployments, "Authorization: Basic eDp5"), 401, told{"", "Authorization", "Bearer TOKEN"}},
		"token in the URL":         {get(deployments+"?token="+w.Token(), none), 422, told{"query.token", "unknown query parameter", `"Authorization: Bearer TOKEN"`}},
		"viewer starts":            {post(deployments, start, viewer), 403, told{"", `this needs the role deployer; token "viewer" has the role viewer`, "apm token create --role deployer"}},
		"viewer rolls back":        {post(deployments+"/"+w.current+"/rollback", `{}`, viewer), 403, told{"", "this needs the role deployer", "apm token create --role deployer"}},
		"viewer cancels":           {post(deployments+"/"+w.current+"/cancel", `{}`, viewer), 403, told{"", "this needs the role deployer", "apm token create --role deployer"}},
		"viewer removes":           {call{http.MethodDelete, "/api/v1/targets/shop/test", "", []string{viewer}}, 403, told{"", "this needs the role deployer", "apm token create --role deployer"}},
		"viewer plans":             {post(deployments+"?dry_run=true", start, viewer), 403, told{"", "this needs the role deployer", "apm token create --role deployer"}},
		"deployer makes a token":   {post("/api/v1/tokens", `{"name":"x","role":"admin"}`, deployer), 403, told{"", "this needs the role admin", "apm token create --role admin"}},
		"deployer revokes one":     {call{http.MethodDelete, "/api/v1/tokens/" + id, "", []string{deployer}}, 403, told{"", "this needs the role admin", "apm token create --role admin"}},
		"deployer reads the audit": {get("/api/v1/audit", deployer), 403, told{"", "this needs the role admin", "apm token create --role admin"}},
		"deployer restarts":        {post("/api/v1/plugins/process/restart", "", deployer), 403, told{"", "this needs the role admin", "apm token create --role admin"}},
		"foreign host":             {get(deployments, "Host: evil.example"), 403, told{"", "the Host header does not name this host", "use one of server.allowed_hosts: localhost, 127.0.0.1, [::1]"}},
		"a host that begins alike": {get(deployments, "Host: localhost.evil.example"), 403, told{"", "the Host header", "server.allowed_hosts"}},
		"forwarded host":           {get(deployments, "Host: evil.example", "X-Forwarded-Host: localhost"), 403, told{"", "the Host header", "server.allowed_hosts"}},
		"foreign host, healthz":    {get("/healthz", "Host: evil.example"), 403, told{"", "the Host header", "server.allowed_hosts"}},
		"foreign origin":           {get(deployments, "Origin: http://evil.example"), 403, told{"", "the Origin is not allowed", "add it to server.allowed_origins in config.hcl"}},
		"foreign origin, metrics":  {get("/metrics", "Origin: http://evil.example"), 403, told{"", "the Origin is not allowed", "server.allowed_origins"}},
		"null origin":              {get(deployments, "Origin: null"), 403, told{"", "the Origin is not allowed", "server.allowed_origins"}},
		"origin of another port":   {get(deployments, fmt.Sprintf("Origin: http://localhost:%d", w.Port+1)), 403, told{"", "the Origin is not allowed", "server.allowed_origins"}},
		"origin of https":          {get(deployments, fmt.Sprintf("Origin: https://localhost:%d", w.Port)), 403, told{"", "the Origin is not allowed", "server.allowed_origins"}},
		"a page that starts":       {post(deployments, start, "Origin: http://evil.example"), 403, told{"", "the Origin is not allowed", "server.allowed_origins"}},
	} {
		t.Run(name, func(t *testing.T) {
			w.answered(t, c.call, c.status, c.told)
			a := w.REST(c.method, c.path, c.body, c.headers...)
			if challenge := a.Header.Get("WWW-Authenticate"); (challenge != "") != (c.status == http.StatusUnauthorized) {
				t.Errorf("status %d with WWW-Authenticate %q", a.Status, challenge)
			}
			if strings.Contains(a.Body, w.Token()) || strings.Contains(a.Body, revoked) {
				t.Errorf("the answer holds a token: %s", a.Body)
			}
		})
	}
}
