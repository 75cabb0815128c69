package schema_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/sdk/schema"
)

func TestSensitive(t *testing.T) {
	t.Parallel()
	type tls struct {
		Key  string `apm:"key,sensitive"`
		Cert string `apm:"cert"`
	}
	type port struct {
		Name  string `apm:"name,label"`
		Token string `apm:"token,sensitive"`
		TLS   *tls   `apm:"tls,block"`
	}
	type mount struct {
		Password string `apm:"password,sensitive"`
	}
	s := schema.MustOf(struct {
		Plain  string            `apm:"plain"`
		Env    map[string]string `apm:"env,sensitive"`
		Ports  map[string]port   `apm:"port,block"`
		Mounts []mount           `apm:"mount,block"`
		TLS    tls               `apm:"tls,block"`
	}{})
	want := []string{"env", "port.*.token", "port.*.tls.key", "mount.*.password", "tls.key"}
	if diff := cmp.Diff(want, s.Sensitive()); diff != "" {
		t.Error(diff)
	}
}
