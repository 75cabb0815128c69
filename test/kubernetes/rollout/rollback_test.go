package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/test/testbed"
)

const image = "jsonpath={.spec.template.spec.containers[0].image}"

// A rollback brings every object back to what it was, deletes those that were added, and
// leaves what others have written meanwhile.
func TestRollbackRestoresTheWhole(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.succeed("1", r.manifests("1", app("api", r.node.Image("v1"), "one")+secret("one")))
	before := r.snapshot(nil)
	v2 := r.manifests("2", app("api", r.node.Image("v2"), "two", "ADDED=yes")+secret("two")+app("added", r.node.Image("v1"), "x"))
	about := r.snapshot(&v2)
	r.wants("digest of what is there", about.ObservedDigest, before.ObservedDigest)
	r.succeed("2", v2)
	if r.snapshot(nil).ObservedDigest == before.ObservedDigest {
		t.Fatal("the digest is the same after the deploy")
	}
	r.kubectl("annotate", "deployment", "api", "note=mine", "--field-manager=somebody")
	r.kubectl("label", "configmap", "api", "team=blue", "--field-manager=somebody")
	r.is(r.back(about.Snapshot), sdk.ResultSucceeded)

	if got := r.kubectl("get", "deployment", "api", "-o", image); !strings.HasPrefix(got, r.node.Image("v1")) {
		t.Errorf("image %q", got)
	}
	r.wants("env", r.kubectl("get", "deployment", "api", "-o", "jsonpath={.spec.template.spec.containers[0].env[*].name}"), "SETTING")
	r.wants("setting", r.kubectl("get", "configmap", "api", "-o", "jsonpath={.data.setting}"), "one")
	r.wants("password", r.kubectl("get", "secret", "password", "-o", "jsonpath={.data.value}"), "b25l")
	r.wants("annotation of somebody", r.kubectl("get", "deployment", "api", "-o", "jsonpath={.metadata.annotations.note}"), "mine")
	r.wants("label of somebody", r.kubectl("get", "configmap", "api", "-o", "jsonpath={.metadata.labels.team}"), "blue")
	for _, kind := range []string{"deployment", "service", "configmap"} {
		if r.has(kind, "added") {
			t.Errorf("%s that was added is still there", kind)
		}
	}
	// Without what somebody added it is as before.
	r.kubectl("annotate", "deployment", "api", "note-")
	r.kubectl("label", "configmap", "api", "team-")
	r.wants("digest", r.snapshot(nil).ObservedDigest, before.ObservedDigest)
	r.is(r.back(about.Snapshot), sdk.ResultSucceeded)
	r.wants("digest after the second", r.snapshot(nil).ObservedDigest, before.ObservedDigest)

	// Fields are owned as before: a release without them removes them.
	r.succeed("3", r.manifests("3", strings.Replace(app("api", r.node.Image("v3"), "three"), "data: {setting", "data: {other: x, setting", 1)+secret("one")))
	r.succeed("4", r.manifests("4", app("api", r.node.Image("v3"), "three")+secret("one")))
	r.wants("other", r.kubectl("get", "configmap", "api", "-o", "jsonpath={.data.other}"), "")
}

func secret(value string) string {
	return "\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: password}\nstringData: {value: " + value + "}\n---\n"
}

// To an empty snapshot only what our operations have created is removed.
func TestRollbackToEmpty(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v1 := r.manifests("1", app("api", r.node.Image("v1"), "one"))
	before := r.snapshot(&v1)
	if !before.Snapshot.Empty {
		t.Fatal("the snapshot is not empty")
	}
	r.kubectl("create", "configmap", "theirs", "--from-literal=a=b")
	r.succeed("1", v1)
	r.is(r.back(before.Snapshot), sdk.ResultSucceeded)
	for _, kind := range []string{"deployment", "service", "configmap"} {
		if r.has(kind, "api") {
			t.Errorf("%s is still there", kind)
		}
	}
	if !r.has("configmap", "theirs") {
		t.Error("what is not ours is gone")
	}
	after := r.snapshot(nil)
	if !after.Snapshot.Empty || after.ObservedDigest != before.ObservedDigest {
		t.Errorf("after: empty %v, digest %s, want %s", after.Snapshot.Empty, after.ObservedDigest, before.ObservedDigest)
	}
	probe, err := r.Probe(r.context(), sdk.ProbeRequest{Target: r.target})
	if err != nil || len(probe.Checks) != 1 || probe.Checks[0].Status != sdk.CheckUnhealthy {
		t.Errorf("probe of what is gone: %+v, %v", probe, err)
	}
	r.is(r.back(before.Snapshot), sdk.ResultSucceeded)
}

// What kubectl had applied comes back with its owner: the next kubectl apply is as before.
func TestRollbackGivesFieldsBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	manifests := app("api", r.node.Image("v1"), "one")
	r.node.Apply(t, r.namespace, manifests)
	r.kubectl("rollout", "status", "deployment/api")
	v2 := r.images("2", map[string]string{"app": r.node.Image("v2")})
	before := r.snapshot(&v2)
	r.succeed("2", v2)
	r.wants("image", r.kubectl("get", "deployment", "api", "-o", image), r.node.Image("v2"))
	r.is(r.back(before.Snapshot), sdk.ResultSucceeded)
	r.wants("digest", r.snapshot(&v2).ObservedDigest, before.ObservedDigest)
	managers := r.kubectl("get", "deployment", "api", "--show-managed-fields", "-o", "jsonpath={.metadata.managedFields[*].manager}")
	if strings.Contains(managers, "apm") {
		t.Errorf("field managers %s", managers)
	}
	r.node.Apply(t, r.namespace, strings.Replace(manifests, "replicas: 1", "replicas: 2", 1))
	r.wants("replicas", r.kubectl("get", "deployment", "api", "-o", "jsonpath={.spec.replicas}"), "2")
}

