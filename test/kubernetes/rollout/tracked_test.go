package rollout_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/release"
	"github.com/apm-deploy/apm/sdk"
)

func (r *rig) names(version string) sdk.Release {
	r.Helper()
	return r.encoded(release.Release{Version: version, Workload: r.workload(), Service: "api"})
}

// A rollout that is under way already is followed; the way back is the newest earlier
// revision, of which only the template is known.
func TestTracksWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.node.Apply(t, r.namespace, app("api", r.node.Image("v1"), "one"))
	r.kubectl("rollout", "status", "deployment/api")
	r.kubectl("set", "image", "deployment/api", "app="+r.node.Image("v2"))
	r.kubectl("set", "env", "deployment/api", "ADDED=yes")

	what := r.names("v2")
	r.target.Version = "v2"
	before := r.snapshot(&what)
	if before.Snapshot.Empty {
		t.Fatal("there is an earlier revision, and the snapshot is empty")
	}
	r.succeed("v2", what)
	stamp := r.stamp("apps/v1 Deployment " + r.namespace + "/api")
	if stamp.Operation == "" || stamp.Created != "" {
		t.Errorf("stamp %+v", stamp)
	}
	plan, err := r.Plan(r.context(), sdk.PlanRequest{Kind: sdk.OperationRollback, Target: r.target, Snapshot: &before.Snapshot})
	if err != nil || len(plan.Steps) != 1 || !strings.Contains(plan.Steps[0].Command, "kubectl rollout undo deployment.apps/api --to-revision=") {
		t.Errorf("plan %+v, %v", plan.Steps, err)
	}
	if all := strings.Join(plan.NotRestored, "; "); !strings.Contains(all, "ConfigMap "+r.namespace+"/api") {
		t.Errorf("not restored: %s", all)
	}
	r.is(r.back(before.Snapshot), sdk.ResultSucceeded)
	if got := r.kubectl("get", "deployment", "api", "-o", image); got == r.node.Image("v2") && !strings.Contains(r.kubectl("get", "deployment", "api", "-o", "jsonpath={..env[*].name}"), "ADDED") {
		t.Logf("back at the revision between: %s", got)
	}
	r.wants("digest", r.snapshot(nil).ObservedDigest, before.Snapshot.Digest)
	// To empty nothing is deleted that others have made.
	r.is(r.back(sdk.Snapshot{Version: 1, Empty: true}), sdk.ResultSucceeded)
	if !r.has("deployment", "api") {
		t.Error("the Deployment of somebody else was deleted")
	}
	if s := r.stamp("apps/v1 Deployment " + r.namespace + "/api"); s.Operation != "" {
		t.Errorf("stamp %+v is left", s)
	}
}

// Without a rollout of the version the next one is waited for, and the snapshot is whole.
func TestTracksTheNextRollout(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.node.Apply(t, r.namespace, app("api", r.node.Image("v1"), "one"))
	r.kubectl("rollout", "status", "deployment/api")
	what := r.names("v2")
	r.target.Version = "v2"
	before := r.snapshot(&what)
	request := r.start("v2", what)
	r.until(request.Operation, "that it waits", func(e sdk.Event) bool {
		return e.State != nil && e.State.Phase == sdk.PhasePending && strings.Contains(e.State.Message, "waiting for a rollout")
	})
	r.restart()
	request.Operation.Epoch = r.epoch
	if recovery, err := r.Recover(r.context(), sdk.RecoverRequest{Operation: request.Operation, Target: r.target, Release: &what}); err != nil || recovery.Status != sdk.RecoverRunning {
		t.Fatalf("recover: %+v, %v", recovery, err)
	}
	r.node.Apply(t, r.namespace, app("api", r.node.Image("v2"), "two"))
	r.is(r.outcome(request.Operation), sdk.ResultSucceeded)
	r.is(r.back(before.Snapshot), sdk.ResultSucceeded)
	r.wants("digest", r.snapshot(&what).ObservedDigest, before.ObservedDigest)
	r.wants("setting", r.kubectl("get", "configmap", "api", "-o", "jsonpath={.data.setting}"), "one")
}

