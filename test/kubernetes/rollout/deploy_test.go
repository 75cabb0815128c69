package rollout_test

import (
	"testing"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/test/testbed"
)

// Manifests are applied with our stamps, followed until they serve, and what a release no
// longer has is deleted, if one of ours had created it.
func TestDeploysManifestsAndPrunes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.kubectl("create", "configmap", "theirs", "--from-literal=a=b")
	extra := "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {x: z}\n"
	theirs := "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: theirs}\ndata: {c: d}\n"

	v1 := r.manifests("1", app("api", r.node.Image("v1"), "one")+extra+theirs)
	before := r.snapshot(&v1)
	if before.Snapshot.Empty {
		t.Error("the snapshot is empty, although a ConfigMap that the release touches is there")
	}
	op := r.start("1", v1)
	again, err := r.Deploy(r.context(), op)
	if err != nil || again.IsZero() {
		t.Errorf("the same operation again: %v, %v", again, err)
	}
	other := op
	other.Operation.RequestDigest = "another"
	if _, err := r.Deploy(r.context(), other); sdk.ReasonOf(err) != sdk.ReasonOperationMismatch {
		t.Errorf("the same id with another digest: %v", err)
	}
	outcome := r.outcome(op.Operation)
	r.is(outcome, sdk.ResultSucceeded)
	if outcome.Addresses["http"] == "" {
		t.Errorf("addresses %v, want that of the Service", outcome.Addresses)
	}
	stamp := r.stamp("apps/v1 Deployment " + r.namespace + "/api")
	if stamp.Operation != op.Operation.ID || stamp.Created != op.Operation.ID || stamp.Version != "1" || stamp.Epoch != 1 {
		t.Errorf("stamp %+v", stamp)
	}

	r.succeed("2", r.manifests("2", app("api", r.node.Image("v2"), "two")))
	r.wants("image", r.kubectl("get", "deployment", "api", "-o", "jsonpath={.spec.template.spec.containers[0].image}"), r.node.Image("v2"))
	if r.has("configmap", "extra") {
		t.Error("what the release no longer has is still there")
	}
	if !r.has("configmap", "theirs") {
		t.Error("what no operation of ours has created was deleted")
	}
	if s := r.stamp("v1 ConfigMap " + r.namespace + "/theirs"); s.Operation != "" {
		t.Errorf("what is no longer ours carries the stamp %+v", s)
	}
}

// An image that is not there fails the operation at once, with what the node says.
func TestImageMissingFailsEarly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.succeed("1", r.manifests("1", app("api", r.node.Image("v1"), "one")))
	outcome := r.deploy("2", r.manifests("2", app("api", r.node.Image("nowhere"), "one")))
	r.is(outcome, sdk.ResultFailed)
	if f := outcome.Failure; f == nil || f.Code != sdk.CodeImageNotFound || f.Environment || len(f.Events) == 0 {
		t.Errorf("failure %+v", f)
	}
}

// What was expected is compared, and who has changed it is named.
func TestExpectedDigestNamesObjectAndManager(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.succeed("1", r.manifests("1", app("api", r.node.Image("v1"), "one")))
	v2 := r.manifests("2", app("api", r.node.Image("v2"), "two"))
	seen := r.snapshot(&v2)
	r.kubectl("label", "deployment", "api", "team=blue", "--field-manager=somebody")
	request := sdk.DeployRequest{Operation: r.next(sdk.OperationDeploy), Target: r.target, Release: v2, ExpectedDigest: seen.ObservedDigest}
	_, err := r.Deploy(r.context(), request)
	var e *sdk.Error
	if sdk.ReasonOf(err) != sdk.ReasonStateChanged || !asError(err, &e) || e.By != "somebody" || e.Resource != "apps/v1 Deployment "+r.namespace+"/api" {
		t.Fatalf("error %v %+v", err, e)
	}
	r.wants("image", r.kubectl("get", "deployment", "api", "-o", "jsonpath={.spec.template.spec.containers[0].image}"), r.node.Image("v1"))
	request.ExpectedDigest = r.snapshot(&v2).ObservedDigest
	if _, err := r.Deploy(r.context(), request); err != nil {
		t.Fatal(err)
	}
	r.is(r.outcome(request.Operation), sdk.ResultSucceeded)
}

