package scenario_test

import (
	"encoding/json"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// gone is a target with a history: v1 was completed, v2 turned bad within the
// bake window and went back by itself.
func gone(t *testing.T) (h *harness.Host, first, second apiv1.Deployment) {
	t.Helper()
	h, _, d := shop(t, "v1")
	h.Artifact("v2")
	second = h.DeployRequest(apiv1.StartRequest{Name: "shop", Version: "v2", Reason: "New release", Policy: []byte(`{"bake":"10m"}`)})
	h.Await(second.ID, 0, harness.Status("verifying"))
	h.Sicken("web", "v2")
	return h, d[0], h.Ended(second.ID)
}

// told fails the test for each text that is not there.
func told(t *testing.T, r harness.Result, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.Stdout, text) {
			t.Errorf("it does not tell %q: %s", text, r)
		}
	}
}

// TestHistory reads what is recorded of a deployment that went back by itself.
func TestHistory(t *testing.T) {
	t.Parallel()
	h, _, d := gone(t)
	const why = "component web: check healthz failed 2 times in a row: GET http://"

	runs, err := h.Client.Runs(t.Context(), d.ID)
	if err != nil || len(runs.Runs) != 2 {
		t.Fatalf("runs: %+v, %v", runs, err)
	}
	deploy, back := runs.Runs[0], runs.Runs[1]
	if deploy.Kind != "deploy" || deploy.Trigger != "user" || deploy.Actor != "local" || deploy.Reason != "New release" ||
		deploy.From != "v1" || deploy.To != "v2" || deploy.Result != "failed" || deploy.Failure == nil || deploy.Failure.Code != "CHECK_FAILED" {
		t.Errorf("the deploy: %+v", deploy)
	}
	if back.Kind != "rollback" || back.Trigger != "policy" || back.Actor != "policy on_failure" || !strings.HasPrefix(back.Reason, why) ||
		back.From != "v2" || back.To != "v1" || back.Result != "rolled_back" {
		t.Errorf("the rollback: %+v", back)
	}
	var stages []string
	for _, run := range runs.Runs {
		for i, stage := range run.Stages {
			stages = append(stages, stage.Name)
			if stage.Run != run.Number || stage.EndedAt == nil || stage.EndedAt.Before(stage.StartedAt) ||
				i > 0 && !stage.StartedAt.Equal(*run.Stages[i-1].EndedAt) {
				t.Errorf("run %d has the stages %+v", run.Number, run.Stages)
			}
		}
	}
	if diff := cmp.Diff([]string{"pending", "preparing", "deploying", "verifying", "rolling_back"}, stages); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}

	timeline, err := h.Client.Timeline(t.Context(), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{"": true}
	for _, span := range timeline.Spans {
		names[span.Name] = true
	}
	kinds := map[string]int{}
	for _, span := range timeline.Spans {
		kinds[span.Kind]++
		if span.EndedAt == nil || span.EndedAt.Before(span.StartedAt) || span.StartedAt.Before(timeline.StartedAt) ||
			span.EndedAt.After(*timeline.EndedAt) || !names[span.Parent] {
			t.Errorf("span out of place: %+v", span)
		}
	}
	if diff := cmp.Diff(map[string]int{"run": 2, "stage": 5, "component": 2, "operation": 2, "candidate": 1, "bake": 1}, kinds); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}

	told(t, h.Must(0, "deploy", "history", d.ID[:8]),
		"shop v2 in test: rolled_back", "run 1  deploy v1 → v2", "by local: New release", "run 2  rollback v2 → v1", "by policy: "+why,
		"█", "operation deploy web", "    bake  ", "ended rolled_back: back on v1: "+why)
	lines := strings.Split(strings.TrimSpace(h.Must(0, "deploy", "history", d.ID, "-o", "jsonl").Stdout), "\n")
	var line apiv1.Run
	if len(lines) != 2 || json.Unmarshal([]byte(lines[1]), &line) != nil || !cmp.Equal(line, back) {
		t.Errorf("exported: %q", lines)
	}
}

