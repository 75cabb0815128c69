package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// prescribed are findings of the linter on names that the product description
// prescribes.
var prescribed = map[string]string{
	"deployment_duration_seconds": "the description shows one value for the last deployment: a gauge, no histogram",
}

func TestMetricsPassTheLinter(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	h.complete(h.accept("v1"))
	problems, err := testutil.GatherAndLint(h.server.Registry())
	ok(t, err)
	for _, p := range problems {
		if prescribed[p.Metric] == "" {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestMetricsOfTheProductDescription: the five families, word for word but for
// the platform, which is the one of this test.
func TestMetricsOfTheProductDescription(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	has := func(lines ...string) {
		t.Helper()
		got := h.do(call{path: "/metrics"})
		if got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
		page := "\n" + string(got.body)
		for _, line := range lines {
			if !strings.Contains(page, "\n"+line+"\n") {
				t.Errorf("no line %s in\n%s", line, ours(page))
			}
		}
	}
	d := h.accept("v2.0.0")
	// A series begins at 0 when the deployment is accepted.
	has(
		`deployment_total{environment="production",platform="process",version="v2.0.0"} 0`,
		`deployment_rollback_total{environment="production",platform="process",version="v2.0.0"} 0`,
		`deployment_status{environment="production",platform="process",status="pending",version="v2.0.0"} 1`,
		`apm_deployments_total{application="my-app",environment="production",platform="process",result="completed"} 0`,
		`apm_plugin_up{platform="process"} 1`,
		`apm_websocket_clients 0`,
		`apm_websocket_messages_total 0`,
		`apm_events_total 1`,
		`apm_deployment_duration_seconds_count{environment="production",platform="process",result="completed"} 0`,
		`apm_deployment_duration_seconds_bucket{environment="production",platform="process",result="rolled_back",le="+Inf"} 0`,
	)
	for _, name := range []string{"pod-1", "pod-2", "pod-3"} {
		d.Components[0].Checks = append(d.Components[0].Checks, deployment.Check{Component: "web", Name: name, Type: "readiness", Status: deployment.Healthy})
	}
	h.complete(d)
	has(
		`deployment_total{environment="production",platform="process",version="v2.0.0"} 1`,
		`deployment_duration_seconds{environment="production",platform="process",version="v2.0.0"} 60`,
		`deployment_status{environment="production",platform="process",status="completed",version="v2.0.0"} 1`,
		`deployment_health_check_status{check_type="readiness",platform="process",status="healthy"} 3`,
		`deployment_rollback_total{environment="production",platform="process",version="v2.0.0"} 0`,
		`apm_deployments_total{application="my-app",environment="production",platform="process",result="completed"} 1`,
		`apm_events_total 3`,
	)
	h.rollBack(d)
	has(
		`deployment_total{environment="production",platform="process",version="v2.0.0"} 1`,
		`deployment_rollback_total{environment="production",platform="process",version="v2.0.0"} 1`,
		`deployment_status{environment="production",platform="process",status="rolled_back",version="v2.0.0"} 1`,
		`apm_deployments_total{application="my-app",environment="production",platform="process",result="completed"} 1`,
		`apm_deployments_total{application="my-app",environment="production",platform="process",result="rolled_back"} 1`,
	)
}

// TestEveryDurationIsInTheHistogram: also those between two scrapes, and those of
// before a restart.
func TestEveryDurationIsInTheHistogram(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	for _, took := range []time.Duration{4 * time.Second, time.Minute, 2 * time.Hour} {
		d := h.accept("v1")
		r := d.Run()
		r.LockedAt, r.EndedAt, r.Result = r.RequestedAt, r.RequestedAt.Add(took), deployment.Completed
		d.EndedAt, d.EndedBy = r.EndedAt, hostName
		h.commit(d)
	}
	const labels = `environment="production",platform="process",result="completed"`
	page := string(h.do(call{path: "/metrics"}).body)
	for _, line := range []string{
		`_bucket{` + labels + `,le="1"} 0`, `_bucket{` + labels + `,le="5"} 1`, `_bucket{` + labels + `,le="30"} 1`,
		`_bucket{` + labels + `,le="60"} 2`, `_bucket{` + labels + `,le="3600"} 2`, `_bucket{` + labels + `,le="+Inf"} 3`,
		`_sum{` + labels + `} 7264`, `_count{` + labels + `} 3`,
	} {
		if !strings.Contains(page, "\napm_deployment_duration_seconds"+line+"\n") {
			t.Errorf("no line %s in\n%s", line, ours(page))
		}
	}
}

// TestVersionSeriesAreBounded: only the last twenty versions of an application
// keep theirs.
func TestVersionSeriesAreBounded(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	other, err := h.engine.Start(t.Context(), deployment.Request{Name: "other", Version: "1.0", Environment: shop.Environment}, nil, person, nil)
	ok(t, err)
	h.complete(other)
	for i := range 25 {
		h.complete(h.accept("v" + string(rune('a'+i))))
	}
	page := string(h.do(call{path: "/metrics"}).body)
	if got := strings.Count(page, "\ndeployment_total{"); got != 21 {
		t.Errorf("%d series, want 20 of one application and 1 of another", got)
	}
	if !strings.Contains(page, `version="1.0"`) {
		t.Error("the versions of one application pushed out those of another")
	}
	if strings.Contains(page, `version="va"`) || !strings.Contains(page, `version="vy"`) {
		t.Error("kept the oldest instead of the newest")
	}
	if !strings.Contains(page, `apm_deployments_total{application="my-app",environment="production",platform="process",result="completed"} 25`) {
		t.Error("the total by result lost what was retired")
	}
}

// rollBack takes a completed deployment through a rollback.
func (h *host) rollBack(d *deployment.Deployment) {
	h.Helper()
	at := d.EndedAt.Add(60e9)
	d.Runs = append(d.Runs, deployment.Run{
		Number: 2, Kind: deployment.RunRollback, Trigger: deployment.TriggerUser, Actor: person, From: d.Version,
		RequestedAt: at, LockedAt: at, Steps: []deployment.Step{{Component: "web", Action: deployment.ActionRemove}},
	})
	h.commit(d, event(deployment.EventStatus, deployment.StatusPayload{Run: 2, Status: deployment.RollingBack}))
	r := d.Run()
	r.EndedAt, r.Result, r.Why = at.Add(30e9), deployment.RolledBack, "rolled back"
	d.EndedAt = r.EndedAt
	h.commit(d, event(deployment.EventStatus, deployment.StatusPayload{Run: 2, Status: deployment.RolledBack}))
}

// ours are the lines of a page that are about deployments.
func ours(page string) string {
	var lines []string
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "deployment_") || strings.HasPrefix(line, "apm_") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}
