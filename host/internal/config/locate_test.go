package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk/diag"
)

// What a plugin finds while it resolves a spec, after it was validated, has a place
// all the same: in the file, or in the request that overrides it.
func TestLocate(t *testing.T) {
	t.Setenv("APM_TEST_SECRET", "canary-93c1")
	dir := write(t, map[string]string{"applications/a.hcl": spec(`      command  = ["./x", "-v"]
      artifact = "gone.tar.gz"
      env      = { A = env("APM_TEST_SECRET"), B = "literal-secret" }
      mount {
        from = "/a"
        to   = "b"
      }
      port "http" { listen = "127.0.0.1:7" }`)})
	a := applications(t, dir)
	var found diag.Diagnostics
	found.Errorf([]string{"artifact"}, "no such file")
	found.Errorf([]string{"command", "1"}, "no such flag")
	found.Errorf([]string{"mount", "0", "to"}, "is a file")
	found.Errorf([]string{"port", "http", "listen"}, "is taken")
	found.Errorf([]string{"env", "B"}, "canary-93c1 and literal-secret are weak")
	found.Warnf([]string{"replicas"}, "one is few")
	request := deployment.Request{Name: "a", Version: "v1"}
	want := `applications/a.hcl:6:18: artifact: no such file
    artifact = "gone.tar.gz"
applications/a.hcl:5:26: command[1]: no such flag
    command  = ["./x", "-v"]
applications/a.hcl:10:16: mount[0].to: is a file
    to   = "b"
applications/a.hcl:12:30: port.http.listen: is taken
    port "http" { listen = "127.0.0.1:7" }
applications/a.hcl:7:52: env.B: [sensitive] and [sensitive] are weak
    env      = { A = env("APM_TEST_SECRET"), B = "[sensitive]" }
applications/a.hcl:4:5: replicas: one is few
    spec {`
	if diff := cmp.Diff(want, render(dir, a.Locate(t.Context(), request, nil, "a", found))); diff != "" {
		t.Errorf("in the file (-want +got):\n%s", diff)
	}
	request.Configuration = raw(`{"command":["./y","-w"],"mount":[{"from":"/c","to":"d"}],"port":{"http":{"listen":"127.0.0.1:8"}}}`)
	want = `applications/a.hcl:6:18: artifact: no such file
    artifact = "gone.tar.gz"
configuration.command[1]: no such flag
configuration.mount[0].to: is a file
configuration.port.http.listen: is taken
applications/a.hcl:7:52: env.B: [sensitive] and [sensitive] are weak
    env      = { A = env("APM_TEST_SECRET"), B = "[sensitive]" }
applications/a.hcl:4:5: replicas: one is few
    spec {`
	if diff := cmp.Diff(want, render(dir, a.Locate(t.Context(), request, nil, "a", found))); diff != "" {
		t.Errorf("in the request (-want +got):\n%s", diff)
	}
	for name, located := range map[string][]deployment.Problem{
		"of no component":      a.Locate(t.Context(), request, nil, "b", found),
		"of no request":        a.Locate(t.Context(), deployment.Request{Name: "a", Version: "v1", Platform: "nowhere"}, nil, "a", found),
		"of nothing said":      a.Locate(t.Context(), request, nil, "a", nil),
		"of a file gone since": a.Locate(t.Context(), deployment.Request{Name: "gone", Version: "v1"}, nil, "a", found),
	} {
		if len(located) > 0 {
			t.Errorf("%s: %+v", name, located)
		}
	}
}
