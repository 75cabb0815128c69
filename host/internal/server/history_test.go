package server_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/api/client"
	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/server"
)

func TestHistoryOfADeployment(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	c := h.client(h.viewer)
	old := h.accept("v1")
	h.complete(old)
	d := h.accept("v2")
	h.commit(d) // under the lease, for the blob
	evidence := deployment.Evidence{
		Component: "web", Code: "CRASH_LOOP", Message: "exited 3 times", At: noon,
		Logs:   []deployment.LogLine{{Line: "panic", Time: noon}},
		Checks: []deployment.CheckRecord{{Check: "home", Observation: deployment.Observation{Status: deployment.Unhealthy, Latency: 1500 * time.Microsecond, At: noon}}},
	}
	content, err := json.Marshal(evidence)
	ok(t, err)
	ref := deployment.EvidenceRef{Key: "evidence/" + d.ID + "/web/1", Run: 1, Component: "web", Code: evidence.Code, At: noon}
	d.Components[0].Evidence = []deployment.EvidenceRef{ref}
	d.Components[0].Before = &deployment.SnapshotRef{Key: "snapshot/before", Digest: "sha256:1", View: map[string]string{"command": "server v1"}, TakenAt: noon}
	r := d.Run()
	r.LockedAt = r.RequestedAt
	r.Stages = []deployment.Stage{{Name: deployment.Preparing, StartedAt: noon, EndedAt: noon.Add(time.Second)}, {Name: deployment.Deploying, StartedAt: noon.Add(time.Second)}}
	r.Steps[0].StartedAt = noon
	r.Steps[0].Operations = []deployment.Operation{{ID: "op-1", Kind: deployment.OperationDeploy, IntentAt: noon}}
	ok(t, h.store.Commit(t.Context(), deployment.Change{
		Target: d.Target, Epoch: h.epoch(d.Target), Deployment: d,
		Blobs: []deployment.Blob{{Key: ref.Key, DeploymentID: d.ID, Data: content}},
	}))

	runs, err := c.Runs(t.Context(), d.ID)
	ok(t, err)
	if len(runs.Runs) != 1 || runs.Runs[0].Reason != "not given" || runs.Runs[0].Actor != "alice" || runs.Runs[0].Steps[0].Operations[0].ID != "op-1" {
		t.Errorf("runs: %+v", runs)
	}
	timeline, err := c.Timeline(t.Context(), d.ID)
	ok(t, err)
	var kinds []string
	for _, span := range timeline.Spans {
		kinds = append(kinds, span.Kind+" "+span.Name)
	}
	if diff := cmp.Diff([]string{"run run 1", "stage preparing", "stage deploying", "component web", "operation deploy web"}, kinds); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
	list, err := c.Evidence(t.Context(), d.ID)
	ok(t, err)
	if len(list.Evidence) != 1 || list.Evidence[0].ID != ref.Key || list.Evidence[0].Logs[0].Line != "panic" || list.Evidence[0].Checks[0].LatencyMS != 1.5 {
		t.Errorf("evidence: %+v", list)
	}
	snapshots, err := c.Snapshots(t.Context(), d.ID, "")
	ok(t, err)
	if len(snapshots.Contents) != 1 || snapshots.Contents[0].Which != "before" || snapshots.Contents[0].Diff != "" {
		t.Errorf("snapshots: %+v", snapshots)
	}
	releases, err := c.Releases(t.Context(), d.ID, old.ID)
	ok(t, err)
	if diff := releases.Contents[0].Diff; !strings.Contains(diff, "@@ -1,3 +1,3 @@\n server\n --version\n-v1\n+v2\n") {
		t.Errorf("diff of releases:\n%s", diff)
	}
	events, err := c.Events(t.Context(), old.ID, 0, 2)
	ok(t, err)
	if len(events.Events) != 2 || events.Next != 2 {
		t.Errorf("events: %+v", events)
	}
	if rest, err := c.Events(t.Context(), old.ID, events.Next, 2); err != nil || len(rest.Events) != 1 || rest.Next != 0 {
		t.Errorf("rest of the events: %+v, %v", rest, err)
	}
}

// TestDefaultOfTheRollbackCandidates: what ran before the deployment, and
// nothing where nothing did.
func TestDefaultOfTheRollbackCandidates(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	c := h.client(h.viewer)
	old := h.accept("v1")
	h.complete(old)
	d := h.accept("v2")
	candidates := func() v1.RollbackCandidate {
		t.Helper()
		list, err := c.RollbackCandidates(t.Context(), d.ID)
		ok(t, err)
		if len(list.Candidates) != 1 || list.Candidates[0].Version != "v1" || list.Candidates[0].DeploymentID != old.ID {
			t.Fatalf("candidates: %+v", list)
		}
		return list.Candidates[0]
	}
	if candidates().Default {
		t.Error("v1 did not run before v2, and yet is its default")
	}
	d.Previous = old.ID
	h.commit(d)
	if !candidates().Default {
		t.Error("v1 ran before v2, and is not its default")
	}
}

// TestEventsArePagedWithoutLoss: a page may be shorter than was asked for.
func TestEventsArePagedWithoutLoss(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	d := h.accept("v1")
	many := make([]deployment.Event, 1200)
	for i := range many {
		many[i] = event(deployment.EventResourceStatus, deployment.ResourcePayload{Component: "web"})
	}
	h.commit(d, many...)
	for _, limit := range []int{0, 7, 500} {
		got := uint64(0)
		for after := uint64(0); ; {
			page, err := h.client(h.viewer).Events(t.Context(), d.ID, after, limit)
			ok(t, err)
			for _, e := range page.Events {
				if got++; e.Seq != got {
					t.Fatalf("limit %d: event %d came as number %d", limit, e.Seq, got)
				}
			}
			if after = page.Next; after == 0 {
				break
			}
		}
		if got != 1201 {
			t.Errorf("limit %d: %d events, want 1201", limit, got)
		}
	}
}

