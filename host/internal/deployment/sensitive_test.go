package deployment_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

func TestSensitiveValues(t *testing.T) {
	t.Parallel()
	spec := json.RawMessage(`{"env":{"A":"one","B":"two"},"plain":"shown","list":["x",{"deep":["y"]}],"port":{"http":{"token":"t1","listen":"l"},"admin":{"token":null}},
		"mount":[{"key":"k0","path":"p"},{"key":"k1"}],"number":12345678901234567890,"flag":true,"tls":{"key":{"pem":"m"}}}`)
	for path, want := range map[string][]string{
		"env": {"one", "two"}, "env.A": {"one"}, "list": {"x", "y"}, "port.*.token": {"t1"}, "port.http.token": {"t1"}, "mount.*.key": {"k0", "k1"}, "mount.1.key": {"k1"},
		"number": {"12345678901234567890"}, "flag": nil, "tls.key": {"m"}, "nothing.at.all": nil, "plain.below": nil,
	} {
		if diff := cmp.Diff(want, deployment.SensitiveValues(spec, []string{path})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	for _, none := range []json.RawMessage{nil, json.RawMessage(`null`), json.RawMessage(`{`), json.RawMessage(`[1]`)} {
		if got := deployment.SensitiveValues(none, []string{"env"}); got != nil {
			t.Errorf("%s: %q", none, got)
		}
	}
}

func TestHider(t *testing.T) {
	t.Parallel()
	secrets := deployment.Secrets([]string{"hunter2", " padded-secret\n", "short", "Production", "a \"quoted\"\nsecret", "hunter2-longer"}, "production")
	hide := deployment.Hider(secrets)
	for text, want := range map[string]string{
		"password is hunter2!":                       "password is [sensitive]!",
		"hunter2-longer":                             "[sensitive]",
		"padded-secret, short, production":           "[sensitive], short, production",
		`json "a \"quoted\"\nsecret"`:                `json "[sensitive]"`,
		"a \"quoted\"\nsecret":                       "[sensitive]",
		"one line of it: a \"quoted\" and no more":   "one line of it: [sensitive] and no more",
		"https://x/?p=a+%22quoted%22%0Asecret&q=one": "https://x/?p=[sensitive]&q=one",
	} {
		if got := hide(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	if deployment.Hider([]string{"", "short"}) != nil {
		t.Error("there is nothing to hide")
	}
}