// A field that somebody else owns is refused before anything is changed.
func TestConflictNamesManager(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.node.Apply(t, r.namespace, app("api", r.node.Image("v1"), "one"))
	v2 := r.manifests("2", app("api", r.node.Image("v2"), "two"))
	_, err := r.Deploy(r.context(), sdk.DeployRequest{Operation: r.next(sdk.OperationDeploy), Target: r.target, Release: v2})
	var e *sdk.Error
	if sdk.ReasonOf(err) != sdk.ReasonConflict || !asError(err, &e) || e.By == "" {
		t.Fatalf("error %v %+v", err, e)
	}
	r.wants("setting", r.kubectl("get", "configmap", "api", "-o", "jsonpath={.data.setting}"), "one")
}

// An object that does not fit its kind is refused, and not taken for a cluster that is down.
func TestMistypedIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v1 := r.manifests("1", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: odd}\ndata: {x: true}\n")
	_, err := r.Deploy(r.context(), sdk.DeployRequest{Operation: r.next(sdk.OperationDeploy), Target: r.target, Release: v1})
	if sdk.CodeOf(err) != sdk.InvalidArgument {
		t.Fatalf("error %v", err)
	}
}

// Somebody else who changes the workload meanwhile ends the operation, and is named.
func TestSupersededByAnother(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	request := r.start("1", r.manifests("1", app("api", r.node.Image("v1"), "one", "APP_MODE=slow", "APP_DELAY=60s")))
	r.until(request.Operation, "that the Deployment is there", line("Deployment "+r.namespace+"/api created"))
	r.kubectl("set", "image", "deployment/api", "app="+r.node.Image("v2"), "--field-manager=somebody")
	outcome := r.outcome(request.Operation)
	r.is(outcome, sdk.ResultSuperseded)
	r.wants("superseded by", outcome.SupersededBy, "somebody")
}

// Somebody who adds what the release says nothing about supersedes nothing.
func TestOthersMayAddFieldsMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	request := r.start("1", r.manifests("1", app("api", r.node.Image("v1"), "one", "APP_MODE=slow", "APP_DELAY=4s")))
	r.until(request.Operation, "that the Deployment is there", line("Deployment "+r.namespace+"/api created"))
	r.kubectl("label", "configmap", "api", "team=blue", "--field-manager=somebody")
	r.kubectl("annotate", "deployment", "api", "note=mine", "--field-manager=somebody")
	r.is(r.outcome(request.Operation), sdk.ResultSucceeded)
}

// Cancel ends the operation and leaves what was changed.
func TestCancel(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	request := r.start("1", r.manifests("1", app("api", r.node.Image("v1"), "one", "APP_MODE=slow", "APP_DELAY=60s")))
	r.until(request.Operation, "that the Deployment is there", line("Deployment "+r.namespace+"/api created"))
	if err := r.Cancel(r.context(), sdk.CancelRequest{Operation: request.Operation, Target: r.target}); err != nil {
		t.Fatal(err)
	}
	r.is(r.outcome(request.Operation), sdk.ResultCancelled)
	if !r.has("deployment", "api") {
		t.Error("the Deployment is gone")
	}
}

