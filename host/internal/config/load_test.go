package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/apm-deploy/apm/host/internal/config"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

func TestListenOn(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"config.hcl": minimal, "anonymous.hcl": "server { anonymous = \"viewer\" }\n"})
	for name, c := range map[string]struct {
		file, listen string
		says         []string // nothing: it is taken
	}{
		"a port":                     {"config.hcl", "localhost:9090", nil},
		"every address":              {"config.hcl", "0.0.0.0:9090", nil},
		"no port":                    {"config.hcl", "localhost", []string{`"localhost" is no address`, "write host:port"}},
		"a port too high":            {"config.hcl", "localhost:65536", []string{"is no address", "write host:port"}},
		"anonymous":                  {"anonymous.hcl", "[::1]:9090", nil},
		"anonymous on every address": {"anonymous.hcl", "0.0.0.0:9090", []string{"server.anonymous of", "on loopback only", "remove it"}},
		"anonymous on another host":  {"anonymous.hcl", "apm.example:9090", []string{"on loopback only"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings, err := config.Load(filepath.Join(dir, c.file))
			if err != nil {
				t.Fatal(err)
			}
			err = settings.ListenOn(c.listen)
			if (err == nil) != (c.says == nil) {
				t.Fatalf("error %v", err)
			}
			if want := map[bool]string{true: c.listen, false: "localhost:8080"}[err == nil]; settings.Server.Listen != want {
				t.Errorf("it listens on %q, want %q", settings.Server.Listen, want)
			}
			for _, text := range c.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%v does not say %q", err, text)
				}
			}
		})
	}
}

func TestLoad(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	here, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load("testdata/config.hcl")
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Config{
		File: "testdata/config.hcl", Dir: here, DataDir: "/home/ada/.local/share/apm",
		Server: config.Server{
			Listen: "localhost:8080", AllowedHosts: []string{"localhost", "127.0.0.1", "[::1]"},
			AllowedOrigins: []string{"http://localhost:8080"}, Anonymous: deployment.RoleViewer,
			WebSocket: config.WebSocket{Ping: 5 * time.Second, Idle: 20 * time.Second, Buffer: 64},
		},
		DefaultPlatform: "process", DefaultEnvironment: "development",
		ApplicationGlobs: []string{filepath.Join(here, "applications/*.hcl")},
		Keep:             config.Keep{Count: 20, Age: (30*24 + 12) * time.Hour},
	}
	if diff := cmp.Diff(want, c, cmpopts.IgnoreUnexported(config.Config{})); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if want := filepath.Join(here, "apm.lock.hcl"); c.LockPath() != want {
		t.Errorf("lock file %q, want %q", c.LockPath(), want)
	}
	wantPlugins := []config.Plugin{
		{Name: "process", Path: filepath.Join(here, "bin/plugins/apm-plugin-process"), LogLevel: "info"},
		{
			Name: "kubernetes", Path: filepath.Join(here, "bin/plugins/apm-plugin-kubernetes"), Dev: true, LogLevel: "debug",
			SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", Environment: []string{"KUBECONFIG", "HTTPS_PROXY"},
			MemoryLimit: 512 << 20, OpenFiles: 1024,
		},
	}
	if diff := cmp.Diff(wantPlugins, c.Plugins()); diff != "" {
		t.Errorf("plugins (-want +got):\n%s", diff)
	}
	wantPlatforms := []config.Platform{
		{Name: "process", Plugin: "process", Monitor: deployment.DefaultMonitor()},
		{Name: "kubernetes", Plugin: "kubernetes", Monitor: deployment.Monitor{Interval: 5 * time.Second, Timeout: 20 * time.Minute}},
		{Name: "prod-eu", Plugin: "kubernetes", Monitor: deployment.DefaultMonitor()},
	}
	if diff := cmp.Diff(wantPlatforms, c.Platforms(), cmpopts.IgnoreUnexported(config.Platform{})); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
}

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"config.hcl": `host { data_dir = "state" }`})
	c := load(t, dir)
	want := &config.Config{
		File: filepath.Join(dir, "config.hcl"), Dir: dir, DataDir: filepath.Join(dir, "state"),
		Server: config.Server{
			Listen: "localhost:8080", AllowedHosts: []string{"localhost", "127.0.0.1", "[::1]"},
			WebSocket: config.WebSocket{Ping: 15 * time.Second, Idle: time.Minute, Buffer: 256},
		},
		ApplicationGlobs: []string{filepath.Join(dir, "applications/*.hcl")},
		Keep:             config.Keep{Count: 50, Age: 90 * 24 * time.Hour},
	}
	if diff := cmp.Diff(want, c, cmpopts.IgnoreUnexported(config.Config{})); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestLoadSearches(t *testing.T) {
	here, xdg, home := t.TempDir(), t.TempDir(), t.TempDir()
	t.Chdir(here)
	t.Setenv("XDG_CONFIG_HOME", xdg)
	t.Setenv("HOME", home)
	if _, err := os.Stat("/etc/apm/config.hcl"); err == nil {
		t.Fatal("this machine has an /etc/apm/config.hcl: the search cannot be tested on it")
	}

	_, err := config.Load("")
	want := "there is no config.hcl; looked at config.hcl, " + xdg + "/apm/config.hcl, /etc/apm/config.hcl; write one there, or name one with --config-file"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	for _, place := range []string{filepath.Join(xdg, "apm", "config.hcl"), "config.hcl"} {
		put(t, filepath.Dir(place), filepath.Base(place), "")
		c, err := config.Load("")
		if err != nil || c.File != place {
			t.Errorf("found %v, %v; want %s", c, err, place)
		}
	}
}

