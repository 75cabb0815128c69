package config_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/config"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk/schema"
)

// The repository's own config.hcl and applications are active as they are.
func TestShipped(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	c, err := config.Load("../../../config.hcl")
	if err != nil {
		t.Fatal(err)
	}
	if c.Server.Anonymous != deployment.RoleViewer || c.DefaultPlatform != "process" || c.DefaultEnvironment != "development" || len(c.Platforms()) != 1 {
		t.Errorf("got %+v", c)
	}
	if got, want := c.Plugins()[0].Path, filepath.Join(c.Dir, "bin/plugins/apm-plugin-process"); got != want {
		t.Errorf("plugin at %s, want %s", got, want)
	}
	a := config.NewApplications(c, standard())
	for _, one := range a.List(t.Context()) {
		if one.Problem != "" {
			t.Errorf("%s: %s", one.Name, one.Problem)
		}
	}
	var listens []string
	for _, environment := range []string{"development", "staging", "production"} {
		def := define(t, a, deployment.Request{Name: "my-app", Version: "v2.0.0", Platform: "process", Environment: environment}, nil)
		var s processSpec
		if ds := schema.Decode(def.Components[0].Spec, &s); ds.HasErrors() {
			t.Fatal(ds)
		}
		if want := filepath.Join(c.Dir, "bin/my-app/v2.0.0"); s.Artifact != want {
			t.Errorf("artifact %s, want %s", s.Artifact, want)
		}
		if slices.Contains(listens, s.Ports["http"].Listen) {
			t.Errorf("%s listens on %s, as another environment does", environment, s.Ports["http"].Listen)
		}
		listens = append(listens, s.Ports["http"].Listen)
		if def.Policy.Bake != 10*time.Second || len(def.Components) != 1 || len(def.Components[0].Checks) != 1 {
			encoded, _ := json.Marshal(def)
			t.Errorf("got %s", encoded)
		}
	}
	if def := define(t, a, deployment.Request{Name: "my-app", Version: "v1.9.0"}, nil); def.Environment != "development" {
		t.Errorf("without an environment it is %s", def.Environment)
	}
}
