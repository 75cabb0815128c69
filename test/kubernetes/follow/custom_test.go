package follow_test

import (
	"fmt"
	"testing"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/test/testbed"
)

// definition is a CustomResourceDefinition that takes anything.
const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[2]s.%[1]s}
spec:
  group: %[1]s
  scope: Namespaced
  names: {plural: %[2]s, singular: %[3]s, kind: %[4]s}
  versions:
  - name: %[5]s
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// status writes the status of an object, as its controller would.
func status(t *testing.T, c *testbed.Cluster, ns, object, patch string) {
	t.Helper()
	c.Kubectl(t, "patch", object, "-n", ns, "--subresource=status", "--type=merge", "--patch", patch)
}

// generic wants a status by kstatus's words.
func generic(want, message string) func(picture.Picture) string {
	return seeing(func(p picture.Picture) string {
		if len(p.Workloads) != 1 || p.Workloads[0].Generic == nil {
			return "no status"
		}
		if g := p.Workloads[0].Generic; g.Status != want || message != "" && g.Message != message {
			return fmt.Sprintf("%+v", *g)
		}
		return ""
	})
}

// TestRollout follows a Rollout of Argo on a cluster where its kind is installed later and
// nobody runs it: the test writes its status, and makes the ReplicaSet that its controller would make.
func TestRollout(t *testing.T) {
	t.Parallel()
	c := testbed.Isolated(t) // the kind is of the whole cluster
	ns := c.Namespace(t)
	f, _ := follower(t, c.Kubeconfig(), follow.Options{})
	w := watch(t, f, subject(ns, "argoproj.io/v1alpha1", "Rollout", "web"))
	w.until(t, "the kind is not there", blind("the cluster has no argoproj.io/v1alpha1: is its CustomResourceDefinition installed?"))

	c.Apply(t, ns, fmt.Sprintf(definition, "argoproj.io", "rollouts", "rollout", "Rollout", "v1alpha1"))
	c.Kubectl(t, "wait", "--for=condition=Established", "crd/rollouts.argoproj.io")
	c.Apply(t, ns, `
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web, annotations: {rollout.argoproj.io/revision: "2"}}
spec:
  replicas: 2
  progressDeadlineSeconds: 120
  strategy: {canary: {steps: [{setWeight: 50}, {pause: {}}]}}
  template: {spec: {containers: [{name: app, image: app, envFrom: [{secretRef: {name: keys}}]}]}}
`)
	p := w.until(t, "nobody has seen it", seeing(func(p picture.Picture) string {
		if len(p.Workloads) != 1 || p.Workloads[0].ObservedGeneration != 0 {
			return "observed, or not there"
		}
		return ""
	}))
	if got := p.Workloads[0]; got.Desired != 2 || got.Generation != 1 || got.Revision != "2" || got.ProgressDeadline.Seconds() != 120 {
		t.Errorf("the rollout is %+v", got)
	}
	uid := p.Workloads[0].UID
	for _, hash := range []string{"old", "new"} {
		c.Apply(t, ns, fmt.Sprintf(`
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-%[1]s
  labels: {rollouts-pod-template-hash: %[1]s}
  annotations: {rollout.argoproj.io/revision: "%[4]d"}
  ownerReferences: [{apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: web, uid: %[2]s, controller: true}]
spec:
  replicas: 1
  selector: {matchLabels: {app: web, rollouts-pod-template-hash: %[1]s}}
  template:
    metadata: {labels: {app: web, rollouts-pod-template-hash: %[1]s}}
    spec: {containers: [{name: app, image: "%[3]s"}]}
`, hash, uid, c.Image("v1"), map[string]int{"old": 1, "new": 2}[hash]))
	}
	status(t, c, ns, "rollout/web", `{"status": {"phase": "Paused", "message": "CanaryPauseStep", "observedGeneration": "1",
		"currentPodHash": "new", "replicas": 2, "updatedReplicas": 1, "readyReplicas": 2, "availableReplicas": 2,
		"pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}],
		"conditions": [{"type": "Paused", "status": "True", "reason": "RolloutPaused", "message": "Rollout is paused"}]}}`)
	p = w.until(t, "it is paused at a step", func(p picture.Picture) string {
		if why := generic("InProgress", "CanaryPauseStep")(p); why != "" {
			return why
		}
		r := p.Workloads[0]
		if len(r.Revisions) != 2 || len(r.Pods) != 2 || !r.Pods[0].Ready || !r.Pods[1].Ready {
			return fmt.Sprintf("%d revisions, %+v", len(r.Revisions), r.Pods)
		}
		return ""
	})
	r := p.Workloads[0]
	if !r.Paused || r.ObservedGeneration != 1 || r.Updated != 1 || r.Ready != 2 || r.Available != 2 || len(r.Conditions) != 1 {
		t.Errorf("the rollout is %+v", r)
	}
	if !r.Revisions[0].Newest || r.Revisions[0].Name != "web-new" || r.Revisions[0].Number != "2" || r.Revisions[1].Newest {
		t.Errorf("the revisions are %+v", r.Revisions)
	}
	for _, pod := range r.Pods {
		if pod.Newest != (pod.Revision == "web-new") {
			t.Errorf("pod %s of %s is the newest: %t", pod.Name, pod.Revision, pod.Newest)
		}
	}
	status(t, c, ns, "rollout/web", `{"status": {"phase": "Degraded", "message": "ProgressDeadlineExceeded", "pauseConditions": null}}`)
	w.until(t, "it is degraded", generic("Failed", "ProgressDeadlineExceeded"))
	status(t, c, ns, "rollout/web", `{"status": {"phase": "Healthy", "message": null}}`)
	w.until(t, "it is healthy", generic("Current", ""))
	c.Kubectl(t, "patch", "rollout/web", "-n", ns, "--type=merge", "--patch", `{"spec": {"replicas": 3}}`)
	w.until(t, "it is not observed", generic("InProgress", ""))
	c.Kubectl(t, "delete", "crd/rollouts.argoproj.io")
	w.until(t, "it is gone", func(p picture.Picture) string {
		if len(p.Workloads) > 0 {
			return "it is there"
		}
		return ""
	})
}

