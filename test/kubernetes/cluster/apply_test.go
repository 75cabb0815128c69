package cluster_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/test/testbed"
)

func TestApply(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	one := b.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: c, labels: {mine: x}}, data: {a: "1", b: "2"}}`)
	dry := b.apply(one, cluster.ApplyOptions{Stamp: stamp("op-1", 1), DryRun: true})
	if live, err := b.c.Find(t.Context(), cluster.KeyOf(one)); err != nil || live != nil || !dry.Created() {
		t.Errorf("a dry run left %v, %v", live, err)
	}
	first := b.apply(one, cluster.ApplyOptions{Stamp: stamp("op-1", 1)})
	if s, ok := cluster.StampOf(first.Object); !first.Created() || !first.Changed() || !ok || s.Created != "op-1" || s.Epoch != 1 || s.Identity != identity {
		t.Errorf("first: %+v", s)
	}
	again := b.apply(first.Object, cluster.ApplyOptions{Stamp: stamp("op-2", 2)}) // a live one is as good
	if s, _ := cluster.StampOf(again.Object); again.Created() || again.Changed() || s.Created != "op-1" || s.Operation != "op-2" {
		t.Errorf("again: changed %v, %+v", again.Changed(), s)
	}
	// What we no longer apply goes, what others have added stays.
	b.kubectl("patch", "configmap", "c", "--type=merge", "--patch", `{"data":{"other":"3"}}`)
	two := b.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: "1"}}`)
	second := b.apply(two, cluster.ApplyOptions{Stamp: stamp("op-3", 2)})
	data, _, _ := unstructured.NestedStringMap(second.Object.Object, "data")
	if len(data) != 2 || data["a"] != "1" || data["other"] != "3" || !second.Changed() || second.Object.GetLabels()["mine"] != "" {
		t.Errorf("second: %v %v", data, second.Object.GetLabels())
	}
	// An earlier owner of the component is kept out, another component's stamp keeps nobody out.
	_, err := b.c.Apply(t.Context(), one, cluster.ApplyOptions{Stamp: stamp("op-1", 1), Force: true})
	b.refused("an earlier owner", err, sdk.Aborted, sdk.ReasonStaleEpoch, "epoch 2")
	if live := b.get(one); cluster.Digest(live) != cluster.Digest(second.Object) {
		t.Errorf("it was let in: %v", live.Object["data"])
	}
	other := stamp("op-x", 1)
	other.Component = "web"
	b.apply(two, cluster.ApplyOptions{Stamp: other})
	// Preconditions.
	stale := cluster.ExpectOf(first.Object)
	_, err = b.c.Apply(t.Context(), two, cluster.ApplyOptions{Expect: stale})
	b.refused("another version", err, sdk.Aborted, sdk.ReasonConflict, "changed meanwhile", "ConfigMap "+b.namespace+"/c")
	if err := b.c.Delete(t.Context(), cluster.KeyOf(one), cluster.DeleteOptions{Expect: stale}); !cluster.IsConflict(err) {
		t.Errorf("Delete of another version: %v", err)
	}
	live := b.get(one)
	if err := b.c.Delete(t.Context(), cluster.KeyOf(one), cluster.DeleteOptions{Expect: cluster.ExpectOf(live), DryRun: true}); err != nil || b.get(one) == nil {
		t.Errorf("Delete on trial: %v", err)
	}
	for range 2 { // gone is gone
		if err := b.c.Delete(t.Context(), cluster.KeyOf(one), cluster.DeleteOptions{}); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	_, err = b.c.Apply(t.Context(), two, cluster.ApplyOptions{Expect: cluster.ExpectOf(live)})
	b.refused("gone", err, sdk.Aborted, sdk.ReasonConflict, "it is gone")
	b.apply(two, cluster.ApplyOptions{})
	_, err = b.c.Apply(t.Context(), two, cluster.ApplyOptions{Expect: cluster.Expect{UID: live.GetUID()}})
	b.refused("made anew", err, sdk.Aborted, sdk.ReasonConflict, "made anew")
}

