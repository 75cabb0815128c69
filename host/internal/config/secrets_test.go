package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// What env() returns is in the spec, and in no error, whoever writes it.
func TestEnvIsNeverShown(t *testing.T) {
	for _, secret := range []string{"canary-93c1!", "k!", "x y\nz!", strings.Repeat("long-canary", 100) + "!"} {
		t.Setenv("APM_TEST_SECRET", secret)
		for name, text := range map[string]string{
			"the plugin quotes it":   spec("      command = [\"x\"]\n      env = { A = env(\"APM_TEST_SECRET\") }"),
			"in a text":              spec("      command = [\"x\"]\n      env = { A = \"a ${env(\"APM_TEST_SECRET\")} b\" }"),
			"wrong type":             spec("      command = [\"x\"]\n      replicas = env(\"APM_TEST_SECRET\")"),
			"wrong type of a list":   spec("      command = env(\"APM_TEST_SECRET\")"),
			"as a file":              spec("      command = [file(env(\"APM_TEST_SECRET\"))]"),
			"as a variable":          spec("      command = [env(env(\"APM_TEST_SECRET\"))]"),
			"as a platform":          strings.Replace(app(""), `"process"`, "env(\"APM_TEST_SECRET\")", 1),
			"as a duration":          checked("      url = \"http://x\"\n      interval = env(\"APM_TEST_SECRET\")"),
			"as a URL":               checked("      url = env(\"APM_TEST_SECRET\")"),
			"as a pattern":           checked("      url = \"http://x\"\n      body = \"(${env(\"APM_TEST_SECRET\")}\""),
			"as a header":            checked("      url = \"http://x\"\n      headers = { A = \"\\u0001${env(\"APM_TEST_SECRET\")}\" }"),
			"as a name":              checked("      url = \"http://x\"\n      headers = { \"a ${env(\"APM_TEST_SECRET\")}\" = \"x\" }"),
			"as a method":            checked("      url = \"http://x\"\n      method = env(\"APM_TEST_SECRET\")"),
			"as a dependency":        app("    depends_on = [env(\"APM_TEST_SECRET\")]\n    spec { command = [\"x\"] }"),
			"as a number in a range": checked("      url = \"http://x\"\n      passes = env(\"APM_TEST_SECRET\")"),
		} {
			dir := write(t, map[string]string{"applications/a.hcl": text})
			_, _, err := applications(t, dir).Define(t.Context(), deployment.Request{Name: "a", Version: "v1"}, nil)
			problems(t, dir, err)
			for _, form := range []string{secret, strings.Trim(fmt.Sprintf("%q", secret), `"`), "long-canarylong"} {
				if strings.Contains(err.Error(), form) {
					t.Errorf("%s: the error shows %q: %v", name, form, err)
				}
			}
		}
	}
}

