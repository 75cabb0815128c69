package platform_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/platform"
	"github.com/apm-deploy/apm/sdk"
)

const kubeconfig = `apiVersion: v1
kind: Config
current-context: prod
contexts:
- name: prod
  context: {cluster: main, user: admin, namespace: shop}
- name: staging
  context: {cluster: main, user: admin}
- name: lost
  context: {cluster: man, user: admin}
- name: nobody
  context: {cluster: main, user: amdin}
- name: program
  context: {cluster: main, user: program}
clusters:
- name: main
  cluster: {server: "https://127.0.0.1:1"}
users:
- name: admin
  user: {token: secret}
- name: program
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-program, interactiveMode: Never}
`

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// configure returns what Configure says, with FILE for the kubeconfig.
func configure(t *testing.T, config map[string]any) string {
	t.Helper()
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	p := platform.New(slog.New(slog.DiscardHandler), nil)
	diags, err := p.Configure(t.Context(), sdk.ConfigureRequest{Platform: "kubernetes", Config: data})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, d := range diags {
		lines = append(lines, d.String())
	}
	text := strings.Join(lines, "\n")
	if path, ok := config["kubeconfig"].(string); ok && path != "" {
		text = strings.ReplaceAll(text, path, "FILE")
	}
	return text
}

// TestBadConfigurations has a line for each mistake that can be told without the cluster.
func TestBadConfigurations(t *testing.T) {
	t.Parallel()
	good := file(t, kubeconfig)
	for name, tc := range map[string]struct {
		config map[string]any
		want   string
	}{
		"good":            {map[string]any{"kubeconfig": good}, ""},
		"another context": {map[string]any{"kubeconfig": good, "context": "staging"}, ""},
		"wrong context":   {map[string]any{"kubeconfig": good, "context": "stagin"}, `context: FILE has no context "stagin"; did you mean "staging"? Else correct it`},
		"far context":     {map[string]any{"kubeconfig": good, "context": "zebra"}, `context: FILE has no context "zebra"; there are lost, nobody, prod, program, staging; correct it`},
		"no cluster":      {map[string]any{"kubeconfig": good, "context": "lost"}, `context: context "lost" of FILE refers to cluster "man", which is not in it; did you mean "main"? Else add it`},
		"no user":         {map[string]any{"kubeconfig": good, "context": "nobody"}, `context: context "nobody" of FILE refers to user "amdin", who is not in it; did you mean "admin"? Else add it`},
		"no program":      {map[string]any{"kubeconfig": good, "context": "program"}, `kubeconfig: user "program" of FILE gets credentials from the program "no-such-program", which cannot be run: exec: "no-such-program": executable file not found in $PATH; install it, or add its directory to the PATH of the host`},
		"no file":         {map[string]any{"kubeconfig": filepath.Join(t.TempDir(), "none")}, "kubeconfig: there is no file FILE; correct kubeconfig, or leave it out within a cluster"},
		"no kubeconfig":   {map[string]any{"kubeconfig": file(t, "kind: Config\napiVersion: v1\n")}, "kubeconfig: FILE has no context; name the file that kubectl uses"},
		"no YAML":         {map[string]any{"kubeconfig": file(t, "contexts: [")}, `kubeconfig: FILE is no kubeconfig: error loading config file "FILE": yaml: line 1: did not find expected node content; correct it`},
		"no current":      {map[string]any{"kubeconfig": file(t, strings.Replace(kubeconfig, "current-context: prod\n", "", 1))}, "kubeconfig: FILE has no current context; set context: there are lost, nobody, prod, program, staging"},
		"no certificate": {
			map[string]any{"kubeconfig": file(t, strings.Replace(kubeconfig, "token: secret", "client-certificate: /nowhere/c.pem, client-key: /nowhere/k.pem", 1))},
			`kubeconfig: context "prod" of FILE cannot be used: invalid configuration: [unable to read client-cert /nowhere/c.pem for admin due to open /nowhere/c.pem: no such file or directory, unable to read client-key /nowhere/k.pem for admin due to open /nowhere/k.pem: no such file or directory]; correct it`,
		},
		"relative":  {map[string]any{"kubeconfig": "some/file"}, `kubeconfig: kubeconfig "FILE" is not absolute; give the whole path`},
		"namespace": {map[string]any{"kubeconfig": good, "namespace": "My_Shop"}, `namespace: namespace "My_Shop" is no name of a namespace: lower case letters, digits and '-' are allowed; correct it`},
		"unknown":   {map[string]any{"kubeconfg": good}, `kubeconfg: unknown name "kubeconfg": known are kubeconfig, context, namespace`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := configure(t, tc.config); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// Without a kubeconfig it is the variable, and without that the pod, which this is not.
func TestKubeconfigByDefault(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	t.Setenv("KUBECONFIG", "")
	const want = `kubeconfig: no kubeconfig is given, and this is not a pod of a cluster; set kubeconfig, such as "~/.kube/config", or let the plugin have the variable KUBECONFIG`
	if got := configure(t, map[string]any{}); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	t.Setenv("KUBECONFIG", "/nowhere:"+file(t, kubeconfig))
	if got := configure(t, map[string]any{"context": "staging"}); got != "" {
		t.Errorf("by the variable: %s", got)
	}
}

func TestNotConfigured(t *testing.T) {
	t.Parallel()
	p := platform.New(slog.New(slog.DiscardHandler), nil)
	if _, _, err := p.Resolve(t.Context(), sdk.ResolveRequest{}); sdk.ReasonOf(err) != sdk.ReasonNotConfigured {
		t.Errorf("Resolve: %v", err)
	}
	if _, err := p.Deploy(t.Context(), sdk.DeployRequest{}); sdk.ReasonOf(err) != sdk.ReasonNotConfigured {
		t.Errorf("Deploy: %v", err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// A cluster that is down does not keep the platform from being configured: it is said by
// its health, and by each call.
func TestDown(t *testing.T) {
	t.Parallel()
	p := platform.New(slog.New(slog.DiscardHandler), nil)
	config, err := json.Marshal(map[string]string{"kubeconfig": file(t, kubeconfig)})
	if err != nil {
		t.Fatal(err)
	}
	if diags, err := p.Configure(t.Context(), sdk.ConfigureRequest{Config: config}); err != nil || len(diags) > 0 {
		t.Fatal(diags, err)
	}
	_, _, err = p.Resolve(t.Context(), sdk.ResolveRequest{Target: sdk.Target{Component: "api", Spec: []byte("{}")}})
	if sdk.CodeOf(err) != sdk.Unavailable || !strings.Contains(err.Error(), "nothing listens at 127.0.0.1:1") {
		t.Errorf("Resolve: %v", err)
	}
	err = p.Health(t.Context(), func(h sdk.Health) error {
		if h.State != sdk.HealthUndetected || !strings.Contains(h.Description, "nothing listens at 127.0.0.1:1") {
			t.Errorf("health %+v", h)
		}
		return errEnough
	})
	if !errors.Is(err, errEnough) {
		t.Errorf("Health: %v", err)
	}
}

var errEnough = errors.New("enough")