// Fields of others are theirs, by name, unless they are taken.
func TestOtherManagers(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	o := b.deployment(0, "v1", "")
	first := b.apply(o, cluster.ApplyOptions{Stamp: stamp("op-1", 1)})
	b.kubectl("set", "image", "deployment/api", "api="+b.Image("v2"))
	after := b.get(o)
	change := cluster.ChangeOf(first.Object, after)
	const image = `.spec.template.spec.containers[name="api"].image`
	if !strings.HasPrefix(change.By.Name, "kubectl") || len(change.Fields) != 1 || change.Fields[0] != image || change.At.IsZero() {
		t.Errorf("change %+v", change)
	}
	if last, ok := cluster.LastChangeOf(after); !ok || last.By != change.By {
		t.Errorf("last change %+v", last)
	}
	_, err := b.c.Apply(t.Context(), o, cluster.ApplyOptions{Stamp: stamp("op-2", 1)})
	b.refused("a field of kubectl", err, sdk.Aborted, sdk.ReasonConflict, image+" by kubectl-set")
	var e *sdk.Error
	if fields := cluster.ConflictsOf(err); len(fields) != 1 || fields[0] != (cluster.Conflict{Field: image, Manager: "kubectl-set"}) || !errors.As(err, &e) || e.By != "kubectl-set" {
		t.Errorf("conflicts %+v", fields)
	}
	taken := b.apply(o, cluster.ApplyOptions{Stamp: stamp("op-2", 1), Force: true})
	if cluster.Digest(taken.Object) != cluster.Digest(first.Object) {
		t.Error("it is not as it was")
	}
	// What we wrote by other means is ours.
	patch := `{"metadata":{"labels":{"x":"1"}},"spec":{"paused":true}}`
	b.kubectl("patch", "deployment", "api", "--type=merge", "--field-manager=apm", "--patch", patch)
	paused := b.deployment(0, "v1", "")
	_ = unstructured.SetNestedField(paused.Object, false, "spec", "paused")
	if got := b.apply(paused, cluster.ApplyOptions{Stamp: stamp("op-3", 1)}); got.Object.GetLabels()["x"] != "1" {
		t.Errorf("labels %v", got.Object.GetLabels())
	}
}

// A rollout of somebody else is stamped, and nothing else of it is touched.
func TestMark(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	o := b.deployment(0, "v1", "")
	text, err := o.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	b.Apply(t, b.namespace, string(text))
	before := b.get(o)
	marked, err := b.c.Mark(t.Context(), cluster.KeyOf(o), *stamp("op-1", 3))
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := cluster.StampOf(marked); !ok || s.Created != "" || s.Operation != "op-1" || cluster.Digest(marked) != cluster.Digest(before) {
		t.Errorf("marked %+v", s)
	}
	_, err = b.c.Mark(t.Context(), cluster.KeyOf(o), *stamp("op-0", 2))
	b.refused("an earlier owner", err, sdk.Aborted, sdk.ReasonStaleEpoch)
	if err := b.c.Unmark(t.Context(), cluster.KeyOf(o), *stamp("op-0", 2)); err != nil {
		t.Errorf("Unmark: %v", err)
	}
	if _, ok := cluster.StampOf(b.get(o)); !ok {
		t.Error("an earlier owner has taken the stamp off")
	}
	if err := b.c.Unmark(t.Context(), cluster.KeyOf(o), *stamp("op-1", 3)); err != nil {
		t.Errorf("Unmark: %v", err)
	}
	plain := b.get(o)
	if _, ok := cluster.StampOf(plain); ok || plain.GetAnnotations()["kubectl.kubernetes.io/last-applied-configuration"] == "" {
		t.Errorf("annotations %v", plain.GetAnnotations())
	}
	b.Apply(t, b.namespace, string(text)) // kubectl goes on as if nothing had been
	if err := b.c.Unmark(t.Context(), cluster.Key{APIVersion: "v1", Kind: "ConfigMap", Namespace: b.namespace, Name: "none"}, *stamp("op-1", 3)); err != nil {
		t.Errorf("Unmark of what is not there: %v", err)
	}
}

// Replicas that an autoscaler decides about stay as they are.
func TestAutoscaled(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	o := b.deployment(1, "v1", "")
	b.apply(o, cluster.ApplyOptions{Stamp: stamp("op-1", 1)})
	b.kubectl("autoscale", "deployment/api", "--min=1", "--max=3", "--cpu=50%")
	scaled, err := b.c.Autoscaled(t.Context(), b.namespace)
	if err != nil || scaled.By(cluster.KeyOf(o)) != "api" || scaled.Has(cluster.Key{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: b.namespace, Name: "api"}) {
		t.Fatalf("autoscaled %v, %v", scaled, err)
	}
	before := b.get(o)
	b.kubectl("scale", "deployment/api", "--replicas=2")
	if after := b.get(o); scaled.Digest(after) != scaled.Digest(before) || cluster.Digest(after) == cluster.Digest(before) {
		t.Error("the digest must leave out what an autoscaler decides, and nothing else")
	}
	with := b.apply(o, cluster.ApplyOptions{Stamp: stamp("op-2", 1), Autoscaled: scaled})
	if n := replicas(with.Object); n != 2 {
		t.Errorf("with replicas in the manifest: %d", n)
	}
	unstructured.RemoveNestedField(o.Object, "spec", "replicas")
	without := b.apply(o, cluster.ApplyOptions{Stamp: stamp("op-3", 1), Autoscaled: scaled})
	if n := replicas(without.Object); n != 2 {
		t.Errorf("without: %d", n)
	}
}