// TestExplain shows verdict, evidence, what was done, and what runs now.
func TestExplain(t *testing.T) {
	t.Parallel()
	h, _, d := gone(t)
	told(t, h.Must(0, "deploy", "explain", d.ID),
		"shop v2 in test: rolled_back", "CHECK_FAILED", "suggestion: ", "kept", "before anything was undone",
		"status 503", "last log lines:", "│ ", "msg=listening version=v2", "run 2: rollback v2 → v1, by policy on_failure (policy)", "web v1 on process")
	evidence, err := h.Client.Evidence(t.Context(), d.ID)
	if err != nil || len(evidence.Evidence) != 1 {
		t.Fatalf("evidence: %+v, %v", evidence, err)
	}
	e := evidence.Evidence[0]
	if d.Failure == nil || e.ID != d.Failure.EvidenceID || e.Code != "CHECK_FAILED" || e.Component != "web" || len(e.Logs) == 0 || len(e.Resources) == 0 {
		t.Errorf("evidence: %+v", e)
	}
	var bad int
	for i, o := range e.Checks {
		if o.Status == "unhealthy" && strings.Contains(o.Message, "503") {
			bad++
		}
		if i > 0 && o.At.Before(e.Checks[i-1].At) {
			t.Errorf("the transcript is not in order: %+v", e.Checks)
		}
	}
	if bad < 2 { // two in a row are the verdict; another may come before it is acted on
		t.Errorf("the transcript has %d bad answers, want 2 at least: %+v", bad, e.Checks)
	}
	kept := harness.First(h.Events(d.ID), 0, harness.Type("evidence", "web"))
	if undone := harness.First(h.Events(d.ID), 0, harness.With("operation.started", "kind", "rollback")); kept < 0 || undone < kept {
		t.Errorf("evidence is event %d, the way back begins with %d", kept+1, undone+1)
	}
}

// TestLogs reads what the instances write, also of those that ended.
func TestLogs(t *testing.T) {
	t.Parallel()
	h, _, d := gone(t)
	told(t, h.Must(0, "deploy", "logs", d.ID), "web/", "listening", "version=v1")
	told(t, h.Must(0, "deploy", "logs", d.ID, "--previous", "--component", "web"), "listening", "version=v2", "bye")
	one := strings.Split(strings.TrimSpace(h.Must(0, "deploy", "logs", d.ID, "--tail", "1").Stdout), "\n")
	if len(one) != 1 {
		t.Errorf("the last line: %q", one)
	}
	if r := h.Must(7, "deploy", "logs", d.ID, "--component", "db"); !strings.Contains(r.Stderr, "db") {
		t.Errorf("logs of a component that is not there: %s", r)
	}
}

// TestFollowedLogs goes on over a deployment that replaces the instances and over a
// host that starts anew, and tells no line twice.
func TestFollowedLogs(t *testing.T) {
	t.Parallel()
	h, _, d := shop(t, "v1")
	h.Artifact("v2", "v3")
	follow := h.Begin("deploy", "logs", d[0].ID, "-f", "--component", "web")
	follow.Says("version=v1")
	h.Ended(h.DeployRequest(apiv1.StartRequest{Name: "shop", Version: "v2", Policy: []byte(`{"bake":"0s"}`)}).ID)
	follow.Says("version=v2")
	h.Stop()
	h.Start()
	h.Ended(h.DeployRequest(apiv1.StartRequest{Name: "shop", Version: "v3", Policy: []byte(`{"bake":"0s"}`)}).ID)
	follow.Says("version=v3")
	follow.Signal(syscall.SIGINT)
	r := follow.Wait()
	if r.Code != 130 {
		t.Errorf("left with Ctrl-C: %s", r)
	}
	shown := map[string]bool{}
	for line := range strings.Lines(r.Stdout) {
		if shown[line] {
			t.Errorf("%q came twice: %s", line, r)
		}
		shown[line] = true
	}
}

