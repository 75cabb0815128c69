package deployment_test

import (
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

func TestHideSecret(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, secret, want string }{
		{"GET http://127.0.0.1/hook/canary-93c1: status 200", "canary-93c1", "GET http://127.0.0.1/hook/[sensitive]: status 200"},
		{"GET http://127.0.0.1/a%20b%2Fc/x: status 200", "a b/c", "GET http://127.0.0.1/[sensitive]/x: status 200"},
		{"no such host canary-93c1-and-mo…", "canary-93c1-and-more-of-it", "no such host [sensitive]…"},
		{`it says "x\ty"`, "x\ty", `it says "[sensitive]"`},
		{"status 480, port 80", "80", "status 480, port [sensitive]"},
		{"as it is", "", "as it is"},
		{"as it is", "elsewhere", "as it is"},
	} {
		got := test.text
		for _, form := range deployment.SecretForms(test.secret) {
			got = deployment.HideSecret(got, form)
		}
		if got != test.want {
			t.Errorf("%q in %q: %q, want %q", test.secret, test.text, got, test.want)
		}
	}
}
