package badinput_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apm-deploy/apm/test/harness"
)

// commands are right by themselves, and ask for what cannot be.
func commands(t *testing.T, w *world) {
	const unknown = "ffffffff-0000-4000-8000-000000000000"
	w.Write("broken.hcl", "server {\n  lisen = 1\n}\n")
	w.Write("spec.json", "{\n  \"replicas\":\n")
	w.Write("list.json", "[1]")
	w.Write("spec.hcl", "replicas =\n")
	w.Write("unknown.hcl", "replicaz = 2\n")
	w.Write("variable.hcl", "directory = versio\n")
	closed := fmt.Sprintf("http://localhost:%d", harness.FreePort(t))
	page := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "\x1b") {
			t.Errorf("asked for %q", r.URL.Path)
		}
		_, _ = rw.Write([]byte("<html>\x1b[2JWelcome</html>"))
	}))
	t.Cleanup(page.Close)
	plan := w.Must(0, "deploy", "rollback", w.current, "--dry-run", "-o", "json").Stdout
	w.Write("old.json", strings.ReplaceAll(plan, `"observed_digest": "sha256:`, `"observed_digest": "sha256:0`))
	start := []string{"deploy", "start", "--name", "shop", "--version", "v1"}
	line := func(text string) []string { return strings.Fields(text) }
	for name, c := range map[string]struct {
		arguments []string
		code      int
		told
	}{
		"unknown id":             {line("deploy status " + unknown), 7, told{unknown, "there is no deployment", "apm deploy list"}},
		"id with an escape":      {[]string{"deploy", "status", "\x1b[2J"}, 1, told{"", "the request target contains control characters", "leave them out"}},
		"id not UTF-8":           {[]string{"deploy", "status", "\xff\xfe"}, 2, told{`"\xff\xfe"`, "no UTF-8 text", "write it as UTF-8"}},
		"beginning too short":    {line("deploy status " + w.current[:2]), 1, told{"path.id", "too short", "give at least 4 characters"}},
		"watch of an unknown id": {line("deploy watch " + unknown), 7, told{unknown, "there is no deployment", "apm deploy list"}},
		"history of one":         {line("deploy history " + unknown), 7, told{unknown, "there is no deployment", "apm deploy list"}},
		"explanation of one":     {line("deploy explain " + unknown), 7, told{unknown, "there is no deployment", "apm deploy list"}},
		"cancel of one":          {line("deploy cancel " + unknown), 7, told{unknown, "there is no deployment", "apm deploy list"}},
		"unknown component":      {line("deploy logs " + w.current + " --component wb"), 7, told{`"wb"`, "no component", "lists them"}},
		"unknown resource":       {line("deploy logs " + w.current + " --resource nothing"), 7, told{`"nothing"`, "no resource", "lists them"}},
		"unknown target":         {line("deploy remove shop --environment nowhere --yes"), 7, told{"shop/nowhere", "nothing runs", "apm deploy list"}},
		"unknown platform":       {line("plugin inspect kubernetes"), 7, told{`"kubernetes"`, "is not in config.hcl", "known platforms: process"}},
		"unknown token":          {line("token revoke nothing --yes"), 7, told{`"nothing"`, "no token", "apm token list"}},
		"token with an escape":   {[]string{"token", "create", "x\x1b[2J"}, 1, told{"body.name", "control or invisible characters", "leave them out"}},
		"rollback of an old one": {line("deploy rollback " + w.old), 1, told{w.old, "is not current: v2 runs on shop/test", "apm deploy rollback " + w.current}},
		"rollback to no version": {line("deploy rollback " + w.current + " --to-version v0"), 1, told{"body.target_version", `version "v0" was never completed`, "completed were v2, v1"}},
		"cancel of an ended one": {line("deploy cancel " + w.current), 1, told{w.current, "has ended: completed", "apm deploy explain"}},
		"plan out of date":       {line("deploy rollback " + w.current + " --plan old.json"), 9, told{"web", "plan out of date", "make a new plan with --dry-run"}},
		"unknown application":    {line("deploy start --name unheard --version v1"), 1, told{"body.configuration.command", `application "unheard" is not known`, "write applications/unheard.hcl, starting from applications/shop.hcl"}},
		"platform of none":       {append(start, "--platform", "procss"), 1, told{"body.platform", `there is no platform "procss"`, `did you mean "process"?`}},
		"version that is a path": {line("deploy start --name shop --version ../v1"), 1, told{"body.version", `must not hold "/"`, "visible characters"}},
		"version with an escape": {[]string{"deploy", "start", "--name", "shop", "--version", "v\x1b[2J"}, 1, told{"body.version", "control character U+001B", "visible characters"}},
		"version not UTF-8":      {[]string{"deploy", "start", "--name", "shop", "--version", "v\xff"}, 2, told{`"v\xff"`, "no UTF-8 text", "write it as UTF-8"}},
		"config, broken JSON":    {append(start, "--config", "spec.json"), 1, told{"spec.json:3", "unexpected end of JSON input", "write one, as in"}},
		"config, a list":         {append(start, "--config", "list.json"), 1, told{"list.json", "it holds no JSON object", "write one, as in"}},
		"config, broken HCL":     {append(start, "--config", "spec.hcl"), 1, told{"spec.hcl:1:11", "nvalid expression", "Expected the start of an expression"}},
		"config, unknown key":    {append(start, "--config", "unknown.hcl"), 1, told{"body.configuration.replicaz", `unknown key "replicaz"`, `did you mean "replicas"?`}},
		"config, variable":       {append(start, "--config", "variable.hcl"), 1, told{"variable.hcl:1:13", "nknown variable", "versio"}},
		"set, wrong type":        {append(start, "--set", "replicas=many"), 1, told{"body.configuration.replicas", `wrong type for "replicas"`, "write a number"}},
		"set, unknown key":       {append(start, "--set", "replicaz=2"), 1, told{"body.configuration.replicaz", `unknown key "replicaz"`, `did you mean "replicas"?`}},
		"key with a space":       {append(start, "--idempotency-key", "a b"), 1, told{"header.Idempotency-Key", "pattern", "visible characters of ASCII"}},
		"reason of 10 kB":        {append(start, "--reason", strings.Repeat("x", 10_000)), 1, told{"body.reason", "expected length <= 1000", "shorten it"}},
		"jq that does not fit":   {line("deploy list --jq .deployments.name"), 1, told{"--jq", "expected an object but got: array", "which -o json shows"}},
		"template that does not": {[]string{"deploy", "list", "--template", "{{index .deployments 99}}"}, 1, told{"--template", "out of range", "which -o json shows"}},
		"wrong token":            {line("deploy list --token apm_000000000000.x"), 4, told{"", "the token is not known here", "apm token show"}},
		"no token":               {line("deploy list --token x"), 4, told{"", `the token is not of the form "apm_ID.SECRET"`, "apm token show"}},
		"viewer starts":          {append(start, "--token", w.viewer), 4, told{"", `this needs the role deployer; token "viewer" has the role viewer`, "ask an admin"}},
		"deployer reads audit":   {line("audit --token " + w.deployer), 4, told{"", "this needs the role admin", "ask an admin"}},
		"viewer removes":         {line("deploy remove shop --environment test --yes --token " + w.viewer), 4, told{"", "this needs the role deployer", "ask an admin"}},
		"nobody starts":          {append(start, "--data-dir", "nowhere", "--url", w.URL()), 4, told{"", "this needs a token with the role deployer", "apm token show"}},
		"no host on it":          {line("deploy list --data-dir nowhere"), 1, told{"nowhere", "no host runs on the data directory", "--data-dir nowhere serve"}},
		"nobody shows the token": {line("token show --data-dir nowhere"), 7, told{"nowhere/token", "there is no token", "a host makes it at its first start"}},
		"no host there":          {line("deploy list --url " + closed), 1, told{closed, "no host answers", "apm --url " + closed + " serve"}},
		"start without a host":   {append(start, "--url", closed), 1, told{closed, "no host answers", "--url or APM_URL"}},
		"watch without a host":   {line("deploy watch " + w.current + " --url " + closed), 1, told{closed, "no host answers", "--url or APM_URL"}},
		"no such name":           {line("deploy list --url http://host.invalid"), 1, told{"http://host.invalid", "no host answers", "--url or APM_URL"}},
		"TLS":                    {line("deploy list --url " + strings.Replace(w.URL(), "http", "https", 1)), 1, told{"https://", "server gave HTTP response to HTTPS client", "--url or APM_URL"}},
		"something else there":   {line("deploy list --url " + page.URL), 1, told{page.URL, "as no apm host does", "check its address"}},
		"config.hcl":             {line("deploy list --config-file broken.hcl"), 1, told{"broken.hcl:2:3", `unknown attribute "lisen"`, `did you mean "listen"?`}},
		"config.hcl not there":   {line("deploy list --config-file nothing.hcl"), 1, told{"nothing.hcl", "no such file or directory", "--config-file"}},
	} {
		t.Run(name, func(t *testing.T) {
			changed := w.nothing(t)
			began := time.Now()
			refused(t, w.CLI(c.arguments...), c.code, c.told)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			changed()
		})
	}
	t.Run("a host that is away", func(t *testing.T) {
		stale := w.Path("stale")
		if err := os.CopyFS(stale, os.DirFS(w.Data)); err != nil {
			t.Fatal(err)
		}
		defer gone(t, stale)
		if err := os.Chmod(stale+"/token", 0o600); err != nil {
			t.Fatal(err)
		}
		w.Write("stale/host.json", fmt.Sprintf(`{"pid":1,"url":%q}`, closed))
		refused(t, w.CLI("deploy", "list", "--data-dir", stale), 1, told{closed, "no host answers", "serve"})
		if err := os.Chmod(stale+"/token", 0o644); err != nil {
			t.Fatal(err)
		}
		refused(t, w.CLI("deploy", "list", "--data-dir", stale), 4, told{stale + "/token", "can be read by others (mode 0644)", "chmod 600 " + stale + "/token"})
		if err := os.Chmod(stale+"/token", 0o600); err != nil {
			t.Fatal(err)
		}
		w.Write("stale/host.json", "\x1b[2J")
		r := w.CLI("deploy", "list", "--data-dir", stale)
		presentable(t, r.Stdout+r.Stderr)
	})
	t.Run("a host that says nothing", func(t *testing.T) { silence(t, w) })
}

// silence asks hosts that take connections and never answer.
func silence(t *testing.T, w *world) {
	listen := func() (net.Listener, string) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		return listener, "http://" + listener.Addr().String()
	}
	_, url := listen()
	refused(t, w.CLI("deploy", "watch", w.current, "--timeout", "300ms", "--url", url), 8,
		told{url, "did not answer within 300ms", "--url or APM_URL"})
	for _, arguments := range [][]string{
		{"deploy", "list"}, {"deploy", "start", "--name", "shop", "--version", "v1"}, {"deploy", "watch", w.current}, {"audit"},
	} {
		listener, url := listen()
		command := w.Begin(append(arguments, "--url", url)...)
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		command.Signal(syscall.SIGINT)
		refused(t, command.Wait(), 130, told{url, "interrupted before the host at", "deploy list"})
		_ = conn.Close()
	}
}
