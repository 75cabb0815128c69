package server_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	d := h.accept("v1")
	const deployments = "/api/v1/deployments"
	start := func(body string) call {
		return call{method: http.MethodPost, path: deployments, token: h.deployer, body: body}
	}
	deep := `{"name":"a","version":"1","configuration":` + strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 101)
	tests := map[string]struct {
		call   call
		status int
		says   []string // in the body
	}{
		"unknown field":            {start(`{"name":"a","version":"1","environmnt":"x"}`), 422, []string{`"location":"body.environmnt"`, "did you mean environment?"}},
		"unknown field in planned": {start(`{"name":"a","version":"1","planned":{"components":[{"component":"web","observed_digest":"d","release":"x"}]}}`), 422, []string{`"location":"body.planned.components[0].release"`, "did you mean release_digest?"}},
		"other case":               {start(`{"Name":"a","version":"1"}`), 422, []string{`"location":"body.Name"`, "did you mean name?"}},
		"wrong type":               {start(`{"name":1,"version":"1"}`), 422, []string{`"location":"body.name"`, "expected string", "put it in quotes"}},
		"missing field":            {start(`{"name":"a"}`), 422, []string{`"location":"body.version"`, "missing", "add it"}},
		"twice the same field":     {start(`{"name":"a","name":"b","version":"1"}`), 422, []string{`"location":"body.name"`, "twice"}},
		"deep JSON":                {start(deep), 422, []string{"nested deeper than 64"}},
		"not UTF-8":                {start("{\"name\":\"a\xff\",\"version\":\"1\"}"), 400, []string{`"location":"body"`, "at byte 10: not UTF-8"}},
		"half a surrogate pair":    {start(`{"name":"a\ud800","version":"1"}`), 422, []string{`"location":"body.name"`, "half of a pair of surrogates"}},
		"control in a member":      {start(`{"na\u001bme":"a","version":"1"}`), 422, []string{`"location":"body.na\\u001bme"`, "control characters"}},
		"number out of range":      {start(`{"name":"a","version":"1","configuration":{"n":1e999999999}}`), 422, []string{`"location":"body.configuration.n"`, "out of all range", "smaller"}},
		"NUL":                      {start(`{"name":"a\u0000","version":"1"}`), 422, []string{`"location":"body.name"`, "NUL"}},
		"no JSON":                  {start(`{"name":`), 400, []string{"not JSON", "ends too early"}},
		"text after JSON":          {start(`{"name":"a","version":"1"} x`), 400, []string{"not JSON"}},
		"an array":                 {start(`[]`), 422, []string{"expected object"}},
		"null":                     {start(`null`), 422, []string{"expected object"}},
		"no body":                  {start(""), 400, []string{`"location":"body"`, "the body is missing", "send a JSON object"}},
		"form":                     {call{method: "POST", path: deployments, token: h.deployer, body: "name=a", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 415, []string{"Content-Type: application/json"}},
		"compressed":               {call{method: "POST", path: deployments, token: h.deployer, body: "{}", header: map[string]string{"Content-Encoding": "gzip"}}, 415, []string{"compressed"}},
		"key with a space":         {call{method: "POST", path: deployments, token: h.deployer, body: `{"name":"a","version":"1"}`, header: map[string]string{"Idempotency-Key": "a b"}}, 422, []string{`"location":"header.Idempotency-Key"`}},
		"key too long":             {call{method: "POST", path: deployments, token: h.deployer, body: `{"name":"a","version":"1"}`, header: map[string]string{"Idempotency-Key": strings.Repeat("k", 256)}}, 422, []string{`"location":"header.Idempotency-Key"`}},
		"body of a GET":            {call{path: deployments, body: "{}"}, 400, []string{"takes no body"}},

		"problem of the domain": {start(`{"name":"unknown-app","version":"1"}`), 422, []string{`"location":"body.configuration.command"`, "give it"}},
		"not ready":             {start(`{"name":"unready","version":"1"}`), 503, []string{"not ready", "apm plugin list"}},
		"plan out of date":      {start(`{"name":"a","version":"1","planned":{"components":[]}}`), 409, []string{`"code":"plan_out_of_date"`}},
		"internal":              {start(`{"name":"broken","version":"1"}`), 500, []string{`"code":"internal"`, "the host's log"}},

		"unknown parameter":    {call{path: deployments + "?stat=failed"}, 422, []string{`"location":"query.stat"`, "did you mean status?"}},
		"unclosed parameter":   {call{path: deployments + "?a[="}, 422, []string{"query.a["}},
		"bad status":           {call{path: deployments + "?status=complete"}, 422, []string{"did you mean completed?"}},
		"parameter twice":      {call{path: deployments + "?limit=1&limit=2"}, 422, []string{`"location":"query.limit"`, "given 2 times", "keep one"}},
		"parameter no UTF-8":   {call{path: deployments + "?application=%ff"}, 400, []string{"not UTF-8"}},
		"path no UTF-8":        {call{path: deployments + "/%ff"}, 400, []string{"not UTF-8"}},
		"query not escaped":    {call{path: deployments + "?application=%zz"}, 400, []string{"cannot be read", "escape it"}},
		"token in the URL":     {call{path: deployments + "?token=x"}, 422, []string{`"location":"query.token"`, "Authorization: Bearer TOKEN"}},
		"bad cursor":           {call{path: deployments + "?cursor=nonsense"}, 422, []string{`"location":"query.cursor"`}},
		"bad limit":            {call{path: deployments + "?limit=many"}, 422, []string{`"location":"query.limit"`}},
		"limit too large":      {call{path: deployments + "?limit=201"}, 422, []string{`"location":"query.limit"`}},
		"limit too small":      {call{path: deployments + "?limit=0"}, 422, []string{`"location":"query.limit"`}},
		"control characters":   {call{path: deployments + "?application=%00"}, 400, []string{"control characters"}},
		"control in the path":  {call{path: deployments + "/%0a"}, 400, []string{"control characters"}},
		"too many events":      {call{path: deployments + "/" + d.ID + "/events?limit=501"}, 422, []string{`"location":"query.limit"`}},
		"long reason":          {start(`{"name":"a","version":"1","reason":"` + strings.Repeat("x", 1001) + `"}`), 422, []string{`"location":"body.reason"`}},
		"long target":          {call{method: "POST", path: deployments + "/" + d.ID + "/rollback", token: h.deployer, body: `{"target_version":"` + strings.Repeat("x", 129) + `"}`}, 422, []string{`"location":"body.target_version"`}},
		"bad audit cursor":     {call{path: "/api/v1/audit?cursor=x", token: h.admin}, 422, []string{`"location":"query.cursor"`}},
		"unknown id":           {call{path: deployments + "/ffffffff-0000-0000-0000-000000000000"}, 404, []string{"there is no deployment"}},
		"unknown prefix":       {call{path: deployments + "/zzzz"}, 404, []string{"there is no deployment"}},
		"short prefix":         {call{path: deployments + "/" + d.ID[:3]}, 422, []string{"at least 4"}},
		"odd id":               {call{path: deployments + "/..%2f..%2fetc"}, 404, []string{"there is no deployment"}},
		"unknown component":    {call{path: deployments + "/" + d.ID + "/logs?component=x", token: h.viewer}, 404, []string{"no component"}},
		"rollback not current": {call{method: "POST", path: deployments + "/" + d.ID + "/rollback", token: h.deployer, body: `{"target_version":"v0"}`}, 409, []string{`"holder":"` + d.ID + `"`}},
		"unknown target":       {call{path: "/api/v1/targets/x/y"}, 404, []string{"no target"}},
		"unknown platform":     {call{path: "/api/v1/plugins/x"}, 404, []string{"no platform"}},
		"unknown token":        {call{method: "DELETE", path: "/api/v1/tokens/x", token: h.admin}, 404, []string{"no token"}},
		"bad role":             {call{method: "POST", path: "/api/v1/tokens", token: h.admin, body: `{"name":"n","role":"root"}`}, 422, []string{`"location":"body.role"`}},
		"forever and a day":    {call{method: "POST", path: "/api/v1/tokens", token: h.admin, body: `{"name":"n","role":"viewer","expires_hours":99999999999}`}, 422, []string{"expires_hours"}},
		"unknown path":         {call{path: "/api/v2"}, 404, []string{"nothing at this path"}},
		"unknown method":       {call{method: "PATCH", path: deployments}, 405, []string{"method", "it knows GET, POST"}},
		"unknown page":         {call{path: "/docs/../server.go"}, 404, nil},

		"wrong token":    {call{path: deployments, token: "apm_000000000000.x"}, 401, []string{`"code":"unauthorized"`, "not known"}},
		"no token form":  {call{path: deployments, token: "x"}, 401, []string{"of the form"}},
		"basic":          {call{path: deployments, header: map[string]string{"Authorization": "Basic eDp5"}}, 401, []string{"Bearer TOKEN"}},
		"foreign host":   {call{path: deployments, host: "evil.example"}, 403, []string{"Host header"}},
		"forwarded host": {call{path: deployments, host: "evil.example", header: map[string]string{"X-Forwarded-Host": "localhost"}}, 403, []string{"Host header"}},
		"suffix host":    {call{path: deployments, host: "localhost.evil.example"}, 403, []string{"Host header"}},
		"foreign origin": {call{path: deployments, origin: "http://evil.example"}, 403, []string{"Origin"}},
		"null origin":    {call{path: deployments, origin: "null"}, 403, []string{"Origin"}},
		"other port":     {call{path: deployments, origin: "http://localhost:1"}, 403, []string{"Origin"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &host{T: t, url: h.url}
			got := h.do(test.call)
			if got.status != test.status {
				t.Fatalf("status %d, want %d: %s", got.status, test.status, got.body)
			}
			if got.problem.Status != test.status || got.problem.Code == "" || got.problem.Title == "" || got.problem.Detail == "" {
				t.Errorf("no whole problem: %s", got.body)
			}
			for _, text := range test.says {
				if !strings.Contains(string(got.body), text) {
					t.Errorf("%q is not in %s", text, got.body)
				}
			}
			if strings.Contains(string(got.body), "secret cause") {
				t.Errorf("tells the cause of an internal error: %s", got.body)
			}
		})
	}
}