// What the plugin does not call sensitive it shows: in plans, in what is told of a
// release, in a list of processes. A secret is refused there.
func TestEnvOnlyWhereItIsKeptSealed(t *testing.T) {
	t.Setenv("APM_TEST_SECRET", "canary-93c1")
	const remedy = "it stands in plans and in what is told of a release: write the value itself if it is no secret; " +
		"if it is one, put it into env, which is kept sealed"
	for name, test := range map[string]struct{ text, want string }{
		"an element": {
			spec("      command = [\"./x\", \"--token\", \"t=${env(\"APM_TEST_SECRET\")}\"]"),
			`applications/a.hcl:5:36: "command" would show the value of env(); ` + remedy,
		},
		"within a block": {
			spec("      command = [\"x\"]\n      port \"http\" { listen = env(\"APM_TEST_SECRET\") }"),
			`applications/a.hcl:6:30: "listen" would show the value of env(); ` + remedy,
		},
		"a file that it names": {
			spec("      command = [\"x\"]\n      artifact = file(\"${env(\"APM_TEST_SECRET\")}\")"),
			`applications/a.hcl:6:18: "artifact" would show the value of env(); ` + remedy,
		},
		"where it belongs": {spec("      command = [\"x\"]\n      env = { A = \"a ${env(\"APM_TEST_SECRET\")}\" }"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{"applications/a.hcl": test.text, "applications/canary-93c1": "content"})
			_, _, err := applications(t, dir).Define(t.Context(), deployment.Request{Name: "a", Version: "v1"}, nil)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if got, _, _ := strings.Cut(problems(t, dir, err), "\n"); got != test.want {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
}

// A check is told which values no answer of it may hold.
func TestChecksKnowTheirSecrets(t *testing.T) {
	t.Setenv("APM_TEST_SECRET", "canary-93c1")
	t.Setenv("APM_TEST_OTHER", "other")
	dir := write(t, map[string]string{"applications/a.hcl": app(`    spec {
      command = ["x"]
      env     = { A = env("APM_TEST_OTHER") }
    }
    check "http" "one" { url = "http://${address}/hook/${env("APM_TEST_SECRET")}" }
    check "http" "two" {
      url     = "http://${address}/"
      headers = { Authorization = "Bearer ${env("APM_TEST_SECRET")}" }
    }
    check "tcp" "three" { address = "${address}" }`)})
	definition, _, err := applications(t, dir).Define(t.Context(), deployment.Request{Name: "a", Version: "v1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range definition.Components[0].Checks {
		want := check.Name != "three"
		if got := len(check.Secrets) == 1 && check.Secrets[0] == "canary-93c1"; got != want {
			t.Errorf("check %s knows of %q", check.Name, check.Secrets)
		}
	}
}

// A value that the schema calls sensitive is in no error either, where it stands in
// the file as it is: not in what a plugin quotes, and not in the line that is shown.
func TestSensitiveLiteralsAreNeverShown(t *testing.T) {
	t.Parallel()
	const secret = "canary-literal-7c!"
	for name, text := range map[string]string{
		"the plugin quotes it":     spec("      command = [\"x\"]\n      env = { A = \"" + secret + "\" }"),
		"wrong type beside it":     spec("      command = [\"x\"]\n      env = { A = \"" + secret + "\", B = [1] }"),
		"wrong type around it":     spec("      command = [\"x\"]\n      env = [\"" + secret + "\"]"),
		"another key of that line": spec("      command = [\"x\"]\n      env = { A = \"" + secret + "\" }\n      port \"" + secret + "\" {}"),
	} {
		dir := write(t, map[string]string{"applications/a.hcl": text})
		_, _, err := applications(t, dir).Define(t.Context(), deployment.Request{Name: "a", Version: "v1"}, nil)
		if rendered := problems(t, dir, err); err == nil || strings.Contains(rendered+err.Error(), secret) {
			t.Errorf("%s: %v\n%s", name, err, rendered)
		}
	}
}

// So it is within blocks, lists and maps.
func TestNestedSensitiveValuesAreNeverShown(t *testing.T) {
	t.Parallel()
	s := schema.Schema{Block: schema.Block{
		Attributes: []schema.Attribute{{Name: "keys", Type: "list(string)", Sensitive: true}, {Name: "by_name", Type: "map(string)", Sensitive: true}},
		Blocks: []schema.NestedBlock{
			{Name: "auth", Nesting: schema.Map, Block: schema.Block{
				Attributes: []schema.Attribute{{Name: "token", Type: "string", Sensitive: true}},
				Blocks: []schema.NestedBlock{{Name: "tls", Nesting: schema.Single, Block: schema.Block{
					Attributes: []schema.Attribute{{Name: "key", Type: "object({ pem = string })", Sensitive: true}},
				}}},
			}},
			{Name: "store", Nesting: schema.List, Block: schema.Block{Attributes: []schema.Attribute{{Name: "password", Type: "string", Sensitive: true}}}},
		},
	}}
	secrets := []string{"canary-list", "canary-map", "canary-token", "canary-pem", "canary-store"}
	dir := write(t, map[string]string{"config.hcl": minimal + `platform "p" {
  plugin  = "process"
  keys    = ["canary-list"]
  by_name = { one = "canary-map" }
  auth "a" {
    token = "canary-token"
    tls { key = { pem = "canary-pem" } }
  }
  store { password = "canary-store" }
}
`})
	c := load(t, dir)
	if _, _, err := c.DecodePlatform("p", s); err != nil {
		t.Fatal(err)
	}
	var ds diag.Diagnostics
	for _, path := range [][]string{{"keys", "0"}, {"by_name", "one"}, {"auth", "a", "token"}, {"auth", "a", "tls", "key", "pem"}, {"store", "0", "password"}} {
		for _, secret := range secrets {
			ds.Errorf(path, "%s is no good", secret)
		}
	}
	located := render(dir, c.LocatePlatform("p", s, ds))
	for _, secret := range secrets {
		if strings.Contains(located, secret) {
			t.Errorf("%s is in\n%s", secret, located)
		}
	}
	for _, place := range []string{":13:14: keys[0]:", ":14:21: by_name.one:", ":16:13: auth.a.token:", ":17:25: auth.a.tls.key.pem:", ":19:22: store[0].password:"} {
		if !strings.Contains(located, "config.hcl"+place+" [sensitive] is no good") {
			t.Errorf("no problem at %s in\n%s", place, located)
		}
	}
}
