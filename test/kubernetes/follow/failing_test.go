package follow_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/test/testbed"
)

// TestCrash shows the last lines of the container that crashed, and of each only once.
func TestCrash(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns := c.Namespace(t)
	f, _ := follower(t, c.Kubeconfig(), follow.Options{})
	c.Apply(t, ns, deployment("web", c.Image("v2-crash"), 1))
	s := subject(ns, "apps/v1", "Deployment", "web")
	p := until(t, f, s, "it crashes twice", func(p picture.Picture) string {
		w, why := one(p)
		if why != "" || len(w.Pods) != 1 {
			return why + "no pod"
		}
		app := w.Pods[0].Containers[0]
		if app.Restarts < 1 || app.State.Reason != "CrashLoopBackOff" {
			return fmt.Sprintf("%d restarts, %+v", app.Restarts, app.State)
		}
		return ""
	})
	app := p.Workloads[0].Pods[0].Containers[0]
	if lines := text(app.LastLines); !strings.Contains(lines, "app v2 reads its configuration") || !strings.Contains(lines, "configuration of the database is missing") {
		t.Errorf("the last lines are %q", lines)
	}
	if app.Last.ExitCode != 3 || app.Last.Ended.IsZero() || app.LastLines[0].At.IsZero() {
		t.Errorf("the container is %+v", app)
	}
	back := slices.ContainsFunc(p.Workloads[0].Pods[0].Events, func(e picture.Event) bool { return e.Reason == "BackOff" && e.Container == "app" })
	if !back {
		t.Errorf("the events are %+v", p.Workloads[0].Pods[0].Events)
	}
	before := f.Requests().Log
	for range 5 {
		if _, err := f.Picture(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if after := f.Requests().Log; after > before+1 { // it may have crashed again
		t.Errorf("the log was read %d times more", after-before)
	}
}

// TestMissing names what pods refer to and what is not there, until it is.
func TestMissing(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns := c.Namespace(t)
	f, _ := follower(t, c.Kubeconfig(), follow.Options{})
	c.Apply(t, ns, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      volumes:
      - {name: there, configMap: {name: kube-root-ca.crt}}
      - {name: maybe, configMap: {name: maybe, optional: true}}
      - {name: files, secret: {secretName: files}}
      containers:
      - name: app
        image: %s
        volumeMounts: [{name: files, mountPath: /files}]
        envFrom: [{configMapRef: {name: settings}}]
        env: [{name: KEY, valueFrom: {secretKeyRef: {name: keys, key: key}}}]
`, c.Image("v1")))
	s := subject(ns, "apps/v1", "Deployment", "web")
	p := until(t, f, s, "three are missing", func(p picture.Picture) string {
		if len(p.Missing) != 3 {
			return fmt.Sprintf("missing: %+v", p.Missing)
		}
		return ""
	})
	for i, want := range []string{
		"Secret files spec.template.spec.volumes[2]", "ConfigMap settings spec.template.spec.containers[0].envFrom[0]",
		"Secret keys spec.template.spec.containers[0].env[0]",
	} {
		m := p.Missing[i]
		if got := m.Object.Kind + " " + m.Object.Name + " " + m.Where; got != want || m.By.Name != "web" || m.Object.Namespace != ns {
			t.Errorf("missing %d is %s of %s, want %s", i, got, m.By.Name, want)
		}
	}
	c.Kubectl(t, "create", "secret", "generic", "files", "-n", ns, "--from-literal=a=b")
	c.Kubectl(t, "create", "secret", "generic", "keys", "-n", ns, "--from-literal=key=b")
	c.Kubectl(t, "create", "configmap", "settings", "-n", ns, "--from-literal=a=b")
	p = until(t, f, s, "it runs", readyOf(1, c.Image("v1")))
	if len(p.Missing) != 0 {
		t.Errorf("missing: %+v", p.Missing)
	}
}

// TestQuota says why the pods of each kind cannot be made.
func TestQuota(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns := c.Namespace(t)
	f, _ := follower(t, c.Kubeconfig(), follow.Options{})
	c.Kubectl(t, "create", "quota", "none", "-n", ns, "--hard=pods=0")
	c.Apply(t, ns, deployment("web", c.Image("v1"), 1)+"---"+strings.ReplaceAll(deployment("db", c.Image("v1"), 1), "kind: Deployment", "kind: StatefulSet"))
	for _, s := range []follow.Subject{subject(ns, "apps/v1", "Deployment", "web"), subject(ns, "apps/v1", "StatefulSet", "db")} {
		until(t, f, s, s.Workloads[0].Kind+" is blocked", func(p picture.Picture) string {
			w, why := one(p)
			if why != "" || len(w.Revisions) != 1 || !strings.Contains(w.Revisions[0].Failure, "exceeded quota: none") {
				return fmt.Sprintf("%s %+v", why, w.Revisions)
			}
			return ""
		})
	}
}

// TestUnschedulable shows the nodes that a pod could be on.
func TestUnschedulable(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns := c.Namespace(t)
	f, _ := follower(t, c.Kubeconfig(), follow.Options{})
	c.Apply(t, ns, strings.ReplaceAll(deployment("web", c.Image("v1"), 1), "cpu: 1m", "cpu: 900"))
	p := until(t, f, subject(ns, "apps/v1", "Deployment", "web"), "no node is large enough", func(p picture.Picture) string {
		w, why := one(p)
		if why != "" || len(w.Pods) != 1 || len(p.Nodes) == 0 {
			return why + " no pod, no node"
		}
		for _, c := range w.Pods[0].Conditions {
			if c.Type == "PodScheduled" && c.Status == "False" && strings.Contains(c.Message, "Insufficient cpu") {
				return ""
			}
		}
		return "it is not unschedulable"
	})
	if node := p.Nodes[0]; node.Name == "" || !node.Ready || node.Unschedulable {
		t.Errorf("the node is %+v", node)
	}
}

// TestRights names the right that a service account does not have, and shows the rest.
func TestRights(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns := c.Namespace(t)
	c.Kubectl(t, "create", "serviceaccount", "looker", "-n", ns)
	c.Kubectl(t, "create", "role", "looker", "-n", ns, "--verb=get,list,watch", "--resource=deployments.apps,pods,events")
	c.Kubectl(t, "create", "rolebinding", "looker", "-n", ns, "--role=looker", "--serviceaccount="+ns+":looker")
	c.Apply(t, ns, deployment("web", c.Image("v1"), 1))
	f, _ := follower(t, c.KubeconfigOf(t, ns, "looker"), follow.Options{})
	w := watch(t, f, subject(ns, "apps/v1", "Deployment", "web"))
	p := w.until(t, "it is blind for one kind", blind(`replicasets in `+ns+`: replicasets.apps is forbidden: User "system:serviceaccount:`+ns+`:looker" cannot list resource "replicasets" in API group "apps"`))
	if len(p.Blind) != 1 || len(p.Workloads) != 1 {
		t.Errorf("the picture is %s", show(p))
	}
	// With the right it sees.
	c.Kubectl(t, "create", "role", "more", "-n", ns, "--verb=get,list,watch", "--resource=replicasets.apps")
	c.Kubectl(t, "create", "rolebinding", "more", "-n", ns, "--role=more", "--serviceaccount="+ns+":looker")
	w.until(t, "it sees", seeing(readyOf(1, c.Image("v1"))))
}

// TestNode shows the node of a pod that is not ready any more.
func TestNode(t *testing.T) {
	t.Parallel()
	c := testbed.Isolated(t)
	ns := c.Namespace(t)
	f, _ := follower(t, c.Kubeconfig(), follow.Options{})
	c.Apply(t, ns, deployment("web", c.Image("v1"), 1))
	w := watch(t, f, subject(ns, "apps/v1", "Deployment", "web"))
	p := w.until(t, "it runs", readyOf(1, c.Image("v1")))
	if len(p.Nodes) != 0 {
		t.Errorf("a node is shown that nobody is concerned with: %+v", p.Nodes)
	}
	testbed.Eventually(t, patience, "the pod has been there for a while", func() error {
		if time.Since(p.Workloads[0].Pods[0].Created) < 11*time.Second {
			return fmt.Errorf("made at %s", p.Workloads[0].Pods[0].Created)
		}
		return nil
	})
	c.Freeze(t, testbed.Kubelet)
	w.until(t, "its node is not ready", func(p picture.Picture) string {
		if len(p.Nodes) != 1 || p.Nodes[0].Ready || p.Nodes[0].Reason == "" {
			return fmt.Sprintf("%+v", p.Nodes)
		}
		return ""
	})
	c.Thaw(t, testbed.Kubelet)
	w.until(t, "it runs again", func(p picture.Picture) string {
		if len(p.Nodes) > 0 && !p.Nodes[0].Ready {
			return "its node is not ready"
		}
		return readyOf(1, c.Image("v1"))(p)
	})
}
