package config_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/config"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// define must succeed.
func define(t *testing.T, a *config.Applications, req deployment.Request, last *deployment.Definition) deployment.Definition {
	t.Helper()
	def, warnings, err := a.Define(t.Context(), req, last)
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) > 0 {
		t.Fatalf("got warnings %v", warnings)
	}
	return def
}

func TestDefineShop(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	c, err := config.Load("testdata/config.hcl")
	if err != nil {
		t.Fatal(err)
	}
	a := config.NewApplications(c, standard())
	def := define(t, a, deployment.Request{Name: "shop", Version: "v7", Environment: "production"}, nil)

	at := func(p string) string { return filepath.Join(c.Dir, "applications", p) }
	check := deployment.CheckDefinition{Type: "http", Interval: 5 * time.Second, Timeout: 2 * time.Second, Passes: 2, Failures: 3}
	healthz, home, ping := check, check, check
	healthz.Name, healthz.HTTP = "healthz", &deployment.HTTPCheck{URL: "http://${address}/healthz", Method: "GET", Status: []int{200}, Latency: 500 * time.Millisecond}
	home.Name, home.HTTP = "home", &deployment.HTTPCheck{URL: "http://${address}/", Method: "GET", Status: []int{200}}
	ping.Type, ping.Name, ping.TCP = "tcp", "ping", &deployment.TCPCheck{Address: "127.0.0.1:5432"}
	want := []deployment.ComponentDefinition{
		{
			Name: "db", Platform: "prod-eu", Promotion: deployment.DefaultPromotion(), Monitor: deployment.DefaultMonitor(),
			Spec:   raw(`{"deployment_name":null,"image":null,"labels":null,"manifests":["` + at("k8s/db.yaml") + `"],"service_name":null}`),
			Checks: []deployment.CheckDefinition{ping},
		},
		{
			Name: "api", Platform: "prod-eu", DependsOn: []string{"db"}, Promotion: deployment.DefaultPromotion(), Monitor: deployment.DefaultMonitor(),
			Spec:   raw(`{"deployment_name":"shop-api","image":{"api":"registry.example/shop-api:v7"},"labels":null,"manifests":null,"service_name":"shop-api"}`),
			Checks: []deployment.CheckDefinition{healthz},
		},
		{
			Name: "web", Platform: "process", DependsOn: []string{"api"}, Monitor: deployment.DefaultMonitor(), Sensitive: []string{"env"},
			Promotion: deployment.Promotion{Steps: []int{10, 50, 100}, Pause: 30 * time.Second},
			Spec: raw(`{"artifact":"` + at("artifacts/web-v7.tar.gz") + `","command":["./web"],"directory":null,"env":null,"files":null,"limits":null,"mount":[],` +
				`"port":{"http":{"listen":"127.0.0.1:8088","protocol":"http"}},"replicas":6}`),
			Checks: []deployment.CheckDefinition{home},
		},
	}
	if diff := cmp.Diff(want, def.Components); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
	wantPolicy := deployment.Policy{
		OnFailure: deployment.OnFailureRollback, Concurrent: deployment.ConcurrentQueue, Bake: 10 * time.Minute,
		Timeouts: deployment.Timeouts{Preparing: 2 * time.Minute, Deploying: 20 * time.Minute, Verifying: 5 * time.Minute, RollingBack: 10 * time.Minute},
	}
	if diff := cmp.Diff(wantPolicy, def.Policy); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	staging := define(t, a, deployment.Request{Name: "shop", Version: "v7"}, nil)
	if staging.Environment != "staging" || staging.Policy.Bake != time.Minute || !strings.Contains(string(staging.Components[2].Spec), `"replicas":2`) {
		t.Errorf("staging is %s with bake %s and %s", staging.Environment, staging.Policy.Bake, staging.Components[2].Spec)
	}
}