func TestGoodHostsAndOrigins(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	port := h.url[strings.LastIndexByte(h.url, ':')+1:]
	for _, host := range []string{"localhost", "LOCALHOST:" + port, "127.0.0.1:" + port, "[::1]:" + port, "[::1]"} {
		if got := h.do(call{path: "/api/v1/deployments", host: host}); got.status != http.StatusOK {
			t.Errorf("host %s: %d %s", host, got.status, got.body)
		}
	}
	for _, origin := range []string{"http://localhost:" + port, "http://127.0.0.1:" + port, "http://[::1]:" + port} {
		if got := h.do(call{path: "/api/v1/deployments", origin: origin}); got.status != http.StatusOK {
			t.Errorf("origin %s: %d %s", origin, got.status, got.body)
		}
	}
}

// TestACompressedBodyIsNotUnpacked: half a megabyte that would become half a
// gigabyte.
func TestACompressedBodyIsNotUnpacked(t *testing.T) {
	h := newHost(t, options{anonymous: true}) // alone: memory is counted for the process
	const size = 512 << 20
	var bomb bytes.Buffer
	writer := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range size / len(zeros) {
		_, err := writer.Write(zeros)
		ok(t, err)
	}
	ok(t, writer.Close())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, header := range []map[string]string{{"Content-Encoding": "gzip"}, {"content-encoding": "gzip"}} {
		got := h.do(call{method: http.MethodGet, path: "/api/v1/deployments", body: bomb.String(), header: header})
		if got.status != http.StatusUnsupportedMediaType || !strings.Contains(got.problem.Detail, "compressed") {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > size/4 {
		t.Errorf("%d MiB were allocated for %d KiB", grown>>20, bomb.Len()>>10)
	}
}

// TestRawRequests: what no HTTP client would send.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	tests := map[string]struct {
		request string
		status  int
	}{
		"huge header":     {"GET /api/v1/deployments HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431},
		"huge path":       {"GET /" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 431},
		"absolute form":   {"GET http://evil.example/api/v1/deployments HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
		"bad escape":      {"GET /api/v1/deployments/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
		"bad query":       {"GET /api/v1/deployments?a[= HTTP/1.1\r\nHost: localhost\r\n\r\n", 422},
		"no host":         {"GET /api/v1/deployments HTTP/1.0\r\n\r\n", 403},
		"no request line": {"nonsense\r\n\r\n", 400},
		"both lengths":    {"POST /api/v1/deployments HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"two encodings":   {"POST /api/v1/deployments HTTP/1.1\r\nHost: localhost\r\nContent-Encoding:\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415},
		"too large":       {"POST /api/v1/deployments HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n{", 413},
		"negative length": {"POST /api/v1/deployments HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", 400},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var dialer net.Dialer
			conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(h.url, "http://"))
			ok(t, err)
			defer conn.Close()
			ok(t, conn.SetDeadline(time.Now().Add(patience)))
			if _, err := conn.Write([]byte(test.request)); err != nil {
				t.Logf("write: %v", err) // an answer may come before the end
			}
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			ok(t, err)
			defer res.Body.Close()
			if got := read(t, res); got.status != test.status || got.problem.Status != test.status {
				t.Errorf("status %d, want %d: %s", got.status, test.status, got.body)
			}
		})
	}
}

func TestStoreAwayIs503(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	h.store.away.Store(true)
	for _, path := range []string{"/api/v1/deployments", "/metrics"} {
		got := h.do(call{path: path})
		if got.status != http.StatusServiceUnavailable || got.problem.Code != "unavailable" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	health, err := h.client("").Health(t.Context())
	ok(t, err)
	if health.Status != "unavailable" || health.Installation == "" {
		t.Errorf("health: %+v", health)
	}
	h.store.away.Store(false)
	if got := h.do(call{path: "/api/v1/deployments"}); got.status != http.StatusOK {
		t.Errorf("after it came back: %d %s", got.status, got.body)
	}
}

func TestPortInUseNamesTheHolder(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	second := h.another(strings.TrimPrefix(h.url, "http://"))
	err := second.Listen(t.Context())
	if err == nil || !strings.Contains(err.Error(), "is in use") || !strings.Contains(err.Error(), "server.listen") {
		t.Fatalf("second listen: %v", err)
	}
	if want := fmt.Sprintf("pid %d (", pid()); !strings.Contains(err.Error(), want) {
		t.Errorf("%v does not name %q", err, want)
	}
}
