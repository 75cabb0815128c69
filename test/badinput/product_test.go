package badinput_test

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// exampleID is the one of the product description.
const exampleID = "550e8400-e29b-41d4-a716-446655440000"

// TestProduct types the lines of the product description as they stand, but for
// the id, on a host whose platform is only called kubernetes.
func TestProduct(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	h.WriteConfig(h.DefaultConfig() + "platform \"kubernetes\" {\n  plugin = \"process\"\n  monitor { interval = \"200ms\" }\n}\n")
	h.Artifact("v1.9.0", "v2.0.0")
	address := h.Address()
	h.Write("applications/my-app.hcl", `application "my-app" {
  default_environment = "production"
  policy { bake = "100ms" }
  component "my-app" {
    spec {
      artifact = "`+h.Path("artifacts")+`/${version}"
      command  = ["./server"]
      env      = { DEMO_VERSION = version }
      port "http" { listen = "`+address+`" }
    }
`+harness.HTTPCheck("healthz", "http://${address}/healthz")+`
  }
}
`)
	h.Start()
	shell := func(code int, line string) harness.Result {
		t.Helper()
		r := h.Run(harness.Command{Program: "/bin/sh", Arguments: []string{"-c", `apm() { "` + harness.Binary(t, "apm") + `" "$@"; }; ` + line}})
		if r.Code != code {
			t.Fatalf("%s: exit code %d, want %d: %s%s", line, r.Code, code, r.Stdout, r.Stderr)
		}
		printable(t, r.Stdout+r.Stderr)
		return r
	}
	last := func() string {
		return strings.TrimSpace(shell(0, "apm deploy list --limit 1 --jq '.deployments[0].id'").Stdout)
	}
	serves := func(version string) {
		t.Helper()
		if got := h.Version(address); got != version {
			t.Errorf("%q is served, want %q", got, version)
		}
	}

	// What is not there is told as that.
	shell(7, "apm deploy status "+exampleID)
	shell(7, `apm deploy rollback `+exampleID+` --reason "Performance degradation"`)
	shell(7, "apm deploy rollback "+exampleID+" --dry-run")

	shell(0, "apm deploy start --name my-app --version v1.9.0 --platform kubernetes --environment production --watch")
	first := last()
	shell(0, "apm deploy start --name my-app --version v2.0.0 --platform kubernetes --environment production")
	second := last()
	if d := h.Ended(second); d.Status != "completed" || d.Version != "v2.0.0" || d.Environment != "production" || cmp.Diff([]string{"kubernetes"}, d.Platforms) != "" {
		t.Fatalf("it ended %+v", d)
	}
	serves("v2.0.0")
	if r := shell(0, "apm deploy status "+second); !strings.Contains(r.Stdout, "my-app v2.0.0 production  completed") {
		t.Errorf("status: %s", r.Stdout)
	}
	list := shell(0, "apm deploy list --platform kubernetes --status completed --limit 10").Stdout
	if !strings.Contains(list, first) || !strings.Contains(list, second) || strings.Count(list, "\n") != 3 {
		t.Errorf("list: %s", list)
	}
	plan := shell(0, "apm deploy rollback "+second+" --dry-run").Stdout
	if !strings.Contains(plan, "Rollback of my-app in production from v2.0.0 to v1.9.0") || !strings.Contains(plan, "$ ") {
		t.Errorf("the dry run shows no commands: %s", plan)
	}
	serves("v2.0.0")
	shell(0, `apm deploy rollback `+second+` --reason "Performance degradation"`)
	if d := h.Ended(second); d.Status != "rolled_back" {
		t.Fatalf("it ended %s: %s", d.Status, d.Reason)
	}
	serves("v1.9.0")
	runs, err := h.Client.Runs(t.Context(), second)
	if err != nil || len(runs.Runs) != 2 || runs.Runs[1].Reason != "Performance degradation" || runs.Runs[1].Trigger != "user" || runs.Runs[1].Actor != "local" {
		t.Errorf("runs %+v, %v", runs, err)
	}
	if audit := shell(0, "apm audit --limit 1").Stdout; !strings.Contains(audit, "Performance degradation") {
		t.Errorf("audit: %s", audit)
	}
	shell(0, "apm deploy start --name my-app --version v2.0.0 --watch")
	serves("v2.0.0")

	productREST(t, h)
	serves("v1.9.0")
}