// A tag that has moved, and a revision that is gone, do not bring another image back.
func TestRollbackByDigest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	registry := r.node.NewRegistry(t)
	name, digest := registry.Push(t, "app:stable", testbed.App{Version: "first"})
	always := func(image string) string {
		return strings.Replace(app("api", image, "one"), "        env:", "        imagePullPolicy: Always\n        env:", 1)
	}
	r.succeed("1", r.manifests("1", always(name)))
	v2 := r.manifests("2", strings.Replace(always(r.node.Image("v2")), "replicas: 1", "replicas: 1\n  revisionHistoryLimit: 0", 1))
	before := r.snapshot(&v2)
	r.succeed("2", v2)
	registry.Push(t, "app:stable", testbed.App{Version: "second"})
	testbed.Eventually(t, patience, "the old ReplicaSet goes", func() error {
		if sets := r.kubectl("get", "rs", "-o", "name"); strings.Count(sets, "\n") > 0 {
			return errorf("there are %s", sets)
		}
		return nil
	})
	r.is(r.back(before.Snapshot), sdk.ResultSucceeded)
	got := r.kubectl("get", "pod", "-l", "app=api", "-o", "jsonpath={.items[*].status.containerStatuses[0].imageID}")
	if !strings.Contains(got, digest) {
		t.Errorf("it runs %s, want %s", got, digest)
	}
	r.wants("digest", r.snapshot(nil).ObservedDigest, before.ObservedDigest)
}

// Replicas that an autoscaler has set stay as they are.
func TestRollbackLeavesAutoscaledReplicas(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.succeed("1", r.manifests("1", app("api", r.node.Image("v1"), "one")))
	v2 := r.manifests("2", app("api", r.node.Image("v2"), "one"))
	before := r.snapshot(&v2)
	r.succeed("2", v2)
	r.kubectl("autoscale", "deployment", "api", "--min=2", "--max=3")
	testbed.Eventually(t, patience, "the autoscaler sets replicas", func() error {
		if got := r.kubectl("get", "deployment", "api", "-o", "jsonpath={.spec.replicas}"); got != "2" {
			return errorf("replicas %s", got)
		}
		return nil
	})
	r.is(r.back(before.Snapshot), sdk.ResultSucceeded)
	r.wants("replicas", r.kubectl("get", "deployment", "api", "-o", "jsonpath={.spec.replicas}"), "2")
	if got := r.kubectl("get", "deployment", "api", "-o", image); !strings.HasPrefix(got, r.node.Image("v1")) {
		t.Errorf("image %q", got)
	}
}

// A StatefulSet whose first pod cannot start waits for it for ever: it is freed.
func TestRollbackFreesStatefulSet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	set := func(image string) string {
		return `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: app, image: ` + image + `, readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}}]
`
	}
	r.succeed("1", r.manifests("1", set(r.node.Image("v1"))))
	v2 := r.manifests("2", set(r.node.Image("nowhere")))
	before := r.snapshot(&v2)
	r.is(r.deploy("2", v2), sdk.ResultFailed)
	started := time.Now()
	r.is(r.back(before.Snapshot), sdk.ResultSucceeded)
	t.Logf("freed after %s", time.Since(started))
	r.wants("digest", r.snapshot(nil).ObservedDigest, before.ObservedDigest)
}

// A process that knows nothing goes on with a rollback.
func TestRecoverRollback(t *testing.T) {
	t.Parallel()
	for name, stage := range map[string]func(sdk.Event) bool{
		"accepted":  func(sdk.Event) bool { return true },
		"restoring": line("ConfigMap"),
		"followed":  line("Deployment"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.succeed("1", r.manifests("1", app("api", r.node.Image("v1"), "one")))
			v2 := r.manifests("2", app("api", r.node.Image("v2"), "two")+"\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n")
			before := r.snapshot(&v2)
			r.succeed("2", v2)
			op := r.next(sdk.OperationRollback)
			if _, err := r.Rollback(r.context(), sdk.RollbackRequest{Operation: op, Target: r.target, Snapshot: before.Snapshot}); err != nil {
				t.Fatal(err)
			}
			r.until(op, name, stage)
			r.restart()
			op.Epoch = r.epoch
			recovery, err := r.Recover(r.context(), sdk.RecoverRequest{Operation: op, Target: r.target, Snapshot: &before.Snapshot})
			if err != nil || recovery.Status != sdk.RecoverRunning {
				t.Fatalf("recover: %+v, %v", recovery, err)
			}
			r.is(r.outcome(op), sdk.ResultSucceeded)
			r.wants("digest", r.snapshot(nil).ObservedDigest, before.ObservedDigest)
			if r.has("configmap", "extra") {
				t.Error("what was added is still there")
			}
		})
	}
}