// TestContents compares what was deployed and what ran before, by redacted views.
func TestContents(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	h.Artifact("v1", "v2")
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{{
		Name: "web", Listen: h.Address(), Env: map[string]string{"PASSWORD": "hush-${version}"},
	}}})
	first, second := h.Quickly("shop", "v1"), h.Quickly("shop", "v2")
	releases, err := h.Client.Releases(t.Context(), second.ID, first.ID)
	if err != nil || len(releases.Contents) != 1 {
		t.Fatalf("releases: %+v, %v", releases, err)
	}
	release := releases.Contents[0]
	if release.Which != "release" || release.Revision != "v2" || release.View["command"] != "./server" || !strings.HasPrefix(release.View["env.PASSWORD"], "sha256:") ||
		!strings.Contains(release.Diff, "/release/env.PASSWORD") || strings.Contains(release.Diff, "/release/command") {
		t.Errorf("release: %+v", release)
	}
	snapshots, err := h.Client.Snapshots(t.Context(), second.ID, first.ID)
	if err != nil || len(snapshots.Contents) != 2 {
		t.Fatalf("snapshots: %+v, %v", snapshots, err)
	}
	before, after := snapshots.Contents[0], snapshots.Contents[1]
	if before.Which != "before" || before.Revision != "v1" || before.Empty || after.Which != "after" || after.Revision != "v2" ||
		before.ObservedDigest == after.ObservedDigest || !strings.Contains(after.Diff, "/after/env.PASSWORD") {
		t.Errorf("snapshots: %+v", snapshots.Contents)
	}
	if firsts, err := h.Client.Snapshots(t.Context(), first.ID, ""); err != nil || !firsts.Contents[0].Empty {
		t.Errorf("what ran before the first: %+v, %v", firsts, err)
	}
	for _, path := range []string{"/releases?against=" + first.ID, "/snapshots?against=" + first.ID, "", "/events", "/runs", "/timeline"} {
		if answer := h.REST("GET", "/api/v1/deployments/"+second.ID+path, ""); answer.Status != 200 || strings.Contains(answer.Body, "hush-") {
			t.Errorf("%s: %d, the password is in it: %s", path, answer.Status, answer.Body)
		}
	}
}

// TestList pages through deployments by filters.
func TestList(t *testing.T) {
	t.Parallel()
	h, first, second := gone(t)
	other := h.DeployRequest(apiv1.StartRequest{
		Name: "job", Version: "v2", Platform: "process", Environment: "other",
		Configuration: []byte(`{"command": ["/bin/sleep", "600"]}`), Policy: []byte(`{"bake": "50ms"}`),
	})
	h.Ends(other.ID, harness.End{Status: "completed", Path: harness.Forward})
	all := []string{other.ID, second.ID, first.ID}
	for name, test := range map[string]struct {
		options client.ListOptions
		want    []string
	}{
		"all":         {want: all},
		"application": {options: client.ListOptions{Application: "shop"}, want: all[1:]},
		"status":      {options: client.ListOptions{Status: "rolled_back,failed"}, want: all[1:2]},
		"version":     {options: client.ListOptions{Version: "v2"}, want: all[:2]},
		"environment": {options: client.ListOptions{Environment: "other"}, want: all[:1]},
		"platform":    {options: client.ListOptions{Platform: "kubernetes"}},
	} {
		var got []string
		for options := test.options; ; {
			options.Limit = 1
			page, err := h.Client.List(t.Context(), options)
			if err != nil || len(page.Deployments) > 1 {
				t.Fatalf("%s: %+v, %v", name, page, err)
			}
			for _, d := range page.Deployments {
				got = append(got, d.ID)
			}
			if options.Cursor = page.Next; page.Next == "" {
				break
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	told(t, h.Must(0, "deploy", "list", "--platform", "process", "--status", "rolled_back", "--limit", "10", "-o", "wide"), second.ID)
}