const merging = `application "a" {
  component "a" {
    platform = "process"
    spec {
      command = ["./${component}", "${application}", "${environment}"]
      env     = { A = "1", B = "2" }
      port "http" { listen = "127.0.0.1:1" }
      port "admin" { listen = "127.0.0.1:2" }
      mount {
        from = "x"
        to   = "/x"
      }
      mount {
        from = "/y"
        to   = "/y"
      }
      limits { memory = "1G" }
    }
    check "http" "one" {
      url    = "http://${addresses.admin}/${version}"
      passes = 5
    }
    check "tcp" "two" { address = "${address}" }
  }
  environment "prod" {
    component "a" {
      spec {
        env = { A = "9" }
        port "http" { protocol = "tcp" }
        port "extra" { listen = "127.0.0.1:3" }
        mount {
          from = "z"
          to   = "/z"
        }
        limits { files = 5 }
      }
      check "http" "one" { passes = 1 }
      check "grpc" "three" {
        address = address
        tls     = true
      }
    }
    component "only-here" {
      depends_on = ["a"]
      spec { command = ["true"] }
    }
  }
}
`

func TestDefineMergesEnvironment(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"applications/a.hcl": merging})
	a := applications(t, dir)
	def := define(t, a, deployment.Request{Name: "a", Version: "v1", Environment: "prod"}, nil)
	wantSpec := `{"artifact":null,"command":["./a","a","prod"],"directory":null,"env":{"A":"9"},"files":null,"limits":{"files":5,"memory":"1G"},` +
		`"mount":[{"from":"` + dir + `/applications/z","to":"/z"}],` +
		`"port":{"admin":{"listen":"127.0.0.1:2","protocol":"http"},"extra":{"listen":"127.0.0.1:3","protocol":"http"},"http":{"listen":"127.0.0.1:1","protocol":"tcp"}},"replicas":1}`
	if diff := cmp.Diff(wantSpec, string(def.Components[0].Spec)); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	checks := def.Components[0].Checks
	if len(checks) != 3 || checks[0].Passes != 1 || checks[0].HTTP.URL != "http://${addresses.admin}/v1" ||
		checks[1].TCP.Address != "${address}" || checks[2].GRPC.Address != "${address}" || !checks[2].GRPC.TLS {
		t.Errorf("checks: %+v", checks)
	}
	if len(def.Components) != 2 || def.Components[1].Name != "only-here" || def.Components[1].Platform != "process" {
		t.Errorf("components: %+v", def.Components)
	}
	other := define(t, a, deployment.Request{Name: "a", Version: "v1"}, nil)
	if len(other.Components) != 1 || !strings.Contains(string(other.Components[0].Spec), dir+`/applications/x`) || other.Environment != "development" {
		t.Errorf("in %s: %+v", other.Environment, other.Components)
	}
}

func TestDefineRequestOverrides(t *testing.T) {
	t.Parallel()
	a := applications(t, write(t, map[string]string{"applications/a.hcl": merging}))
	def := define(t, a, deployment.Request{
		Name: "a", Version: "v1", Environment: "prod",
		Configuration: raw(`{"a":{"replicas":3,"env":{"C":7},"port":{"http":{"listen":"127.0.0.1:9"}},"mount":[{"from":"/m","to":"/${version}"}],"limits":{"memory":null}},"only-here":{"command":["false"]}}`),
		HealthChecks:  raw(`[{"type":"http","name":"one","component":"a","url":"http://${address}/new"},{"type":"tcp","name":"four","component":"only-here","address":"127.0.0.1:4","interval":"1s"}]`),
		Policy:        raw(`{"bake":"0s","on_failure":"leave","require_reason":true,"timeouts":{"deploying":"1h"}}`),
	}, nil)
	wantSpec := `{"artifact":null,"command":["./a","a","prod"],"directory":null,"env":{"C":"7"},"files":null,"limits":{"files":5,"memory":null},` +
		`"mount":[{"from":"/m","to":"/${version}"}],` +
		`"port":{"admin":{"listen":"127.0.0.1:2","protocol":"http"},"extra":{"listen":"127.0.0.1:3","protocol":"http"},"http":{"listen":"127.0.0.1:9","protocol":"tcp"}},"replicas":3}`
	if diff := cmp.Diff(wantSpec, string(def.Components[0].Spec)); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	if c := def.Components[0].Checks; len(c) != 3 || c[0].HTTP.URL != "http://${address}/new" || c[0].Passes != 2 {
		t.Errorf("checks: %+v", c)
	}
	if c := def.Components[1].Checks; len(c) != 1 || c[0].TCP.Address != "127.0.0.1:4" || c[0].Interval != time.Second {
		t.Errorf("checks: %+v", c)
	}
	want := deployment.DefaultPolicy()
	want.Bake, want.OnFailure, want.RequireReason, want.Timeouts.Deploying = 0, deployment.OnFailureLeave, true, time.Hour
	if diff := cmp.Diff(want, def.Policy); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
}

