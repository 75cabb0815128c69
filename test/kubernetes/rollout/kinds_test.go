package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/test/testbed"
)

// Kinds other than Deployments are followed to their end, and brought back.
func TestOtherKinds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := func(tag, job string) string {
		return strings.NewReplacer("IMAGE", r.node.Image(tag), "DONE", r.node.Image("v2-done"), "JOB", job).Replace(`
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: app, image: IMAGE}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: JOB}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: app, image: DONE}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 1 1 *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: app, image: IMAGE}]
`)
	}
	r.succeed("1", r.manifests("1", all("v1", "first")))
	v2 := r.manifests("2", all("v2", "second"))
	before := r.snapshot(&v2)
	r.succeed("2", v2)
	if r.has("job", "first") {
		t.Error("the Job of the release before is still there")
	}
	r.is(r.back(before.Snapshot), sdk.ResultSucceeded)
	r.wants("digest", r.snapshot(nil).ObservedDigest, before.ObservedDigest)
	if r.has("job", "second") || !r.has("job", "first") {
		t.Errorf("jobs: %s", r.kubectl("get", "job", "-o", "name"))
	}
}

// What Helm keeps is refused, with the command for it.
func TestKeptByHelmIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.node.Apply(t, r.namespace, app("api", r.node.Image("v1"), "one"))
	r.kubectl("annotate", "deployment", "api", "meta.helm.sh/release-name=web", "meta.helm.sh/release-namespace="+r.namespace)
	r.kubectl("label", "deployment", "api", "app.kubernetes.io/managed-by=Helm")
	for name, what := range map[string]sdk.Release{
		"images":    r.images("2", map[string]string{"app": r.node.Image("v2")}),
		"manifests": r.manifests("1", app("api", r.node.Image("v1"), "one")),
	} {
		_, err := r.Deploy(r.context(), sdk.DeployRequest{Operation: r.next(sdk.OperationDeploy), Target: r.target, Release: what})
		var e *sdk.Error
		if !asError(err, &e) || e.Reason != sdk.ReasonConflict || e.By != "Helm release "+r.namespace+"/web" || !strings.Contains(e.Message, "helm rollback web") {
			t.Errorf("%s: %v %+v", name, err, e)
		}
	}
}

// An API server that is away for a while ends nothing.
func TestGoesOnAfterAPIServerWasAway(t *testing.T) {
	t.Parallel()
	r := rigOn(t, testbed.Isolated(t))
	request := r.start("1", r.manifests("1", app("api", r.node.Image("v1"), "one", "APP_MODE=slow", "APP_DELAY=8s")))
	r.until(request.Operation, "that it is followed", line("Deployment "+r.namespace+"/api created"))
	r.node.Stop(t, testbed.APIServer)
	probe, err := r.Probe(r.context(), sdk.ProbeRequest{Target: r.target})
	if err != nil || len(probe.Checks) != 1 || probe.Checks[0].Status != sdk.CheckUnknown {
		t.Errorf("probe meanwhile: %+v, %v", probe, err)
	}
	timer := time.NewTimer(5 * time.Second)
	<-timer.C
	r.node.Start(t, testbed.APIServer)
	outcome, lines := r.lines(request.Operation)
	r.is(outcome, sdk.ResultSucceeded)
	if n := strings.Count(lines, "the cluster is down"); n > 10 {
		t.Errorf("%d lines say that the cluster is down", n)
	}
}
