package badinput_test

import (
	"net/http"
	"strings"
	"testing"
)

// bodies sends bodies that are wrong to all routes that take one.
func bodies(t *testing.T, w *world) {
	const deployments = "/api/v1/deployments"
	start := func(body string) call { return call{http.MethodPost, deployments, body, nil} }
	with := func(members string) call {
		return start(`{"name":"shop","version":"v3","environment":"test",` + members + `}`)
	}
	to := func(path, body string) call { return call{http.MethodPost, path, body, nil} }
	rollback := deployments + "/" + w.current + "/rollback"
	cancel := deployments + "/" + w.current + "/cancel"
	const target = "/api/v1/targets/shop/test"
	long := strings.Repeat("x", 10_000)
	for name, c := range map[string]struct {
		call
		status int
		told
	}{
		// What is no JSON.
		"not JSON":            {start(`name=shop`), 400, told{"body", "not JSON: at byte", "send one JSON value"}},
		"cut off":             {start(`{"name":"shop","ver`), 400, told{"body", "it ends too early", "send one JSON value"}},
		"nothing":             {call{http.MethodPost, deployments, "", nil}, 400, told{"body", "the body is missing", "send a JSON object"}},
		"more than one value": {start(`{"name":"shop","version":"v3"} {}`), 400, told{"body", "text after the JSON value", "send one JSON value"}},
		"control characters":  {start("{\"name\":\"sh\x1b[31mop\",\"version\":\"v3\"}"), 400, told{"body", "not JSON", "send one JSON value"}},
		"NUL byte":            {start("{\"name\":\"shop\x00\",\"version\":\"v3\"}"), 400, told{"body", "not JSON", "send one JSON value"}},
		"NUL escaped":         {start(`{"name":"shop\u0000","version":"v3"}`), 422, told{"body.name", "contains a NUL character", "leave it out"}},
		"not UTF-8":           {start("{\"name\":\"sh\xff\xfeop\",\"version\":\"v3\"}"), 400, told{"body", "at byte 11: not UTF-8", "encode it as UTF-8"}},
		"half a character":    {start(`{"name":"sh\ud800op","version":"v3"}`), 422, told{"body.name", "half of a pair of surrogates", "leave it out"}},
		"nested too deep":     {with(`"configuration":` + strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)), 422, told{"body.configuration.a", "nested deeper than 64", "send a flatter value"}},
		"too big":             {with(`"reason":"` + strings.Repeat("x", 5<<20) + `"`), 413, told{"", "the body is larger than 4 MiB", "send less"}},
		"form":                {call{http.MethodPost, deployments, `name=shop`, []string{"Content-Type: application/x-www-form-urlencoded"}}, 415, told{"Content-Type", "the body is not JSON", `send "Content-Type: application/json"`}},
		"compressed":          {call{http.MethodPost, deployments, `{}`, []string{"Content-Encoding: gzip"}}, 415, told{"", "a compressed body is not read", "send it as it is"}},
		"an array":            {start(`[]`), 422, told{"body", "expected object", "write a JSON object: {…}"}},
		"null":                {start(`null`), 422, told{"body", "expected object", "write a JSON object: {…}"}},
		"body of a GET":       {call{http.MethodGet, deployments, `{}`, nil}, 400, told{"body", "this request takes no body", "leave it out"}},

		// Members that are wrong.
		"unknown member":          {start(`{"name":"shop","version":"v3","environmnt":"x"}`), 422, told{"body.environmnt", "unexpected property", "did you mean environment?"}},
		"unknown, near none":      {start(`{"name":"shop","version":"v3","colour":"red"}`), 422, told{"body.colour", "unexpected property", "known are configuration"}},
		"unknown, with an escape": {start(`{"name":"shop","version":"v3","col\u001b[31m":"red"}`), 422, told{`body.col\u001b[31m`, "a name with control characters", "leave them out"}},
		"other case":              {start(`{"Name":"shop","version":"v3"}`), 422, told{"body.Name", "unexpected property", "did you mean name?"}},
		"twice":                   {start(`{"name":"shop","name":"x","version":"v3"}`), 422, told{"body.name", "stands twice", "keep one of them"}},
		"number for a text":       {start(`{"name":1,"version":"v3"}`), 422, told{"body.name", "expected string", "put it in quotes"}},
		"text for an object":      {with(`"planned":"x"`), 422, told{"body.planned", "expected object", "write a JSON object: {…}"}},
		"missing name":            {start(`{"version":"v3"}`), 422, told{"body.name", "missing", "add it"}},
		"missing version":         {start(`{"name":"shop"}`), 422, told{"body.version", "missing", "add it"}},
		"empty name":              {start(`{"name":"","version":"v3"}`), 422, told{"body.name", "must not be empty", "visible characters"}},
		"empty version":           {start(`{"name":"shop","version":""}`), 422, told{"body.version", "must not be empty", "visible characters"}},
		"name of 10 kB":           {start(`{"name":"` + long + `","version":"v3"}`), 422, told{"body.name", "is 10000 bytes long, at most 128 are allowed", "at most 128 bytes"}},
		"version of 10 kB":        {start(`{"name":"shop","version":"` + long + `"}`), 422, told{"body.version", "is 10000 bytes long", "at most 128 bytes"}},
		"environment of 10 kB":    {start(`{"name":"shop","version":"v3","environment":"` + long + `"}`), 422, told{"body.environment", "is 10000 bytes long", "at most 128 bytes"}},
		"control in a name":       {start(`{"name":"sh\u001b[31mop","version":"v3"}`), 422, told{"body.name", "control character U+001B", "visible characters"}},
		"line break in a version": {start(`{"name":"shop","version":"v3\n"}`), 422, told{"body.version", "control character U+000A", "visible characters"}},
		"invisible in a name":     {start(`{"name":"sh\u202eop","version":"v3"}`), 422, told{"body.name", "invisible character U+202E", "visible characters"}},
		"name that is a path":     {start(`{"name":"../../etc","version":"v3"}`), 422, told{"body.name", `must not hold "/"`, "no /"}},
		"version that is a path":  {start(`{"name":"shop","version":"../v3"}`), 422, told{"body.version", `must not hold "/"`, "no /"}},
		"version that is a dot":   {start(`{"name":"shop","version":".."}`), 422, told{"body.version", `cannot be ".."`, "visible characters"}},
		"reason too long":         {with(`"reason":"` + strings.Repeat("x", 1001) + `"`), 422, told{"body.reason", "1000", "shorten it"}},

		// What is asked for cannot be.
		"unknown platform":       {with(`"platform":"kubernetes"`), 422, told{"body.platform", "kubernetes", "known platforms: process"}},
		"platform of none":       {start(`{"name":"unheard","version":"v1","environment":"test","platform":"procss","configuration":{"command":["/bin/true"]}}`), 422, told{"body.platform", `"procss"`, `did you mean "process"?`}},
		"unknown application":    {start(`{"name":"unheard","version":"v1","environment":"test"}`), 422, told{"body.configuration.command", `missing "command"`, "write applications/unheard.hcl, starting from applications/shop.hcl"}},
		"application mistyped":   {start(`{"name":"shp","version":"v1","environment":"test"}`), 422, told{"body.configuration.command", `application "shp" is not known`, `did you mean "shop"?`}},
		"artifact not there":     {start(`{"name":"shop","version":"v9","environment":"test"}`), 422, told{"applications/shop.hcl:", "artifacts/v9\" does not exist", `build version "v9" again, or correct artifact`}},
		"unknown spec key":       {with(`"configuration":{"replicaz":2}`), 422, told{"body.configuration.replicaz", `unknown key "replicaz"`, `did you mean "replicas"?`}},
		"wrong spec type":        {with(`"configuration":{"replicas":"many"}`), 422, told{"body.configuration.replicas", `wrong type for "replicas"`, "write a number"}},
		"spec is a text":         {with(`"configuration":"x"`), 422, told{"body.configuration", "object", "{"}},
		"number beyond all":      {with(`"configuration":{"replicas":1e999999999}`), 422, told{"body.configuration.replicas", "a number out of all range", "write a smaller one"}},
		"too many replicas":      {with(`"configuration":{"replicas":101}`), 422, told{"body.configuration.replicas", "replicas must be between 0 and 100, not 101", "between"}},
		"relative path":          {with(`"configuration":{"artifact":"../v3"}`), 422, told{"body.configuration.artifact", `relative path "../v3"`, "write an absolute path"}},
		"listen is no address":   {with(`"configuration":{"port":{"http":{"listen":"8080"}}}`), 422, told{"body.configuration.port.http.listen", `"8080" is not an address`, "write host:port"}},
		"unknown check type":     {with(`"health_checks":[{"type":"htp","name":"x"}]`), 422, told{"body.health_checks[0].type", `unknown check type "htp"`, `did you mean "http"?`}},
		"check of a later part":  {with(`"health_checks":[{"type":"postgres","name":"x"}]`), 422, told{"body.health_checks[0].type", `check type "postgres" is not in this version`, "use http, tcp or grpc"}},
		"check without a url":    {with(`"health_checks":[{"type":"http","name":"x"}]`), 422, told{"body.health_checks[0].url", `missing "url"`, "add it"}},
		"check with a bad url":   {with(`"health_checks":[{"type":"http","name":"x","url":"ftp://x"}]`), 422, told{"body.health_checks[0].url", "ftp://x", "http"}},
		"check without a name":   {with(`"health_checks":[{"type":"http","url":"http://x"}]`), 422, told{"body.health_checks[0].name", `missing "name"`, "add it"}},
		"check with a bad time":  {with(`"health_checks":[{"type":"http","name":"x","url":"http://x","interval":"5"}]`), 422, told{"body.health_checks[0].interval", `"interval" is no duration: "5"`, "a number and a unit"}},
		"checks are no list":     {with(`"health_checks":{}`), 422, told{"body.health_checks", "list", "["}},
		"check of no component":  {with(`"health_checks":[{"type":"tcp","name":"x","address":"x:1","component":"wb"}]`), 422, told{"body.health_checks[0].component", `there is no component "wb"`, `did you mean "web"?`}},
		"unknown policy key":     {with(`"policy":{"bakee":"1s"}`), 422, told{"body.policy.bakee", `unknown key "bakee"`, `did you mean "bake"?`}},
		"policy of another kind": {with(`"policy":{"on_failure":"rolback"}`), 422, told{"body.policy.on_failure", `"on_failure" cannot be "rolback"`, `did you mean "rollback"?`}},
		"plan out of date":       {start(`{"name":"shop","version":"v1","environment":"test","planned":{"components":[{"component":"web","observed_digest":"sha256:0","release_digest":"sha256:0"}]}}`), 409, told{"web", "plan", "make a new plan"}},
		"key with a line break":  {call{http.MethodPost, deployments, `{"name":"shop","version":"v1"}`, []string{"Idempotency-Key: a b"}}, 422, told{"header.Idempotency-Key", "expected string to match pattern", "visible characters of ASCII"}},
		"key too long":           {call{http.MethodPost, deployments, `{"name":"shop","version":"v1"}`, []string{"Idempotency-Key: " + strings.Repeat("k", 256)}}, 422, told{"header.Idempotency-Key", "255", "shorten it"}},

		// Other routes.
		"rollback, unknown member":   {to(rollback, `{"target":"v1"}`), 422, told{"body.target", "unexpected property", "did you mean target_version?"}},
		"rollback, wrong type":       {to(rollback, `{"dry_run":"yes"}`), 422, told{"body.dry_run", "expected boolean", "true or false"}},
		"rollback, reason too long":  {to(rollback, `{"reason":"`+strings.Repeat("x", 1001)+`"}`), 422, told{"body.reason", "1000", "shorten it"}},
		"rollback to no version":     {to(rollback, `{"target_version":"v0"}`), 422, told{"body.target_version", `version "v0" was never completed on shop/test`, "completed were v2, v1"}},
		"rollback to a control":      {to(rollback, `{"target_version":"\u001b[2J"}`), 422, told{"body.target_version", "was never completed", "completed were v2, v1"}},
		"rollback of an older one":   {to(deployments+"/"+w.old+"/rollback", `{}`), 409, told{w.current, "is not current: v2 runs on shop/test", "apm deploy rollback " + w.current}},
		"rollback of an unknown one": {to(deployments+"/ffffffff-0000-4000-8000-000000000000/rollback", `{}`), 404, told{"ffffffff-0000-4000-8000-000000000000", "there is no deployment", "apm deploy list"}},
		"cancel of an ended one":     {to(cancel, `{}`), 409, told{w.current, "has ended: completed", "apm deploy explain " + w.current}},
		"cancel, unknown member":     {to(cancel, `{"raeson":"x"}`), 422, told{"body.raeson", "unexpected property", "did you mean reason?"}},
		"remove, unknown member":     {call{http.MethodDelete, target, `{"reasons":"x"}`, nil}, 422, told{"body.reasons", "unexpected property", "did you mean reason?"}},
		"remove of nothing":          {call{http.MethodDelete, "/api/v1/targets/shop/nowhere", "", nil}, 404, told{"shop/nowhere", "nothing runs on shop/nowhere", "apm deploy list"}},
		"token, no name":             {to("/api/v1/tokens", `{"role":"viewer"}`), 422, told{"body.name", "missing", "add it"}},
		"token, unknown role":        {to("/api/v1/tokens", `{"name":"x","role":"root"}`), 422, told{"body.role", "viewer, deployer, admin", "one of"}},
		"token, name with controls":  {to("/api/v1/tokens", `{"name":"x\u001b","role":"viewer"}`), 422, told{"body.name", "contains control or invisible characters", "leave them out"}},
		"token, for ever and a day":  {to("/api/v1/tokens", `{"name":"x","role":"viewer","expires_hours":99999999999}`), 422, told{"body.expires_hours", "too large", "leave it out for a token that never expires"}},
		"token, expired already":     {to("/api/v1/tokens", `{"name":"x","role":"viewer","expires_hours":-1}`), 422, told{"body.expires_hours", "number >= ", "write a larger one"}},
		"restart of no platform":     {to("/api/v1/plugins/nothing/restart", ""), 404, told{"nothing", `platform "nothing" is not in config.hcl`, "known platforms: process"}},
		"restart takes no body":      {to("/api/v1/plugins/process/restart", `{"now":true}`), 400, told{"body", "this request takes no body", "leave it out"}},
		"revocation of no token":     {call{http.MethodDelete, "/api/v1/tokens/nothing", "", nil}, 404, told{"nothing", "no token", "apm token list"}},
	} {
		t.Run(name, func(t *testing.T) { w.answered(t, c.call, c.status, c.told) })
	}
}
