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