func TestLoadWithoutHome(t *testing.T) {
	t.Setenv("HOME", "")
	dir := write(t, map[string]string{"config.hcl": "server {}\nhost {\n  data_dir = \"~/apm\"\n}\n"})
	_, err := config.Load(filepath.Join(dir, "config.hcl"))
	want := `config.hcl:3:14: data_dir is ~/apm, but HOME is not set; set HOME, or write host { data_dir = "/var/lib/apm" }, or name one with --data-dir
    data_dir = "~/apm"`
	if diff := cmp.Diff(want, problems(t, dir, err)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	put(t, dir, "config.hcl", "")
	_, err = config.Load(filepath.Join(dir, "config.hcl"))
	if got := problems(t, dir, err); !strings.Contains(got, "data_dir is ~/.local/share/apm, but HOME is not set") {
		t.Errorf("got %s", got)
	}
	for _, text := range []string{"", "host {\n  data_dir = \"~/apm\"\n}\n"} {
		put(t, dir, "config.hcl", text)
		c, err := config.LoadIn(filepath.Join(dir, "config.hcl"), filepath.Join(dir, "data"))
		if err != nil || c.DataDir != filepath.Join(dir, "data") {
			t.Errorf("with a data directory that is named elsewhere: %v", err)
		}
	}
	put(t, dir, "config.hcl", "host {\n  dir = \"data\"\n}\n")
	if _, err = config.LoadIn(filepath.Join(dir, "config.hcl"), dir); !strings.Contains(problems(t, dir, err), `unknown attribute "dir"`) {
		t.Errorf("what else is wrong is not told: %v", err)
	}
}

func TestLoadUnreadable(t *testing.T) {
	t.Parallel()
	dir := write(t, nil)
	put(t, dir, "folder/x", "")
	for name, want := range map[string]string{
		"absent.hcl": "absent.hcl: no such file or directory",
		"folder":     "folder: not a regular file",
	} {
		_, err := config.Load(filepath.Join(dir, name))
		if diff := cmp.Diff(want, problems(t, dir, err)); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
	}
}

func TestDecodePlatform(t *testing.T) {
	t.Setenv("APM_TEST_TOKEN", "hunter22")
	t.Setenv("HOME", "/home/ada")
	dir := write(t, map[string]string{"config.hcl": minimal + `
platform "other" {
  plugin     = "kubernetes"
  kubeconfig = "~/.kube/config"
  token      = "x-${env("APM_TEST_TOKEN")}"
  monitor { interval = "1s" }
}
platform "bad" {
  plugin     = "kubernetes"
  namespaces = "shop"
  kubeconfig = file(env("APM_TEST_TOKEN"))
}
`})
	c, s := load(t, dir), schema.MustOf(kubernetesConfig{})
	got, warnings, err := c.DecodePlatform("other", s)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("got warnings %v, error %v", warnings, err)
	}
	want := `{"kubeconfig":"/home/ada/.kube/config","namespace":"default","token":"x-hunter22"}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}

	var ds diag.Diagnostics
	ds.Errorf([]string{"token"}, "hunter22 is not accepted")
	ds.Warnf([]string{"namespace"}, "this is shared")
	wantProblems := `config.hcl:15:16: token: [sensitive] is not accepted
    token      = "x-${env("APM_TEST_TOKEN")}"
config.hcl:12:1: namespace: this is shared
    platform "other" {`
	if diff := cmp.Diff(wantProblems, render(dir, c.LocatePlatform("other", s, ds))); diff != "" {
		t.Errorf("located (-want +got):\n%s", diff)
	}

	_, _, err = c.DecodePlatform("bad", s)
	wantProblems = `config.hcl:20:3: unknown attribute "namespaces"; did you mean "namespace"?
    namespaces = "shop"
config.hcl:21:16: read the file: no such file or directory; name a file that can be read; relative paths begin where this file lies
    kubeconfig = file(env("APM_TEST_TOKEN"))`
	if diff := cmp.Diff(wantProblems, problems(t, dir, err)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if _, _, err := c.DecodePlatform("othr", s); deployment.CodeOf(err) != deployment.NotFound {
		t.Errorf("got %v, want not found", err)
	}
}
