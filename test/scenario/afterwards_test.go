package scenario_test

import (
	"slices"
	"strings"
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// seen waits until the target of the shop is so.
func seen(t *testing.T, h *harness.Host, what string, is func(apiv1.Target) bool) {
	t.Helper()
	harness.Eventually(t, what, func() (bool, string) {
		target, err := h.Client.Target(t.Context(), "shop", "test")
		if err != nil {
			return false, err.Error()
		}
		return is(target), target.Health + " " + strings.Join(target.Drifted, ",")
	})
}

// TestChecksGoOn looks at what runs after the deployment was completed: what
// turns bad is told, and nothing is undone.
func TestChecksGoOn(t *testing.T) {
	t.Parallel()
	h, address, d := shop(t, "v1", "v2")
	pid := h.Serves(address, "v2")
	healthy := func(target apiv1.Target) bool { return target.Health == "healthy" }
	seen(t, h, "all is well", healthy)

	h.Sicken("web", "v2")
	bad := h.Await(d[1].ID, d[1].Seq, harness.With("check.status", "status", "unhealthy"))
	if !strings.Contains(harness.Field(bad, "message"), "503") || harness.Field(bad, "name") != "healthz" {
		t.Errorf("the event: %s", bad.Data)
	}
	seen(t, h, "the target is unhealthy", func(target apiv1.Target) bool { return target.Health == "unhealthy" })
	now := h.Get(d[1].ID)
	if now.Status != "completed" || now.Reason != d[1].Reason || !now.Current {
		t.Errorf("it is %s: %s", now.Status, now.Reason)
	}
	if check := checkNamed(t, now, "healthz"); check.Status != "unhealthy" || check.Failures < 2 || check.Type != "http" || check.Since.IsZero() {
		t.Errorf("the check: %+v", check)
	}
	if got := metric(t, h, `deployment_health_check_status{check_type="http",platform="process",status="unhealthy"}`); got != 1 {
		t.Errorf("%v http checks are unhealthy by the metrics", got)
	}
	h.Must(0, "deploy", "explain", d[1].ID)

	h.Sicken("web")
	h.Await(d[1].ID, bad.Seq, harness.With("check.status", "status", "healthy"))
	seen(t, h, "all is well again", healthy)
	if got := metric(t, h, `deployment_health_check_status{check_type="http",platform="process",status="healthy"}`); got != 1 {
		t.Errorf("%v http checks are healthy by the metrics", got)
	}
	if got := h.Serves(address, "v2"); got != pid {
		t.Errorf("instance %s answers, before it %s", got, pid)
	}
	h.Ends(d[1].ID, harness.End{Status: "completed", Path: harness.Forward})
}

// checkNamed returns the check of that name in a status body, where it stands
// twice.
func checkNamed(t *testing.T, d apiv1.Deployment, name string) apiv1.HealthCheck {
	t.Helper()
	is := func(c apiv1.HealthCheck) bool { return c.Name == name }
	at := slices.IndexFunc(d.HealthChecks, is)
	if at < 0 {
		t.Fatalf("there is no check %s: %+v", name, d.HealthChecks)
	}
	for _, c := range d.Components {
		if i := slices.IndexFunc(c.Checks, is); i >= 0 && c.Checks[i] != d.HealthChecks[at] {
			t.Errorf("check %s of component %s is %+v, of the deployment %+v", name, c.Name, c.Checks[i], d.HealthChecks[at])
		}
	}
	return d.HealthChecks[at]
}

// looked is for Await: a drift that the host saw itself; the plugin may tell of
// the same in its own words.
func looked(e apiv1.Event) bool {
	return e.Type == "target.drift" && harness.Field(e, "component") == "web" && harness.Field(e, "observed") != ""
}

// TestDrift tells when somebody changes what runs, also while the host is down,
// and when it is again what was deployed.
func TestDrift(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t)
	marked(h, "v1", "v2")
	d := h.Quickly("shop", "v1")
	undo := tamper(t, h, "v1")
	drift := h.Await(d.ID, d.Seq, looked)
	for member, want := range map[string]string{"by": "unknown", "message": "what runs is not what was deployed", "revision": "v1", "resolved": ""} {
		if got := harness.Field(drift, member); got != want {
			t.Errorf("%s of the drift is %q, want %q", member, got, want)
		}
	}
	drifted := func(target apiv1.Target) bool { return slices.Equal(target.Drifted, []string{"web"}) }
	seen(t, h, "web has drifted", drifted)
	told(t, h.Must(0, "deploy", "explain", d.ID), "changed by somebody else: web")
	if got := h.Get(d.ID); got.Status != "completed" {
		t.Errorf("drift made it %s", got.Status)
	}
	undo()
	// A look in the middle of the undoing is another drift.
	over := h.Await(d.ID, drift.Seq, func(e apiv1.Event) bool { return looked(e) && harness.Field(e, "resolved") == "true" })
	seen(t, h, "web is as it was", func(target apiv1.Target) bool { return len(target.Drifted) == 0 })

	h.Stop()
	tamper(t, h, "v1")
	h.Start()
	h.Await(d.ID, over.Seq, looked)
	seen(t, h, "web has drifted while nobody looked", drifted)

	// The same version again is not unchanged, and puts it right; a dry run of it
	// does nothing of the kind.
	pid := h.Serves(address, "v1")
	told(t, h.Must(0, "deploy", "start", "--name", "shop", "--version", "v1", "--dry-run"), "web (process): deploy")
	seen(t, h, "a dry run changes nothing", drifted)
	again := h.Quickly("shop", "v1")
	if got := statuses(again)["web"]; got != "completed" || h.Serves(address, "v1") == pid {
		t.Errorf("web is %s, and instance %s answers as before", got, pid)
	}
	seen(t, h, "the deployment put it right", func(target apiv1.Target) bool { return len(target.Drifted) == 0 })
	h.Serves(address, "v1")
}
