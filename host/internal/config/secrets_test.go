package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
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
