package judge_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/judge"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// asked are a picture's checks by name.
func asked(p picture.Picture) map[string]sdk.Check {
	checks := make(map[string]sdk.Check)
	for _, c := range judge.Judge(p, judge.Policy{}).Checks {
		checks[c.Name] = c
	}
	return checks
}

// TestChecks asks for the answers of single checks.
func TestChecks(t *testing.T) {
	t.Parallel()
	const (
		replicas, readiness, liveness = "replicas of deployment/api", "readiness of deployment/api/app", "liveness of deployment/api/app"
		startup, endpoints            = "startup of deployment/api/app", "endpoints of service/web"
	)
	a, b := pod("api-2-a"), pod("api-2-bb")
	two := func(at time.Duration, second ...func(*picture.Pod)) picture.Picture {
		p := drawn(at, deployment(2, a, pod("api-2-bb", second...)))
		p.Services = []picture.Service{service("web", p.Workloads[0].Pods...)}
		return p
	}
	killed := func(p *picture.Pod) {
		event("Warning", "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500")(p)
		event("Normal", "Killing", "Container app failed liveness probe, will be restarted")(p)
		p.Events[1].Count = 2
		p.Containers[0].Restarts, p.Containers[0].State.Since = 2, after(11*time.Second)
	}
	lost := func(p *picture.Pod) {
		unready(p)
		p.Conditions[0].Since = after(30 * time.Second)
	}
	dead := drawn(time.Minute, deployment(1, pod("api-2-a", unready, func(p *picture.Pod) { p.Node = "node-2" })))
	dead.Nodes = append(dead.Nodes, picture.Node{Name: "node-2", Reason: "NodeStatusUnknown"})
	dead.Services = []picture.Service{service("web", dead.Workloads[0].Pods...)}
	blind := drawn(time.Minute, deployment(2))
	blind.Blind = []string{"list pods in shop: forbidden"}
	blind.Services = []picture.Service{service("web")}
	wrong := drawn(time.Minute, deployment(2, a, b))
	wrong.Services = []picture.Service{service("web")}
	crash := drawn(time.Minute, deployment(2, pod("api-1-a", old), pod("api-1-b", old), pod("api-2-a", ends(2, 3, "Error"))))
	crash.Services = []picture.Service{service("web", crash.Workloads[0].Pods...)}
	for name, c := range map[string]struct {
		picture picture.Picture
		check   string
		status  sdk.CheckStatus
		what    string
		about   string
	}{
		"all ready":                      {two(time.Minute), readiness, sdk.CheckHealthy, "2 of 2 well", ""},
		"all there":                      {two(time.Minute), replicas, sdk.CheckHealthy, "2 of 2", ""},
		"all live":                       {two(time.Minute), liveness, sdk.CheckHealthy, "2 of 2 well", ""},
		"all reached":                    {two(time.Minute), endpoints, sdk.CheckHealthy, "2 ready addresses, 2 of them of the newest revision", ""},
		"one is starting":                {two(time.Minute, unready), readiness, sdk.CheckDegraded, "1 of 2 well: container app of pod api-2-bb runs and is not ready", "Container shop/api-2-bb/app"},
		"one is starting, its startup":   {two(time.Minute, unready, probes(true, true, true), func(p *picture.Pod) { p.Containers[0].Started = false }), startup, sdk.CheckDegraded, "has not started up yet", "Container shop/api-2-bb/app"},
		"one is not there":               {two(time.Minute, unready), replicas, sdk.CheckDegraded, "1 of 2", ""},
		"one crashes":                    {two(time.Minute, ends(2, 3, "Error")), readiness, sdk.CheckUnhealthy, "ended twice", "Container shop/api-2-bb/app"},
		"one has crashed once":           {two(time.Minute, ends(1, 3, "Error")), readiness, sdk.CheckDegraded, "", ""},
		"new one crashes":                {crash, readiness, sdk.CheckUnhealthy, "0 of 1 well", "Container shop/api-2-a/app"},
		"new one crashes, old are there": {crash, replicas, sdk.CheckHealthy, "2 of 2", ""},
		"new one crashes, old answer":    {crash, endpoints, sdk.CheckDegraded, "2 of old pods", ""},
		"killed by its probe":            {two(12*time.Second, killed), liveness, sdk.CheckUnhealthy, "statuscode: 500", "Container shop/api-2-bb/app"},
		"killed by its probe long ago":   {two(time.Hour, killed), liveness, sdk.CheckHealthy, "", ""},
		"its probe fails now":            {two(12*time.Second, event("Warning", "Unhealthy", "Liveness probe failed: 500")), liveness, sdk.CheckDegraded, "fails its liveness probe: 500", ""},
		"its probe failed long ago":      {two(time.Hour, event("Warning", "Unhealthy", "Liveness probe failed: 500")), liveness, sdk.CheckHealthy, "", ""},
		"the only one lost its health":   {drawn(time.Minute, deployment(1, pod("api-2-a", lost))), readiness, sdk.CheckUnhealthy, "", ""},
		"the only one was never ready":   {drawn(time.Minute, deployment(1, pod("api-2-a", unready))), readiness, sdk.CheckDegraded, "", ""},
		"another is still ready":         {two(time.Minute, lost), readiness, sdk.CheckDegraded, "", ""},
		"none is there":                  {drawn(time.Minute, deployment(2)), replicas, sdk.CheckUnhealthy, "0 of 2", ""},
		"none is wanted":                 {drawn(time.Minute, deployment(0)), replicas, sdk.CheckHealthy, "0 of 0", ""},
		"nobody could look":              {blind, replicas, sdk.CheckUnknown, "list pods in shop: forbidden", ""},
		"nobody could look at a Service": {blind, endpoints, sdk.CheckUnknown, "could not look", ""},
		"a selector is wrong":            {wrong, endpoints, sdk.CheckUnhealthy, "it has none at all", "Service shop/web"},
		"node down, readiness":           {dead, readiness, sdk.CheckDegraded, "node node-2", ""},
		"node down, replicas":            {dead, replicas, sdk.CheckDegraded, "0 of 1", ""},
		"node down, endpoints":           {dead, endpoints, sdk.CheckDegraded, "no ready address", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checks := asked(c.picture)
			got, there := checks[c.check]
			if !there {
				t.Fatalf("there is no check %q in %v", c.check, checks)
			}
			if got.Status != c.status || !strings.Contains(got.Message, c.what) || c.about != "" && got.Resource != c.about {
				t.Errorf("it is %s: %q about %s, want %s with %q about %s", answers[got.Status], got.Message, got.Resource, answers[c.status], c.what, c.about)
			}
		})
	}
}