// A tracked rollout that cannot succeed has failed early.
func TestTrackedRolloutFails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.node.Apply(t, r.namespace, app("api", r.node.Image("v1"), "one"))
	r.kubectl("rollout", "status", "deployment/api")
	r.kubectl("set", "image", "deployment/api", "app="+r.node.Image("v2-crash"))
	what := r.names("v2")
	r.target.Version = "v2"
	before := r.snapshot(&what)
	outcome := r.deploy("v2", what)
	r.is(outcome, sdk.ResultFailed)
	if f := outcome.Failure; f == nil || f.Code != sdk.CodeCrashLoop || len(f.Logs) == 0 {
		t.Errorf("failure %+v", f)
	}
	r.is(r.back(before.Snapshot), sdk.ResultSucceeded)
	r.wants("image", r.kubectl("get", "deployment", "api", "-o", image), r.node.Image("v1"))
}

// A workload that is not there is refused, with the name that was meant.
func TestTrackedWorkloadMissing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.kubectl("create", "deployment", "apis", "--image="+r.node.Image("v1"), "--replicas=0")
	_, err := r.Deploy(r.context(), sdk.DeployRequest{Operation: r.next(sdk.OperationDeploy), Target: r.target, Release: r.names("v1")})
	if sdk.CodeOf(err) != sdk.NotFound || !strings.Contains(err.Error(), "apis") {
		t.Fatalf("error %v", err)
	}
}

// Whoever brings back what a rollback had undone is named within 10 s.
func TestWatchTargetTellsWhoUndoesARollback(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.succeed("1", r.manifests("1", app("api", r.node.Image("v1"), "one")))
	v2 := r.manifests("2", app("api", r.node.Image("v2"), "one"))
	before := r.snapshot(&v2)
	r.succeed("2", v2)
	r.is(r.back(before.Snapshot), sdk.ResultSucceeded)

	ctx, cancel := context.WithCancel(r.context())
	defer cancel()
	var first, drift *sdk.Event
	var changed, told time.Time
	err := r.WatchTarget(ctx, sdk.WatchTargetRequest{Target: r.target}, func(events ...sdk.Event) error {
		for _, e := range events {
			if first == nil {
				e := e.Clone()
				first = &e
				r.kubectl("set", "image", "deployment/api", "app="+r.node.Image("v2"), "--field-manager=robot")
				changed = time.Now()
			}
			if e.Drift != nil && drift == nil {
				e := e.Clone()
				drift, told = &e, time.Now()
				cancel()
			}
		}
		return ctx.Err()
	})
	if first == nil || first.State == nil || len(first.State.Resources) == 0 {
		t.Errorf("the first event is %+v", first)
	}
	if drift == nil || !drift.Drift.Undone || drift.Drift.By != "robot" {
		t.Fatalf("drift %+v, error %v", drift, err)
	}
	if took := told.Sub(changed); took > 10*time.Second {
		t.Errorf("told after %s", took)
	}
}

// Probe looks at what runs; what was deleted is unhealthy, and known by its name.
func TestProbeAndLogsAndInventory(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.succeed("1", r.manifests("1", app("api", r.node.Image("v1"), "one")))
	probe, err := r.Probe(r.context(), sdk.ProbeRequest{Target: r.target})
	if err != nil || len(probe.Checks) == 0 || probe.Addresses["http"] == "" || probe.ObservedDigest != r.snapshot(nil).ObservedDigest {
		t.Fatalf("probe %+v, %v", probe, err)
	}
	for _, c := range probe.Checks {
		if c.Status != sdk.CheckHealthy {
			t.Errorf("check %+v", c)
		}
	}
	var lines []string
	err = r.Logs(r.context(), sdk.LogsRequest{Target: r.target}, func(all ...sdk.LogLine) error {
		for _, l := range all {
			lines = append(lines, l.Resource+" "+l.Line)
		}
		return nil
	})
	if all := strings.Join(lines, "\n"); err != nil || !strings.Contains(all, "listens on") || !strings.HasPrefix(all, "Container "+r.namespace+"/api-") {
		t.Errorf("logs %q, %v", all, err)
	}
	items, err := r.Inventory(r.context(), r.options.Installation)
	if err != nil || len(items) != 1 || items[0].Component != "api" || items[0].Version != "1" || !strings.Contains(items[0].Description, "Deployment") {
		t.Errorf("inventory %+v, %v", items, err)
	}
	r.kubectl("delete", "deployment", "api")
	probe, err = r.Probe(r.context(), sdk.ProbeRequest{Target: r.target})
	if err != nil {
		t.Fatal(err)
	}
	gone := ""
	for _, c := range probe.Checks {
		if c.Status == sdk.CheckUnhealthy {
			gone += c.Name + ": " + c.Message
		}
	}
	if !strings.Contains(gone, "Deployment "+r.namespace+"/api") || !strings.Contains(gone, "gone") {
		t.Errorf("unhealthy: %q", gone)
	}
}