// A process that knows nothing goes on with what another one has begun, in each stage.
func TestRecoverAfterKill(t *testing.T) {
	t.Parallel()
	for name, stage := range map[string]func(sdk.Event) bool{
		"accepted": func(sdk.Event) bool { return true },
		"applying": line("ConfigMap"),
		"followed": line("Deployment"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.succeed("1", r.manifests("1", app("api", r.node.Image("v1"), "one")+"\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n"))
			request := r.start("2", r.manifests("2", app("api", r.node.Image("v2"), "two", "APP_MODE=slow", "APP_DELAY=3s")))
			r.until(request.Operation, name, stage)
			r.restart()
			request.Operation.Epoch = r.epoch
			recovery, err := r.Recover(r.context(), sdk.RecoverRequest{Operation: request.Operation, Target: r.target, Release: &request.Release})
			if err != nil || recovery.Status != sdk.RecoverRunning {
				t.Fatalf("recover: %+v, %v", recovery, err)
			}
			r.is(r.outcome(request.Operation), sdk.ResultSucceeded)
			r.wants("image", r.kubectl("get", "deployment", "api", "-o", "jsonpath={.spec.template.spec.containers[0].image}"), r.node.Image("v2"))
			r.wants("setting", r.kubectl("get", "configmap", "api", "-o", "jsonpath={.data.setting}"), "two")
			if r.has("configmap", "extra") {
				t.Error("what the release no longer has is still there")
			}
			unknown := r.next(sdk.OperationDeploy)
			recovery, err = r.Recover(r.context(), sdk.RecoverRequest{Operation: unknown, Target: r.target})
			if err != nil || recovery.Status != sdk.RecoverNotStarted {
				t.Errorf("recover an operation that never was: %+v, %v", recovery, err)
			}
		})
	}
}

// What somebody changed of an object that is ours, before an operation was accepted, is
// taken over by it.
func TestTakesItsOwnObjectsBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.succeed("1", r.manifests("1", app("api", r.node.Image("v1"), "one")))
	r.kubectl("set", "image", "deployment/api", "app="+r.node.Image("v3"), "--field-manager=somebody")
	v2 := r.manifests("2", app("api", r.node.Image("v2"), "one"))
	plan := r.plan(sdk.PlanRequest{Kind: sdk.OperationDeploy, Release: &v2})
	r.wants("steps", steps(plan), "update Deployment")
	r.succeed("2", v2)
	r.wants("image", r.kubectl("get", "deployment", "api", "-o", image), r.node.Image("v2"))
}

// A registry that does not answer is no fault of the change.
func TestRegistryDownIsEnvironment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	registry := r.node.NewRegistry(t)
	name, _ := registry.Push(t, "app:v1", testbed.App{Version: "v1"})
	registry.Stop()
	outcome := r.deploy("1", r.manifests("1", app("api", name, "one")))
	r.is(outcome, sdk.ResultFailed)
	if f := outcome.Failure; f == nil || !f.Environment || f.Code != sdk.CodeRegistryUnreachable {
		t.Errorf("failure %+v", f)
	}
	registry.Resume(t) // kubelet tries again in its own time, the host as often as it likes
	testbed.Eventually(t, patience, "it goes on by itself", func() error {
		if outcome := r.deploy("1", r.manifests("1", app("api", name, "one"))); outcome.Result != sdk.ResultSucceeded {
			return errorf("%s", outcome.Message)
		}
		return nil
	})
}

// A second operation waits for nobody: a rollback takes the place of a deploy.
func TestRollbackTakesThePlaceOfADeploy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.succeed("1", r.manifests("1", app("api", r.node.Image("v1"), "one")))
	v2 := r.manifests("2", app("api", r.node.Image("v2"), "two", "APP_MODE=slow", "APP_DELAY=60s"))
	before := r.snapshot(&v2)
	request := r.start("2", v2)
	r.until(request.Operation, "that it is followed", line("Deployment "+r.namespace+"/api changed"))
	third := sdk.DeployRequest{Operation: r.next(sdk.OperationDeploy), Target: r.target, Release: v2}
	if _, err := r.Deploy(r.context(), third); sdk.ReasonOf(err) != sdk.ReasonConflict {
		t.Errorf("a second deploy beside the first: %v", err)
	}
	r.is(r.back(before.Snapshot), sdk.ResultSucceeded)
	r.is(r.outcome(request.Operation), sdk.ResultCancelled)
	r.wants("digest", r.snapshot(nil).ObservedDigest, before.ObservedDigest)
}