// productREST sends the bodies of the product description as they stand, and reads
// the answers as it shows them.
func productREST(t *testing.T, h *harness.Host) {
	t.Helper()
	// This platform does not know the keys of kubernetes: it says so, and does nothing.
	problem(t, h, h.REST(http.MethodPost, "/api/v1/deployments", `{
  "name": "my-app",
  "version": "v2.0.0",
  "platform": "kubernetes",
  "environment": "production",
  "configuration": {
    "deployment_name": "my-app-deployment",
    "service_name": "my-app-service",
    "labels": {
      "app": "my-app",
      "version": "v2.0.0"
    }
  }
}`), 422, told{"body.configuration.deployment_name", `unknown key "deployment_name"`, "known here: "})
	accepted := h.REST(http.MethodPost, "/api/v1/deployments", `{"name": "my-app", "version": "v2.0.0", "platform": "kubernetes", "environment": "production"}`)
	var d apiv1.Deployment
	accepted.Decode(h, &d)
	if location := accepted.Header.Get("Location"); accepted.Status != http.StatusAccepted || location != "/api/v1/deployments/"+d.ID {
		t.Fatalf("%d, Location %q: %s", accepted.Status, location, accepted.Body)
	}
	words := updates(t, h, d.ID)
	if words["snapshot"] == 0 || words["deployment.status"] == 0 {
		t.Errorf("updates: %v", words)
	}
	// The status, with the members and types of the description.
	var status struct {
		ID, Name, Version, Status string
		Progress                  struct {
			Percentage   float64
			CurrentStep  int    `json:"current_step"`
			TotalSteps   int    `json:"total_steps"`
			CurrentStage string `json:"current_stage"`
		}
		HealthChecks []struct{ Name, Type, Status, Message string } `json:"health_checks"`
	}
	h.REST(http.MethodGet, "/api/v1/deployments/"+d.ID, "").Decode(h, &status)
	if status.ID != d.ID || status.Name != "my-app" || status.Version != "v2.0.0" || status.Status != "completed" || status.Progress.Percentage != 100 ||
		status.Progress.CurrentStep != status.Progress.TotalSteps || status.Progress.CurrentStage == "" || len(status.HealthChecks) == 0 {
		t.Errorf("status %+v", status)
	}
	for _, check := range status.HealthChecks {
		if check.Name == "" || check.Type == "" || check.Status != "healthy" || check.Message == "" {
			t.Errorf("check %+v", check)
		}
	}
	metrics := h.REST(http.MethodGet, "/metrics", "").Body
	const labels = `platform="kubernetes",environment="production",version="v2.0.0"`
	for _, series := range []string{
		`deployment_total{` + labels + `} \d+`,
		`deployment_duration_seconds{` + labels + `} [\d.]+`,
		`deployment_status{` + labels + `,status="completed"} 1`,
		`deployment_health_check_status{platform="kubernetes",check_type="http",status="healthy"} 1`,
		`deployment_rollback_total{` + labels + `} 1`,
	} {
		if !has(metrics, series) {
			t.Errorf("no series %s in\n%s", series, metrics)
		}
	}
	back := h.REST(http.MethodPost, "/api/v1/deployments/"+current(t, h)+"/rollback", `{
  "reason": "Application errors detected",
  "target_version": "v1.9.0"
}`)
	if back.Status != http.StatusAccepted {
		t.Fatalf("%d: %s", back.Status, back.Body)
	}
	back.Decode(h, &d)
	if d = h.Ended(d.ID); d.Status != "rolled_back" {
		t.Errorf("it ended %s: %s", d.Status, d.Reason)
	}
}

// current is the deployment that runs.
func current(t *testing.T, h *harness.Host) string {
	t.Helper()
	target, err := h.Client.Target(t.Context(), "my-app", "production")
	if err != nil || target.Current == "" {
		t.Fatalf("target %+v, %v", target, err)
	}
	return target.Current
}

// has says whether a series stands in the metrics, whatever the order of its labels.
func has(metrics, series string) bool {
	name, rest, _ := strings.Cut(series, "{")
	labels, value, _ := strings.Cut(rest, "} ")
	line := regexp.MustCompile(`(?m)^` + name + `\{(.*)\} (.*)$`)
	for _, found := range line.FindAllStringSubmatch(metrics, -1) {
		all := regexp.MustCompile(`^` + value + `$`).MatchString(found[2])
		for _, label := range strings.Split(labels, ",") {
			all = all && strings.Contains(found[1], label)
		}
		if all {
			return true
		}
	}
	return false
}

// updates reads what the script of the product description reads, until the
// deployment has ended, and counts the types.
func updates(t *testing.T, h *harness.Host, id string) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	connection, _, err := websocket.Dial(ctx, strings.Replace(h.URL(), "http", "ws", 1)+"/ws/deployments?deployment_id="+id, nil) //nolint:bodyclose // the connection owns it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.CloseNow() }()
	connection.SetReadLimit(1 << 20)
	types := map[string]int{}
	for {
		_, message, err := connection.Read(ctx)
		if err != nil {
			t.Fatalf("after %v: %v", types, err)
		}
		var update struct {
			Type string
			Data struct{ Status string }
		}
		if err := json.Unmarshal(message, &update); err != nil || update.Type == "" {
			t.Fatalf("%v: %s", err, message)
		}
		types[update.Type]++
		if strings.HasPrefix(update.Type, "deployment.") && update.Data.Status == "completed" {
			return types
		}
	}
}