// The request itself is an application; the second time its name is enough.
func TestDefineFromRequestAlone(t *testing.T) {
	t.Parallel()
	a := applications(t, write(t, nil))
	first := define(t, a, deployment.Request{
		Name: "solo", Version: "v1", Environment: "production",
		Configuration: raw(`{"command":["/bin/solo","a"],"port":{"http":{"listen":"127.0.0.1:5"}},"env":{"A":"1"}}`),
		HealthChecks:  raw(`[{"type":"tcp","name":"up","address":"${address}"}]`),
		Policy:        raw(`{"bake":"1s"}`),
	}, nil)
	if len(first.Components) != 1 || first.Components[0].Name != "solo" || first.Components[0].Platform != "process" {
		t.Fatalf("got %+v", first)
	}
	second := define(t, a, deployment.Request{Name: "solo", Version: "v2"}, &first)
	want := first
	want.Version, want.Source.Request.Version = "v2", "v2"
	if diff := cmp.Diff(want, second, jsonEqual); diff != "" {
		t.Errorf("second (-want +got):\n%s", diff)
	}
	third := define(t, a, deployment.Request{
		Name: "solo", Version: "v3",
		Configuration: raw(`{"port":{"http":{"protocol":"tcp"}},"env":{"B":"2"}}`),
		HealthChecks:  raw(`[{"type":"tcp","name":"up","address":"127.0.0.1:6"},{"type":"tcp","name":"also","address":"127.0.0.1:7"}]`),
		Policy:        raw(`{"on_failure":"leave"}`),
	}, &second)
	wantSpec := `{"artifact":null,"command":["/bin/solo","a"],"directory":null,"env":{"B":"2"},"files":null,"limits":null,"mount":[],` +
		`"port":{"http":{"listen":"127.0.0.1:5","protocol":"tcp"}},"replicas":1}`
	if diff := cmp.Diff(wantSpec, string(third.Components[0].Spec)); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	if c := third.Components[0].Checks; len(c) != 2 || c[0].TCP.Address != "127.0.0.1:6" {
		t.Errorf("checks: %+v", c)
	}
	if third.Environment != "production" || third.Policy.Bake != time.Second || third.Policy.OnFailure != deployment.OnFailureLeave {
		t.Errorf("environment %s, policy %+v", third.Environment, third.Policy)
	}
	// Another plugin knows nothing of the old keys.
	fourth := define(t, a, deployment.Request{Name: "solo", Version: "v4", Platform: "prod-eu", Configuration: raw(`{"service_name":"s"}`)}, &third)
	if got := string(fourth.Components[0].Spec); strings.Contains(got, "command") || !strings.Contains(got, `"service_name":"s"`) {
		t.Errorf("spec %s", got)
	}
}