// TestChecksOfOtherKinds asks what is asked of which kind.
func TestChecksOfOtherKinds(t *testing.T) {
	t.Parallel()
	generic := func(version, kind, status string) picture.Workload {
		return picture.Workload{Ref: ref(version, kind, "x"), Generic: &picture.Generic{Status: status}}
	}
	job := picture.Workload{Ref: ref("batch/v1", "Job", "x"), Desired: 1}
	failed := job
	failed.Conditions = []picture.Condition{{Type: "Failed", Status: "True", Reason: "BackoffLimitExceeded"}}
	cron := picture.Workload{Ref: ref("batch/v1", "CronJob", "x")}
	for name, c := range map[string]struct {
		workload picture.Workload
		want     map[string]sdk.CheckStatus
	}{
		"job at work":    {job, map[string]sdk.CheckStatus{"completion of job/x": sdk.CheckDegraded}},
		"job failed":     {failed, map[string]sdk.CheckStatus{"completion of job/x": sdk.CheckUnhealthy}},
		"cron job":       {cron, map[string]sdk.CheckStatus{"schedule of cronjob/x": sdk.CheckHealthy}},
		"current":        {generic("example.org/v1", "Database", "Current"), map[string]sdk.CheckStatus{"status of database/x": sdk.CheckHealthy}},
		"failed":         {generic("example.org/v1", "Database", "Failed"), map[string]sdk.CheckStatus{"status of database/x": sdk.CheckUnhealthy}},
		"unknown":        {generic("example.org/v1", "Database", "Unknown"), map[string]sdk.CheckStatus{"status of database/x": sdk.CheckUnknown}},
		"in progress":    {generic("example.org/v1", "Database", "InProgress"), map[string]sdk.CheckStatus{"status of database/x": sdk.CheckDegraded}},
		"VirtualService": {generic("networking.istio.io/v1", "VirtualService", "Current"), map[string]sdk.CheckStatus{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(map[string]sdk.CheckStatus)
			for name, check := range asked(drawn(time.Minute, c.workload)) {
				got[name] = check.Status
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("the checks are others (-want +got):\n%s", diff)
			}
		})
	}
}