func TestLogsKeepTheTail(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	d := h.accept("v1")
	logs, err := h.client(h.viewer).Logs(t.Context(), d.ID, client.LogOptions{Tail: 10})
	ok(t, err)
	var lines []string
	for _, line := range logs.Lines {
		lines = append(lines, line.Line)
	}
	if len(lines) != 10 || lines[0] != "line 290" || lines[9] != "line 299" || !slices.IsSortedFunc(logs.Lines, func(a, b v1.LogLine) int { return a.Time.Compare(b.Time) }) {
		t.Errorf("lines: %v", lines)
	}
}

func TestDryRunsAnswerThePlanAndChangeNothing(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	c := h.client(h.deployer)
	d := h.accept("v1")
	before, err := h.store.Deployment(t.Context(), d.ID)
	ok(t, err)
	for path, body := range map[string]string{
		"/api/v1/deployments?dry_run=true":                           `{"name":"my-app","version":"v2"}`,
		"/api/v1/deployments/" + d.ID + "/rollback":                  `{"dry_run":true}`,
		"/api/v1/deployments/" + d.ID[:8] + "/rollback?dry_run=true": "",
	} {
		got := h.do(call{method: http.MethodPost, path: path, token: h.deployer, body: body})
		var plan v1.Plan
		if got.status != http.StatusOK || json.Unmarshal(got.body, &plan) != nil || plan.Kind == "" || plan.Order == nil || plan.NotRestored == nil {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	plan, err := c.PlanStart(t.Context(), v1.StartRequest{Name: "my-app", Version: "v2"})
	ok(t, err)
	if plan.ExpectedSeconds != 90 || plan.Request == nil || plan.Request.Version != "v2" {
		t.Errorf("plan: %+v", plan)
	}
	if _, err := c.PlanRemove(t.Context(), "my-app", "production"); err != nil {
		t.Error(err)
	}
	after, err := h.store.Deployment(t.Context(), d.ID)
	ok(t, err)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("changed by a dry run:\n%s", diff)
	}
	if h.engine.starts.Load() != 1 {
		t.Errorf("%d starts, want 1", h.engine.starts.Load())
	}
}

func TestRollbackCancelRemove(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{})
	c := h.client(h.deployer)
	d := h.accept("v1")
	h.complete(d)
	rolled, err := c.Rollback(t.Context(), d.ID, v1.RollbackRequest{Reason: " Application\n\terrors detected\n", TargetVersion: "v1.9.0"}, "")
	ok(t, err)
	work, err := h.store.Work(t.Context(), shop)
	ok(t, err)
	if rolled.ID != d.ID || len(work.Commands) != 1 || work.Commands[0].Reason != "Application errors detected" || work.Commands[0].TargetVersion != "v1.9.0" {
		t.Errorf("rollback: %+v, commands %+v", rolled, work.Commands)
	}
	_, err = c.Cancel(t.Context(), d.ID, "", "")
	if p := client.AsProblem(err); p == nil || p.Status != http.StatusConflict || !strings.Contains(p.Error(), "apm deploy explain") {
		t.Errorf("cancel of a terminal one: %v", err)
	}
	removed, err := c.Remove(t.Context(), "my-app", "production", v1.RemoveRequest{Reason: "done"}, "")
	ok(t, err)
	if removed.Name != "my-app" || removed.Environment != "production" {
		t.Errorf("remove: %+v", removed)
	}
}

func TestDiffOfViews(t *testing.T) {
	t.Parallel()
	lines := func(from, to int) string {
		var b strings.Builder
		for i := from; i <= to; i++ {
			b.WriteString("line " + string(rune('a'+i)) + "\n")
		}
		return b.String()
	}
	tests := map[string]struct {
		from, to map[string]string
		want     string
	}{
		"equal":   {map[string]string{"f": "x\n"}, map[string]string{"f": "x"}, ""},
		"same":    {map[string]string{"f": "x"}, map[string]string{"f": "x"}, ""},
		"added":   {nil, map[string]string{"f": "x\ny\n"}, "--- a/f\n+++ b/f\n@@ -0,0 +1,2 @@\n+x\n+y\n"},
		"removed": {map[string]string{"f": "x"}, nil, "--- a/f\n+++ b/f\n@@ -1,1 +0,0 @@\n-x\n"},
		"two hunks": {
			map[string]string{"f": "1\n" + lines(0, 9) + "2\n"},
			map[string]string{"f": "one\n" + lines(0, 9) + "two\n"},
			"--- a/f\n+++ b/f\n@@ -1,4 +1,4 @@\n-1\n+one\n line a\n line b\n line c\n@@ -9,4 +9,4 @@\n line h\n line i\n line j\n-2\n+two\n",
		},
		"one hunk": {
			map[string]string{"f": "1\n" + lines(0, 5) + "2\n"},
			map[string]string{"f": "one\n" + lines(0, 5) + "2\n3\n"},
			"--- a/f\n+++ b/f\n@@ -1,4 +1,4 @@\n-1\n+one\n line a\n line b\n line c\n@@ -6,3 +6,4 @@\n line e\n line f\n 2\n+3\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, server.DiffViews(test.from, test.to)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