// A platform needs naming once only: a component that names none stays where it
// is in that environment.
func TestDefineStaysOnItsPlatform(t *testing.T) {
	t.Parallel()
	a := applications(t, write(t, map[string]string{
		"applications/shop.hcl": "application \"shop\" {\n  component \"web\" {\n    spec {}\n  }\n}\n",
	}))
	last := define(t, a, deployment.Request{Name: "shop", Version: "v1", Environment: "prod", Platform: "prod-eu"}, nil)
	gone := last
	gone.Components = []deployment.ComponentDefinition{{Name: "web", Platform: "gone"}}
	for name, c := range map[string]struct {
		request  deployment.Request
		last     *deployment.Definition
		platform string // the default needs a command
	}{
		"the same environment": {deployment.Request{Environment: "prod"}, &last, "prod-eu"},
		"another is named":     {deployment.Request{Environment: "prod", Platform: "kubernetes"}, &last, "kubernetes"},
		"another environment":  {deployment.Request{Environment: "test"}, &last, ""},
		"it is gone":           {deployment.Request{Environment: "prod"}, &gone, ""},
		"nothing before":       {deployment.Request{Environment: "prod"}, nil, ""},
	} {
		c.request.Name, c.request.Version = "shop", "v2"
		def, _, err := a.Define(t.Context(), c.request, c.last)
		if c.platform == "" {
			if err == nil || !strings.Contains(err.Error(), `missing "command"`) {
				t.Errorf("%s: %v", name, err)
			}
		} else if err != nil || def.Components[0].Platform != c.platform {
			t.Errorf("%s: %+v, %v", name, def.Components, err)
		}
	}
}

// The platform of the last deployment is not there any more.
func TestDefineLastPlatformGone(t *testing.T) {
	t.Parallel()
	a := applications(t, write(t, nil))
	last := deployment.Definition{Source: deployment.Source{Request: deployment.Request{Name: "solo", Platform: "gone", Configuration: raw(`{"command":["x"]}`)}}}
	_, _, err := a.Define(t.Context(), deployment.Request{Name: "solo", Version: "v2"}, &last)
	want := `the platform of the last deployment is not configured any more; platform: there is no platform "gone"; known platforms: process, kubernetes, prod-eu; name another one`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// jsonEqual compares JSON by what it means.
var jsonEqual = cmp.Comparer(func(a, b json.RawMessage) bool {
	var x, y any
	if len(a) == 0 || len(b) == 0 || json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return string(a) == string(b)
	}
	return cmp.Equal(x, y)
})

// The file is gone: its stored text says what the application is.
func TestDefineFromStoredFile(t *testing.T) {
	t.Parallel()
	text := `application "a" {
  component "a" {
    spec {
      command  = ["./a-${version}"]
      artifact = "dist/${version}"
    }
  }
}
`
	before, after := write(t, map[string]string{"applications/a.hcl": text}), write(t, nil)
	first := define(t, applications(t, before), deployment.Request{Name: "a", Version: "v1", Environment: "blue", Platform: "process"}, nil)
	if first.Source.File != filepath.Join(before, "applications/a.hcl") || string(first.Source.Content) != text {
		t.Fatalf("source: %+v", first.Source)
	}
	second := define(t, applications(t, after), deployment.Request{Name: "a", Version: "v2"}, &first)
	if second.Environment != "blue" || !strings.Contains(string(second.Components[0].Spec), before+`/applications/dist/v2"`) {
		t.Errorf("got %s, %s", second.Environment, second.Components[0].Spec)
	}
	if string(second.Source.Content) != text || second.Source.File != first.Source.File {
		t.Errorf("source: %+v", second.Source)
	}
}

func TestDefineWarns(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"applications/a.hcl": strings.Replace(merging, `limits {`, "artifact = \"latest\"\n      limits {", 1)})
	_, warnings, err := applications(t, dir).Define(t.Context(), deployment.Request{Name: "a", Version: "v1", Environment: "prd"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `environment: applications/a.hcl has no block for environment "prd"; did you mean "prod"?
applications/a.hcl:17:18: artifact: latest moves
    artifact = "latest"`
	if diff := cmp.Diff(want, render(dir, warnings)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	for _, w := range warnings {
		if !w.Warning {
			t.Errorf("%v is no warning", w)
		}
	}
}

func TestDefinePlatformNotReady(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"applications/a.hcl": merging})
	p := standard()
	p.down = "process"
	_, _, err := config.NewApplications(load(t, dir), p).Define(t.Context(), deployment.Request{Name: "a", Version: "v1"}, nil)
	if deployment.CodeOf(err) != deployment.Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}
}