// TestResources shows the tree of a rollout half way.
func TestResources(t *testing.T) {
	t.Parallel()
	p := drawn(time.Minute, deployment(
		2, pod("api-1-a", old), pod("api-1-b", old, going), pod("api-2-a"), pod("api-2-bb", ends(2, 3, "Error"), func(p *picture.Pod) { p.Containers[0].Restarts = 4 }),
	))
	p.Workloads[0].Revisions = append(p.Workloads[0].Revisions, picture.Revision{Ref: ref("apps/v1", "ReplicaSet", "api-0"), Number: "0"})
	p.Services = []picture.Service{service("web", p.Workloads[0].Pods[:3]...)}
	type row struct {
		ID, Parent     string
		Health         string
		Ready, Desired uint32
		Restarts       uint32
		Reason         string
	}
	var got []row
	for _, r := range judge.Judge(p, judge.Policy{}).Resources {
		got = append(got, row{r.ID, r.ParentID, words[r.Health], r.Ready, r.Desired, r.Restarts, r.Reason})
	}
	want := []row{
		{"Deployment shop/api", "", "failed", 2, 2, 4, sdk.CodeCrashLoop},
		{"ReplicaSet shop/api-2", "Deployment shop/api", "pending", 1, 2, 4, ""},
		{"ReplicaSet shop/api-1", "Deployment shop/api", "ready", 1, 1, 0, "Old"},
		{"Pod shop/api-1-a", "ReplicaSet shop/api-1", "ready", 1, 1, 0, ""},
		{"Container shop/api-1-a/app", "Pod shop/api-1-a", "ready", 0, 0, 0, ""},
		{"Pod shop/api-1-b", "ReplicaSet shop/api-1", "degraded", 1, 1, 0, "Terminating"},
		{"Container shop/api-1-b/app", "Pod shop/api-1-b", "ready", 0, 0, 0, ""},
		{"Pod shop/api-2-a", "ReplicaSet shop/api-2", "ready", 1, 1, 0, ""},
		{"Container shop/api-2-a/app", "Pod shop/api-2-a", "ready", 0, 0, 0, ""},
		{"Pod shop/api-2-bb", "ReplicaSet shop/api-2", "failed", 0, 1, 4, sdk.CodeCrashLoop},
		{"Container shop/api-2-bb/app", "Pod shop/api-2-bb", "failed", 0, 0, 4, sdk.CodeCrashLoop},
		{"Service shop/web", "", "ready", 3, 3, 0, ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the tree is another (-want +got):\n%s", diff)
	}
}

// TestEvidence is what comes with a failure: the last lines of the container that ended
// and the events, newest last.
func TestEvidence(t *testing.T) {
	t.Parallel()
	p := drawn(time.Minute, deployment(1, pod("api-2-a", ends(2, 3, "Error"), event("Warning", "BackOff", "Back-off restarting failed container"), func(p *picture.Pod) {
		p.Containers[0].LastLines = make([]picture.Line, 120)
		p.Containers[0].LastLines[119] = picture.Line{Text: "no database", At: after(9 * time.Second)}
	})))
	p.Workloads[0].Events = []picture.Event{
		{At: after(2 * time.Second), Type: "Normal", Reason: "ScalingReplicaSet", Message: "not shown"},
		{At: after(3 * time.Second), Type: "Warning", Reason: "FailedCreate", Message: "for once", Count: 3, Object: ref("apps/v1", "ReplicaSet", "api-2")},
	}
	f := judge.Judge(p, judge.Policy{}).Verdict.Failure
	if f == nil {
		t.Fatal("there is no failure")
	}
	want := []string{
		"2026-03-01T12:00:03Z Warning FailedCreate ReplicaSet shop/api-2 (3 times): for once",
		"2026-03-01T12:00:10Z Warning BackOff Pod shop/api-2-a: Back-off restarting failed container",
	}
	if diff := cmp.Diff(want, f.Events); diff != "" {
		t.Errorf("the events are others (-want +got):\n%s", diff)
	}
	if len(f.Logs) != sdk.MaxFailureLogs {
		t.Fatalf("there are %d lines", len(f.Logs))
	}
	last := sdk.LogLine{Resource: "Container shop/api-2-a/app", Line: "no database", Previous: true, Time: after(9 * time.Second)}
	if diff := cmp.Diff(last, f.Logs[sdk.MaxFailureLogs-1]); diff != "" {
		t.Errorf("the last line is another (-want +got):\n%s", diff)
	}
}

// TestIDs goes from an ID to the container and back.
func TestIDs(t *testing.T) {
	t.Parallel()
	p := ref("v1", "Pod", "api-0")
	for id, want := range map[string][]any{
		judge.ID(p):                 {"shop", "api-0", "", true},
		judge.ContainerID(p, "app"): {"shop", "api-0", "app", true},
		judge.ID(ref("apps/v1", "Deployment", "api")):           {"", "", "", false},
		judge.ID(ref("argoproj.io/v1alpha1", "Rollout", "api")): {"", "", "", false},
		"Rollout.argoproj.io shop/api":                          {"", "", "", false},
		"":                                                      {"", "", "", false},
	} {
		namespace, pod, container, ok := judge.ParseContainer(id)
		if diff := cmp.Diff(want, []any{namespace, pod, container, ok}); diff != "" {
			t.Errorf("%q (-want +got):\n%s", id, diff)
		}
	}
	if id := judge.ID(ref("argoproj.io/v1alpha1", "Rollout", "api")); id != "Rollout.argoproj.io shop/api" {
		t.Errorf("the ID of a Rollout is %q", id)
	}
	if id := judge.ID(ref("networking.k8s.io/v1", "Ingress", "api")); id != "Ingress shop/api" {
		t.Errorf("the ID of an Ingress is %q", id)
	}
}
