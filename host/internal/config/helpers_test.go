package config_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/host/internal/config"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// processSpec is a spec as the plugin process has it.
type processSpec struct {
	Command   []string          `apm:"command,required" doc:"Program and arguments. No shell."`
	Directory string            `apm:"directory,path"`
	Env       map[string]string `apm:"env,sensitive"`
	Replicas  int               `apm:"replicas" default:"1"`
	Artifact  string            `apm:"artifact,path"`
	Files     []string          `apm:"files,path"`
	Ports     map[string]port   `apm:"port,block"`
	Mounts    []mount           `apm:"mount,block"`
	Limits    *limits           `apm:"limits,block"`
}

type port struct {
	Name     string `apm:"name,label"`
	Listen   string `apm:"listen,required"`
	Protocol string `apm:"protocol" default:"\"http\""`
}

type mount struct {
	From string `apm:"from,required,path"`
	To   string `apm:"to,required"`
}

type limits struct {
	Memory string `apm:"memory"`
	Files  int    `apm:"files" default:"1024"`
}

type kubernetesSpec struct {
	Manifests      []string          `apm:"manifests,path"`
	DeploymentName string            `apm:"deployment_name"`
	ServiceName    string            `apm:"service_name"`
	Image          map[string]string `apm:"image"`
	Labels         map[string]string `apm:"labels"`
}

type kubernetesConfig struct {
	Kubeconfig string `apm:"kubeconfig,path"`
	Namespace  string `apm:"namespace" default:"\"default\""`
	Token      string `apm:"token,sensitive"`
}

// plugins stands for the plugins behind the platforms: it decodes a spec and
// judges it as a plugin does.
type plugins struct {
	specs map[string]any // by platform
	down  string         // platform that is not ready
}

func standard() plugins {
	return plugins{specs: map[string]any{"process": processSpec{}, "kubernetes": kubernetesSpec{}, "prod-eu": kubernetesSpec{}}}
}

func (p plugins) Spec(_ context.Context, platform string) (schema.Schema, error) {
	if platform == p.down {
		return schema.Schema{}, &deployment.Error{Code: deployment.Unavailable, Message: "platform " + platform + " is not ready"}
	}
	return schema.Of(p.specs[platform])
}

func (p plugins) Validate(_ context.Context, platform string, spec []byte) (diag.Diagnostics, error) {
	if platform != "process" {
		return nil, nil
	}
	var s processSpec
	ds := schema.Decode(spec, &s)
	if len(s.Command) > 0 && s.Command[0] == "" {
		ds.Errorf([]string{"command", "0"}, "the program is empty")
	}
	if s.Replicas > 100 {
		ds.Errorf([]string{"replicas"}, "at most 100, not %d", s.Replicas)
	}
	if strings.Contains(s.Artifact, "latest") {
		ds.Warnf([]string{"artifact"}, "latest moves")
	}
	for name, value := range s.Env {
		if strings.Contains(value, "!") {
			ds.Errorf([]string{"env", name}, "%q holds a !", value)
		}
	}
	for name, port := range s.Ports {
		if !strings.Contains(port.Listen, ":") {
			ds.Errorf([]string{"port", name, "listen"}, "%q has no port", port.Listen)
		}
	}
	if s.Artifact == "" && s.Directory == "/nowhere" {
		ds.Errorf(nil, "there is nothing to run")
	}
	for i := range ds {
		if ds[i].Severity == diag.Error {
			ds[i].Detail = "mend it"
		}
	}
	return ds, nil
}

const minimal = `plugin "process" { path = "apm-plugin-process" }
plugin "kubernetes" { path = "apm-plugin-kubernetes" }
host { data_dir = "data" }
deployment {
  default_platform    = "process"
  default_environment = "development"
  process {}
  kubernetes {}
}
platform "prod-eu" { plugin = "kubernetes" }
`

// write makes a directory of files; config.hcl is minimal where it is not given.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if _, ok := files["config.hcl"]; !ok {
		put(t, dir, "config.hcl", minimal)
	}
	for name, content := range files {
		put(t, dir, name, content)
	}
	return dir
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, dir string) *config.Config {
	t.Helper()
	c, err := config.Load(filepath.Join(dir, "config.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// applications loads dir with the standard plugins.
func applications(t *testing.T, dir string) *config.Applications {
	t.Helper()
	return config.NewApplications(load(t, dir), standard())
}

// problems renders the problems of an error that must be Invalid, one a line,
// with the line of the file below.
func problems(t *testing.T, dir string, err error) string {
	t.Helper()
	var e *deployment.Error
	if !errors.As(err, &e) || e.Code != deployment.Invalid {
		t.Fatalf("got error %v, want one that is invalid", err)
	}
	for _, p := range e.Problems {
		if p.Remedy+e.Remedy == "" && !strings.HasSuffix(p.Message, " more problems") {
			t.Errorf("it does not say what to do: %s", p)
		}
	}
	return render(dir, e.Problems)
}

func render(dir string, list []deployment.Problem) string {
	var lines []string
	for _, p := range list {
		line := p.String()
		if p.Snippet != "" {
			line += "\n    " + strings.TrimSpace(p.Snippet)
		}
		lines = append(lines, line)
	}
	return strings.ReplaceAll(strings.Join(lines, "\n"), dir+"/", "")
}

func raw(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}