// TestCustom follows an object of any kind by its status, with the pod that it owns.
func TestCustom(t *testing.T) {
	t.Parallel()
	c := testbed.Isolated(t)
	ns := c.Namespace(t)
	f, _ := follower(t, c.Kubeconfig(), follow.Options{})
	c.Apply(t, ns, fmt.Sprintf(definition, "example.com", "databases", "database", "Database", "v1"))
	c.Kubectl(t, "wait", "--for=condition=Established", "crd/databases.example.com")
	w := watch(t, f, subject(ns, "example.com/v1", "Database", "main"))
	c.Apply(t, ns, "{apiVersion: example.com/v1, kind: Database, metadata: {name: main}, spec: {size: 1}}")
	w.until(t, "it has no status", generic("Current", ""))
	status(t, c, ns, "database/main", `{"status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "False", "reason": "Init", "message": "it is initialised"}]}}`)
	p := w.until(t, "it is not ready", generic("InProgress", "it is initialised"))
	c.Apply(t, ns, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata:
  name: main-0
  ownerReferences: [{apiVersion: example.com/v1, kind: Database, name: main, uid: %s, controller: true}]
spec: {containers: [{name: app, image: "%s"}]}
`, p.Workloads[0].UID, c.Image("v1")))
	w.until(t, "its pod runs", func(p picture.Picture) string {
		if pods := p.Workloads[0].Pods; len(pods) != 1 || !pods[0].Ready {
			return fmt.Sprintf("%+v", pods)
		}
		return ""
	})
	// By kstatus alone the next two would be Current.
	status(t, c, ns, "database/main", `{"status": {"phase": "Failed", "message": "the disk is full", "conditions": null}}`)
	w.until(t, "it has failed", generic("Failed", "the disk is full"))
	status(t, c, ns, "database/main", `{"status": {"phase": "Running", "message": null, "observedGeneration": "1"}}`)
	w.until(t, "it runs", generic("Current", ""))
	c.Kubectl(t, "patch", "database/main", "-n", ns, "--type=merge", "--patch", `{"spec": {"size": 2}}`)
	w.until(t, "nobody has seen its new size", generic("InProgress", ""))
}
