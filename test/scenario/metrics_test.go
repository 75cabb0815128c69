package scenario_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// metrics returns the series of /metrics whose names begin so, with their
// values.
func metrics(t *testing.T, h *harness.Host, prefix string) map[string]float64 {
	t.Helper()
	answer := h.REST("GET", "/metrics", "")
	if answer.Status != 200 {
		t.Fatalf("metrics: %d %s", answer.Status, answer.Body)
	}
	values := map[string]float64{}
	for line := range strings.Lines(answer.Body) {
		line = strings.TrimSpace(line)
		if at := strings.LastIndexByte(line, ' '); at > 0 && strings.HasPrefix(line, prefix) {
			value, err := strconv.ParseFloat(line[at+1:], 64)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			values[line[:at]] = value
		}
	}
	return values
}

// metric returns the value of one series; -1: there is none.
func metric(t *testing.T, h *harness.Host, series string) float64 {
	t.Helper()
	if value, there := metrics(t, h, series)[series]; there {
		return value
	}
	return -1
}

// labels of the families that are by version.
func of(family, version string) string {
	return fmt.Sprintf(`%s{environment="test",platform="process",version=%q}`, family, version)
}

// counted are the families of deployments that ended.
func counted(t *testing.T, h *harness.Host) map[string]float64 {
	t.Helper()
	all := metrics(t, h, "deployment_total")
	for _, family := range []string{"deployment_rollback_total", "apm_deployments_total", "deployment_duration_seconds"} {
		for series, value := range metrics(t, h, family) {
			all[series] = value
		}
	}
	return all
}

// TestMetrics follows the five families through a deployment that is completed,
// one that goes back by itself, one that a person rolls back, and restarts.
func TestMetrics(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	h.Artifact("v1", "v2", "v3")
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{{Name: "web", Listen: h.Address()}, {Name: "db", Listen: h.Address()}}})
	expect := func(when string, want map[string]float64) {
		t.Helper()
		got := map[string]float64{}
		for series := range want {
			got[series] = metric(t, h, series)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got; -1: no such series):\n%s", when, diff)
		}
	}
	status := func(version, status string) string {
		return fmt.Sprintf(`deployment_status{environment="test",platform="process",status=%q,version=%q}`, status, version)
	}

	// A series begins at 0 when its deployment is accepted, so that its first
	// increase is seen.
	h.Sicken("web", "v1")
	first := h.Deploy("shop", "v1")
	h.Await(first.ID, 0, harness.Type("candidate.ready", "web"))
	expect("while the first one runs", map[string]float64{
		of("deployment_total", "v1"): 0, of("deployment_rollback_total", "v1"): 0, of("deployment_duration_seconds", "v1"): -1, status("v1", "deploying"): 1,
		`apm_deployments_total{application="shop",environment="test",platform="process",result="completed"}`:   0,
		`apm_deployments_total{application="shop",environment="test",platform="process",result="rolled_back"}`: 0,
		`apm_plugin_up{platform="process"}`: 1,
	})
	h.Sicken("web")
	first = h.Ended(first.ID)
	expect("after it", map[string]float64{
		of("deployment_total", "v1"): 1, of("deployment_rollback_total", "v1"): 0, status("v1", "deploying"): -1, status("v1", "completed"): 1,
		of("deployment_duration_seconds", "v1"):                                                              first.EndedAt.Sub(first.AcceptedAt).Seconds(),
		`deployment_health_check_status{check_type="http",platform="process",status="healthy"}`:              2,
		`apm_deployments_total{application="shop",environment="test",platform="process",result="completed"}`: 1,
	})

	second := h.DeployRequest(apiv1.StartRequest{Name: "shop", Version: "v2", Policy: []byte(`{"bake":"10m"}`)})
	h.Await(second.ID, 0, harness.Status("verifying"))
	h.Sicken("web", "v2")
	h.Ended(second.ID)
	third := h.Quickly("shop", "v3")
	h.Rollback(third.ID, "")
	h.Ended(third.ID)
	want := map[string]float64{
		of("deployment_total", "v1"): 1, of("deployment_total", "v2"): 1, of("deployment_total", "v3"): 1,
		of("deployment_rollback_total", "v1"): 0, of("deployment_rollback_total", "v2"): 1, of("deployment_rollback_total", "v3"): 1,
		status("v3", "rolled_back"): 1, status("v1", "completed"): -1, status("v2", "rolled_back"): -1,
		`apm_deployments_total{application="shop",environment="test",platform="process",result="completed"}`:   2,
		`apm_deployments_total{application="shop",environment="test",platform="process",result="rolled_back"}`: 2,
	}
	expect("after rollbacks", want)
	lint(t, h)

	before := counted(t, h)
	for restart, end := range []func(){h.Stop, h.Kill9} {
		end()
		h.Start()
		if diff := cmp.Diff(before, counted(t, h)); diff != "" {
			t.Errorf("right after restart %d (-before +after):\n%s", restart+1, diff)
		}
		expect("right after a restart", want)
		lint(t, h)
	}
}

// lint holds /metrics against the rules of Prometheus.
func lint(t *testing.T, h *harness.Host) {
	t.Helper()
	answer := h.REST("GET", "/metrics", "")
	problems, err := promlint.New(strings.NewReader(answer.Body)).Lint()
	if err != nil {
		t.Fatalf("/metrics cannot be read: %v", err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}
