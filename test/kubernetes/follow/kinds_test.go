package follow_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/test/testbed"
)

// TestStatefulSet follows one through a partition.
func TestStatefulSet(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns := c.Namespace(t)
	f, _ := follower(t, c.Kubeconfig(), follow.Options{})
	s := subject(ns, "apps/v1", "StatefulSet", "db")
	manifest := `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: %[1]s}
spec:
  replicas: 2
  podManagementPolicy: Parallel
  serviceName: db
  selector: {matchLabels: {app: db}}
  updateStrategy: {rollingUpdate: {partition: %[3]d}}
  template:` + template
	c.Apply(t, ns, fmt.Sprintf(manifest, "db", c.Image("v1"), 0))
	w := until(t, f, s, "v1 runs", readyOf(2, c.Image("v1"))).Workloads[0]
	if len(w.Revisions) != 1 || !w.Revisions[0].Newest || w.Revision != w.Revisions[0].Name || w.Revisions[0].Ready != 2 ||
		w.Pods[0].Revision != w.Revisions[0].Name || w.Desired != 2 {
		t.Errorf("the workload is %+v", w)
	}
	c.Apply(t, ns, fmt.Sprintf(manifest, "db", c.Image("v2"), 1))
	w = until(t, f, s, "one of two is new", func(p picture.Picture) string {
		w, why := one(p)
		if why != "" {
			return why
		}
		if pods := newestPods(w); len(pods) != 1 || pods[0].Name != "db-1" || !pods[0].Ready || pods[0].Containers[0].Image != c.Image("v2") {
			return "not db-1 alone"
		}
		return ""
	}).Workloads[0]
	if w.Partition != 1 || w.OnDelete || len(w.Revisions) != 2 || !w.Revisions[0].Newest || w.Revisions[0].Desired != 1 ||
		w.Revisions[0].Number != "2" || w.Revisions[1].Newest || w.Revisions[1].Desired != 1 {
		t.Errorf("the workload is %+v", w)
	}
	c.Apply(t, ns, fmt.Sprintf(manifest, "db", c.Image("v2"), 0))
	until(t, f, s, "v2 runs", readyOf(2, c.Image("v2")))
}

// TestDaemonSet follows one to its second revision.
func TestDaemonSet(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns := c.Namespace(t)
	f, _ := follower(t, c.Kubeconfig(), follow.Options{})
	s := subject(ns, "apps/v1", "DaemonSet", "agent")
	manifest := `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: %[1]s}
spec:
  selector: {matchLabels: {app: agent}}
  template:` + template
	for i, tag := range []string{"v1", "v2"} {
		c.Apply(t, ns, fmt.Sprintf(manifest, "agent", c.Image(tag)))
		w := until(t, f, s, tag+" runs", readyOf(1, c.Image(tag))).Workloads[0]
		if number := fmt.Sprint(i + 1); w.Desired != 1 || len(w.Revisions) != i+1 || !w.Revisions[0].Newest || w.Revision != number ||
			w.Revisions[0].Number != number || w.Pods[0].Revision != w.Revisions[0].Name {
			t.Errorf("the workload is %+v", w)
		}
	}
}

const job = `
apiVersion: batch/v1
kind: Job
metadata: {name: %[1]s}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: app, image: "%[2]s"}]
`

// TestJob follows one that is done and one that fails.
func TestJob(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns := c.Namespace(t)
	f, _ := follower(t, c.Kubeconfig(), follow.Options{})
	c.Apply(t, ns, fmt.Sprintf(job, "good", c.Image("v2-done"))+"---"+fmt.Sprintf(job, "bad", c.Image("v2-crash")))
	w := until(t, f, subject(ns, "batch/v1", "Job", "good"), "the job is done", hasCondition("Complete")).Workloads[0]
	if w.Desired != 1 || w.Available != 1 || w.Ready != 1 || w.Updated != 1 || len(w.Revisions) != 1 || !w.Revisions[0].Newest ||
		len(w.Pods) != 1 || !w.Pods[0].Newest || w.Pods[0].Phase != "Succeeded" || w.Pods[0].Containers[0].LastLines != nil {
		t.Errorf("the workload is %+v", w)
	}
	w = until(t, f, subject(ns, "batch/v1", "Job", "bad"), "the job has failed", hasCondition("Failed")).Workloads[0]
	if w.Available != 0 || len(w.Pods) != 1 || w.Pods[0].Containers[0].State.ExitCode != 3 {
		t.Errorf("the workload is %+v", w)
	}
	if lines := text(w.Pods[0].Containers[0].LastLines); !strings.Contains(lines, "configuration of the database is missing") {
		t.Errorf("the last lines are %q", lines)
	}
}

func hasCondition(kind string) func(picture.Picture) string {
	return func(p picture.Picture) string {
		w, why := one(p)
		for _, c := range w.Conditions {
			if c.Type == kind && c.Status == "True" {
				return why
			}
		}
		return "not " + kind
	}
}

func text(lines []picture.Line) string {
	var all strings.Builder
	for _, line := range lines {
		all.WriteString(line.Text + "\n")
	}
	return all.String()
}

// TestCronJob follows one whose job was started by hand, and one that is suspended.
func TestCronJob(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns := c.Namespace(t)
	f, _ := follower(t, c.Kubeconfig(), follow.Options{})
	manifest := `
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 1 1 *"
  suspend: true
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers: [{name: app, image: "%s", env: [{name: ROUND, value: "%d"}]}]
`
	s := subject(ns, "batch/v1", "CronJob", "nightly")
	c.Apply(t, ns, fmt.Sprintf(manifest, c.Image("v2-done"), 1))
	w := until(t, f, s, "it is suspended", func(p picture.Picture) string { _, why := one(p); return why }).Workloads[0]
	if !w.Paused || w.Desired != 0 || len(w.Revisions) != 0 {
		t.Errorf("the workload is %+v", w)
	}
	done := func(job string, count int) picture.Workload {
		return until(t, f, s, job+" is done", func(p picture.Picture) string {
			w, why := one(p)
			if why != "" || len(w.Revisions) != count || w.Revisions[0].Name != job || w.Revisions[0].Ready != 1 {
				return fmt.Sprintf("%s %+v", why, w.Revisions)
			}
			return ""
		}).Workloads[0]
	}
	c.Kubectl(t, "create", "job", "--from=cronjob/nightly", "first", "-n", ns)
	if w = done("first", 1); !w.Revisions[0].Newest || len(w.Pods) != 1 || w.Pods[0].Revision != "first" || !w.Pods[0].Newest {
		t.Errorf("the workload is %+v", w)
	}
	// What was started with the old template is not of the newest.
	c.Apply(t, ns, fmt.Sprintf(manifest, c.Image("v2-done"), 2))
	until(t, f, s, "its job is an old one", func(p picture.Picture) string {
		if w, why := one(p); why != "" || w.Revisions[0].Newest || w.Pods[0].Newest {
			return "it is new"
		}
		return ""
	})
	c.Kubectl(t, "create", "job", "--from=cronjob/nightly", "second", "-n", ns)
	if w = done("second", 2); !w.Revisions[0].Newest || w.Revisions[1].Newest {
		t.Errorf("the revisions are %+v", w.Revisions)
	}
}
