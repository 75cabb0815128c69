package badinput_test

import (
	"net/http"
	"strings"
	"testing"
)

// queries asks for what there is not, with parameters that cannot be.
func queries(t *testing.T, w *world) {
	const deployments = "/api/v1/deployments"
	one := deployments + "/" + w.current
	get := func(path string) call { return call{http.MethodGet, path, "", nil} }
	for name, c := range map[string]struct {
		call
		status int
		told
	}{
		"unknown parameter":     {get(deployments + "?stat=failed"), 422, told{"query.stat", "unknown query parameter", "did you mean status?"}},
		"unknown, near none":    {get(deployments + "?colour=red"), 422, told{"query.colour", "unknown query parameter", "known are application"}},
		"unclosed parameter":    {get(deployments + "?a[="), 422, told{"query.a[", "unknown query parameter", "known are application"}},
		"unknown status":        {get(deployments + "?status=complete"), 422, told{"query.status", `there is no status "complete"`, "did you mean completed?"}},
		"one unknown of two":    {get(deployments + "?status=completed,done"), 422, told{"query.status", `there is no status "done"`, "known are pending, preparing"}},
		"bad cursor":            {get(deployments + "?cursor=nonsense"), 422, told{"query.cursor", "not a cursor of this list", "leave it out to begin with the first page"}},
		"cursor of another":     {get(deployments + "?cursor=MTIzNDU"), 422, told{"query.cursor", "not a cursor of this list", "leave it out to begin with the first page"}},
		"limit is a word":       {get(deployments + "?limit=many"), 422, told{"query.limit", "invalid integer", "write"}},
		"limit of nothing":      {get(deployments + "?limit=0"), 422, told{"query.limit", "expected number >= 1", "write a larger one"}},
		"limit too high":        {get(deployments + "?limit=201"), 422, told{"query.limit", "expected number <= 200", "write a smaller one"}},
		"limit beyond all":      {get(deployments + "?limit=99999999999999999999"), 422, told{"query.limit", "invalid integer", "write"}},
		"twice the same":        {get(deployments + "?limit=1&limit=2"), 422, told{"query.limit", "given 2 times", "keep one of them"}},
		"dry_run is a word":     {call{http.MethodPost, deployments + "?dry_run=perhaps", `{"name":"shop","version":"v1"}`, nil}, 422, told{"query.dry_run", "invalid boolean", "write"}},
		"after is a word":       {get(one + "/events?after=x"), 422, told{"query.after", "invalid integer", "write"}},
		"after is negative":     {get(one + "/events?after=-1"), 422, told{"query.after", "invalid", "write"}},
		"after beyond all":      {get(one + "/events?after=99999999999999999999"), 422, told{"query.after", "invalid integer", "write"}},
		"limit of events":       {get(one + "/events?limit=100000"), 422, told{"query.limit", "expected number <= ", "write a smaller one"}},
		"since is no time":      {get(one + "/logs?since=yesterday"), 422, told{"query.since", "invalid date/time", "write"}},
		"tail is negative":      {get(one + "/logs?tail=-5"), 422, told{"query.tail", "expected number >= ", "write a larger one"}},
		"unknown component":     {get(one + "/logs?component=wb"), 404, told{"wb", "no component", "GET /api/v1/deployments/" + w.current}},
		"unknown resource":      {get(one + "/logs?component=web&resource=nothing"), 404, told{"nothing", "no resource", "GET /api/v1/deployments/" + w.current}},
		"audit cursor":          {get("/api/v1/audit?cursor=x"), 422, told{"query.cursor", "not a cursor of this list", "leave it out to begin with the first page"}},
		"audit limit":           {get("/api/v1/audit?limit=-1"), 422, told{"query.limit", "expected number >= 1", "write a larger one"}},
		"control characters":    {get(deployments + "?application=%00"), 400, told{"", "the request target contains control characters", "leave them out"}},
		"escape sequence":       {get(deployments + "?application=%1b%5b31m"), 400, told{"", "the request target contains control characters", "leave them out"}},
		"no UTF-8":              {get(deployments + "?application=%ff%fe"), 400, told{"", "the request target is not UTF-8", "encode it as UTF-8"}},
		"control in the path":   {get(deployments + "/%0a"), 400, told{"", "the request target contains control characters", "leave them out"}},
		"unknown id":            {get(deployments + "/ffffffff-0000-4000-8000-000000000000"), 404, told{"ffffffff-0000-4000-8000-000000000000", "there is no deployment", "apm deploy list"}},
		"no id":                 {get(deployments + "/zzzz"), 404, told{"zzzz", "there is no deployment", "apm deploy list"}},
		"beginning too short":   {get(deployments + "/" + w.current[:3]), 422, told{"path.id", "too short", "give at least 4 characters"}},
		"id of 10 kB":           {get(deployments + "/" + strings.Repeat("f", 10_000)), 422, told{"path.id", "expected length <= 64", "shorten it"}},
		"id that is a path":     {get(deployments + "/..%2f..%2fetc%2fpasswd"), 404, told{"etc", "there is no deployment", "apm deploy list"}},
		"id as SQL":             {get(deployments + "/'%20OR%201=1--"), 404, told{"1=1--", "there is no deployment", "apm deploy list"}},
		"against an unknown":    {get(one + "/releases?against=ffffffff"), 404, told{"ffffffff", "there is no deployment", "apm deploy list"}},
		"unknown target":        {get("/api/v1/targets/shop/nowhere"), 404, told{"shop/nowhere", "there is no target", "GET /api/v1/targets lists them"}},
		"unknown platform":      {get("/api/v1/plugins/kubernetes"), 404, told{"kubernetes", "is not in config.hcl", "known platforms: process"}},
		"unknown path":          {get("/api/v1/deploymentz"), 404, told{"", "there is nothing at this path", "GET /docs lists what there is"}},
		"other version":         {get("/api/v2/deployments"), 404, told{"", "there is nothing at this path", "GET /docs lists what there is"}},
		"method":                {call{http.MethodPatch, one, `{}`, nil}, 405, told{"", "the path does not know this method", "it knows GET"}},
		"method of a list":      {call{http.MethodDelete, deployments, "", nil}, 405, told{"", "the path does not know this method", "it knows GET, POST"}},
		"method of a page":      {call{http.MethodPost, "/metrics", "", nil}, 405, told{"", "the path does not know this method", "it knows GET"}},
		"WebSocket without one": {get("/ws/deployments"), 426, told{"", "this path speaks WebSocket only", "connect with a WebSocket client"}},
	} {
		t.Run(name, func(t *testing.T) { w.answered(t, c.call, c.status, c.told) })
	}
}