// What people see as the same is the same digest, on a cluster that fills in defaults.
func TestDigestOfLive(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	deployment := b.deployment(1, "v1", ", ports: [{containerPort: 8080}], readinessProbe: {httpGet: {port: 8080}}")
	all := []*unstructured.Unstructured{
		deployment,
		b.object(`{apiVersion: v1, kind: Service, metadata: {name: api}, spec: {selector: {app: api}, ports: [{port: 80, targetPort: 8080}]}}`),
		b.object(`{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {k: v}}`),
		b.object(`{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: j, image: x}]}}}}`),
		b.object(`{apiVersion: batch/v1, kind: CronJob, metadata: {name: j}, spec: {schedule: "0 0 1 1 *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: j, image: x}]}}}}}}`),
		b.object(`{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: d}, spec: {selector: {matchLabels: {a: d}}, template: {metadata: {labels: {a: d}}, spec: {nodeSelector: {none: "1"}, containers: [{name: d, image: "x:1", env: [{name: E, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}]}}}}`),
		b.object(`{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: t}, spec: {replicas: 0, serviceName: api, selector: {matchLabels: {a: t}}, template: {metadata: {labels: {a: t}}, spec: {containers: [{name: t, image: "x:1"}]}}, volumeClaimTemplates: [{metadata: {name: v}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]}}`),
	}
	for _, o := range all {
		dry := b.apply(o, cluster.ApplyOptions{DryRun: true})
		applied := b.apply(o, cluster.ApplyOptions{Stamp: stamp("op-1", 1)})
		if cluster.Digest(dry.Object) != cluster.Digest(applied.Object) {
			t.Errorf("%s: on trial it is another:\n%v\n%v", cluster.KeyOf(o), cluster.Normalise(dry.Object).Object, cluster.Normalise(applied.Object).Object)
		}
		if cluster.Digest(applied.Object) != cluster.Digest(o) {
			t.Errorf("%s: defaults are in the digest:\n%v\n%v", cluster.KeyOf(o), cluster.Normalise(o).Object, cluster.Normalise(applied.Object).Object)
		}
	}
	b.kubectl("rollout", "status", "deployment/api", "--timeout=90s")
	live := b.get(deployment)
	if cluster.Digest(live) != cluster.Digest(deployment) {
		t.Error("a rollout that is done is another")
	}
	for _, o := range all { // gone, and come back
		live := b.get(o)
		if err := b.c.Delete(t.Context(), cluster.KeyOf(o), cluster.DeleteOptions{Expect: cluster.Expect{UID: live.GetUID()}}); err != nil {
			t.Fatal(err)
		}
		testbed.Eventually(t, time.Minute, "it is gone", func() error {
			if left, err := b.c.Find(t.Context(), cluster.KeyOf(o)); err != nil || left != nil {
				return errors.New("it is there")
			}
			return nil
		})
		if back := b.apply(live, cluster.ApplyOptions{}); cluster.Digest(back.Object) != cluster.Digest(live) {
			t.Errorf("%s came back as another", cluster.KeyOf(o))
		}
	}
}

func TestStamped(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	config := b.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}`)
	b.apply(b.deployment(0, "v1", ""), cluster.ApplyOptions{Stamp: stamp("op-1", 1)})
	b.apply(config, cluster.ApplyOptions{Stamp: stamp("op-1", 1)})
	web := stamp("op-2", 1)
	web.Component = "web"
	b.apply(b.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: w}}`), cluster.ApplyOptions{Stamp: web})
	elsewhere := stamp("op-3", 1)
	elsewhere.Installation = "there"
	b.apply(b.object(`{apiVersion: v1, kind: Service, metadata: {name: e}, spec: {ports: [{port: 1}]}}`), cluster.ApplyOptions{Stamp: elsewhere})
	b.apply(b.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: plain}}`), cluster.ApplyOptions{})

	list := func(r cluster.StampedRequest) string {
		r.Namespace = b.namespace
		found, blind, err := b.c.Stamped(t.Context(), r)
		if err != nil || len(blind) > 0 {
			t.Fatalf("%v %v", blind, err)
		}
		var names []string
		for _, o := range found {
			names = append(names, o.GetKind()+" "+o.GetName())
		}
		return strings.Join(names, ", ")
	}
	for want, r := range map[string]cluster.StampedRequest{
		"Deployment api, ConfigMap c":                         {Identity: identity},
		"Deployment api, ConfigMap c, ConfigMap w":            {Identity: cluster.Identity{Installation: "here"}},
		"Deployment api, ConfigMap c, ConfigMap w, Service e": {},
		"ConfigMap c": {Identity: identity, Kinds: []schema.GroupVersionKind{{Version: "v1", Kind: "ConfigMap"}, {Group: "none", Version: "v1", Kind: "None"}}},
		"":            {Identity: cluster.Identity{Installation: "here", Component: "nobody"}},
	} {
		if got := list(r); got != want {
			t.Errorf("%+v: %s, want %s", r, got, want)
		}
	}
}
