package follow_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// TestPicture is a Deployment in the middle of its rollout, whole.
func TestPicture(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	d := deployment("web", "app:2", "2")
	d.Spec.Replicas, d.Spec.ProgressDeadlineSeconds = pointer(int32(2)), pointer(int32(60))
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
		Conditions: []appsv1.DeploymentCondition{{
			Type: "Progressing", Status: "True", Reason: "ReplicaSetUpdated", Message: "it goes on",
			LastUpdateTime: after(time.Minute), LastTransitionTime: epoch,
		}},
	}
	older := pod("ReplicaSet", "web-1", "web-1-a", "app:1")
	newer := unready(pod("ReplicaSet", "web-2", "web-2-a", "app:2"), "CrashLoopBackOff")
	newer.CreationTimestamp = after(time.Minute)
	newer.Status.Phase = corev1.PodRunning
	newer.Spec.InitContainers = []corev1.Container{
		{Name: "migrate", Image: "app:2"},
		{Name: "proxy", Image: "proxy", RestartPolicy: pointer(corev1.ContainerRestartPolicyAlways)},
	}
	newer.Spec.Containers[0].LivenessProbe, newer.Spec.Containers[0].StartupProbe = &corev1.Probe{}, &corev1.Probe{}
	newer.Spec.Containers[0].Resources = corev1.ResourceRequirements{
		Requests: corev1.ResourceList{"cpu": resource.MustParse("0.5"), "memory": resource.MustParse("64Mi"), "example.com/gpu": resource.MustParse("1")},
		Limits:   corev1.ResourceList{"memory": resource.MustParse("128Mi")},
	}
	newer.Status.InitContainerStatuses = []corev1.ContainerStatus{{
		Name: "migrate", Ready: true,
		State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: epoch, FinishedAt: after(time.Second)}},
	}}
	newer.Status.ContainerStatuses[0].RestartCount = 2
	newer.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
		ExitCode: 137, Signal: 9, Reason: "OOMKilled", Message: "too much", StartedAt: epoch, FinishedAt: after(2 * time.Minute),
	}
	common := warning("common", "Pod", "web-2-a", "Pulled", time.Minute)
	common.Type = corev1.EventTypeNormal
	probe := warning("probe", "Pod", "web-2-a", "Unhealthy", 2*time.Minute)
	probe.InvolvedObject.FieldPath = "spec.containers{app}"
	probe.Count = 4
	series := warning("series", "Pod", "web-2-a", "BackOff", time.Minute)
	series.LastTimestamp, series.Series = metav1.Time{}, &corev1.EventSeries{Count: 7, LastObservedTime: metav1.NewMicroTime(epoch.Add(time.Minute))}
	service := &corev1.Service{ObjectMeta: object("web"), Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"}}}
	slice := func(name string, ready bool, addresses ...string) *discoveryv1.EndpointSlice {
		s := &discoveryv1.EndpointSlice{ObjectMeta: object(name)}
		s.Labels = map[string]string{discoveryv1.LabelServiceName: "web"}
		s.Endpoints = []discoveryv1.Endpoint{{
			Addresses: addresses, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "web-1-a"},
		}}
		return s
	}
	c.put(
		d, replicaSet("web", "web-1", "app:1", "1"), replicaSet("web", "web-2", "app:2", "2"), older, newer, common, probe, series,
		warning("scaled", "ReplicaSet", "web-2", "FailedCreate", time.Minute), service,
		slice("one", true, "10.0.0.1", "10.0.0.2"), slice("two", false, "10.0.0.1"),
		deployment("other", "app:1", "1"), replicaSet("other", "other-1", "app:1", "1"), pod("ReplicaSet", "other-1", "other-1-a", "app:1"),
		warning("foreign", "Pod", "other-1-a", "Unhealthy", 0),
	)
	s := subject("apps/v1", "Deployment", "web", "nobody")
	s.Services = []picture.Ref{{Namespace: "shop", Name: "web"}, {Namespace: "shop", Name: "gone"}}
	now := epoch.Add(time.Hour)
	got := take(t, c.follower(t, follow.Options{Now: func() time.Time { return now }}), s)

	ref := func(apiVersion, kind, name string) picture.Ref {
		return picture.Ref{APIVersion: apiVersion, Kind: kind, Namespace: "shop", Name: name, UID: "uid-of-" + name}
	}
	about := func(kind, name string) picture.Ref { r := ref("", kind, name); return r }
	want := picture.Picture{
		At: now,
		Workloads: []picture.Workload{{
			Ref: ref("apps/v1", "Deployment", "web"), Generation: 1, ObservedGeneration: 1,
			Desired: 2, Updated: 1, Ready: 1, Available: 1, Revision: "2", ProgressDeadline: time.Minute,
			Conditions: []picture.Condition{{Type: "Progressing", Status: "True", Reason: "ReplicaSetUpdated", Message: "it goes on", Since: epoch.Add(time.Minute)}},
			Revisions: []picture.Revision{
				{Ref: ref("apps/v1", "ReplicaSet", "web-2"), Number: "2", Newest: true, Desired: 1},
				{Ref: ref("apps/v1", "ReplicaSet", "web-1"), Number: "1", Desired: 1},
			},
			Events: []picture.Event{{
				At: epoch.Add(time.Minute), Type: "Warning", Reason: "FailedCreate", Message: "FailedCreate of web-2", Count: 1, Object: about("ReplicaSet", "web-2"),
			}},
			Pods: []picture.Pod{
				{
					Ref: ref("v1", "Pod", "web-1-a"), Revision: "web-1", Phase: "Running", Node: "node-1", IP: "10.0.0.1", Ready: true, Created: epoch.Time,
					Conditions: []picture.Condition{{Type: "Ready", Status: "True", Since: epoch.Time}},
					Containers: []picture.Container{{
						Name: "app", Image: "app:1", ImageID: "app@sha256:1", Ready: true, Started: true, State: picture.ContainerState{Kind: "running", Since: epoch.Time},
					}},
				},
				{
					Ref: ref("v1", "Pod", "web-2-a"), Revision: "web-2", Newest: true, Phase: "Running", Node: "node-1", IP: "10.0.0.1", Created: epoch.Add(time.Minute),
					Conditions: []picture.Condition{{Type: "Ready", Status: "False", Since: epoch.Time}},
					Containers: []picture.Container{
						{Name: "migrate", Init: true, Image: "app:2", Ready: true, State: picture.ContainerState{
							Kind: "terminated", Reason: "Completed", Since: epoch.Time, Ended: epoch.Add(time.Second),
						}},
						{Name: "proxy", Init: true, Sidecar: true, Image: "proxy"},
						{
							Name: "app", Image: "app:2", Restarts: 2, State: picture.ContainerState{Kind: "waiting", Reason: "CrashLoopBackOff"},
							Last: picture.ContainerState{
								Kind: "terminated", Reason: "OOMKilled", Message: "too much", ExitCode: 137, Signal: 9, Since: epoch.Time, Ended: epoch.Add(2 * time.Minute),
							},
							Probes:   picture.Probes{Startup: true, Liveness: true},
							Requests: map[string]string{"cpu": "500m", "memory": "64Mi"}, Limits: map[string]string{"memory": "128Mi"},
						},
					},
					Events: []picture.Event{
						{At: epoch.Add(time.Minute), Type: "Warning", Reason: "BackOff", Message: "BackOff of web-2-a", Count: 7, Object: about("Pod", "web-2-a")},
						{At: epoch.Add(2 * time.Minute), Type: "Warning", Reason: "Unhealthy", Message: "Unhealthy of web-2-a", Count: 4, Object: about("Pod", "web-2-a"), Container: "app"},
					},
				},
			},
		}},
		Services: []picture.Service{{Ref: ref("v1", "Service", "web"), Endpoints: []picture.Endpoint{
			{IP: "10.0.0.1", Pod: "web-1-a", Ready: true}, {IP: "10.0.0.2", Pod: "web-1-a", Ready: true},
		}}},
		Missing: []picture.Missing{{
			Object: picture.Ref{APIVersion: "v1", Kind: "Service", Namespace: "shop", Name: "gone"},
			By:     picture.Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the picture (-want +got):\n%s", diff)
	}
}

// TestNewest is which ReplicaSet a Deployment's template asks for.
func TestNewest(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*appsv1.Deployment, []*appsv1.ReplicaSet)
		want   string
	}{
		"the one of the same template": {func(*appsv1.Deployment, []*appsv1.ReplicaSet) {}, "web-2"},
		"that is back and not observed": {func(d *appsv1.Deployment, _ []*appsv1.ReplicaSet) {
			d.Generation, d.Spec.Template = 2, template("app:1")
		}, "web-1"},
		"none yet": {func(d *appsv1.Deployment, _ []*appsv1.ReplicaSet) {
			d.Generation, d.Spec.Template = 2, template("app:3")
		}, ""},
		"none while it is paused": {func(d *appsv1.Deployment, _ []*appsv1.ReplicaSet) {
			d.Spec.Paused, d.Spec.Template = true, template("app:3")
		}, ""},
		"the number where a newer API server has filled in defaults": {func(d *appsv1.Deployment, _ []*appsv1.ReplicaSet) {
			d.Spec.Template.Spec.DNSPolicy = "ClusterFirst"
		}, "web-2"},
		"the number where two are alike": {func(_ *appsv1.Deployment, sets []*appsv1.ReplicaSet) {
			sets[0].Spec.Template.Spec = sets[1].Spec.Template.Spec
		}, "web-2"},
		"labels of the template count": {func(d *appsv1.Deployment, sets []*appsv1.ReplicaSet) {
			d.Spec.Template.Spec.Containers[0].Image = "app:1"
			d.Spec.Template.Labels["more"], sets[1].Spec.Template.Labels["more"] = "yes", "yes"
			sets[1].Spec.Template.Spec.Containers[0].Image = "app:1"
			d.Annotations = nil
		}, "web-2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			d := deployment("web", "app:2", "2")
			sets := []*appsv1.ReplicaSet{replicaSet("web", "web-1", "app:1", "1"), replicaSet("web", "web-2", "app:2", "2")}
			test.change(d, sets)
			c.put(d, sets[0], sets[1], pod("ReplicaSet", "web-1", "a", "app:1"), pod("ReplicaSet", "web-2", "b", "app:2"))
			w := take(t, c.follower(t, follow.Options{}), subject("apps/v1", "Deployment", "web")).Workloads[0]
			got := ""
			for _, r := range w.Revisions {
				if r.Newest {
					got += r.Name
				}
			}
			if got != test.want {
				t.Errorf("the newest is %q, want %q", got, test.want)
			}
			for _, p := range w.Pods {
				if p.Newest != (p.Revision == test.want) {
					t.Errorf("pod %s of %s is of the newest: %t", p.Name, p.Revision, p.Newest)
				}
			}
		})
	}
}

// TestUnobserved does not call a pod new by a status that is of the template before.
func TestUnobserved(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	set := &appsv1.StatefulSet{ObjectMeta: object("db"), Spec: appsv1.StatefulSetSpec{Replicas: pointer(int32(1)), Template: template("app:2")}}
	set.Status = appsv1.StatefulSetStatus{ObservedGeneration: 1, UpdateRevision: "db-1"}
	set.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType
	revision := &appsv1.ControllerRevision{ObjectMeta: ownedBy(object("db-1"), "apps/v1", "StatefulSet", "db"), Revision: 1}
	member := pod("StatefulSet", "db", "db-0", "app:1")
	member.Labels = map[string]string{"controller-revision-hash": "db-1"}
	c.put(set, revision, member)
	f := c.follower(t, follow.Options{})
	s := subject("apps/v1", "StatefulSet", "db")
	if w := take(t, f, s).Workloads[0]; !w.Pods[0].Newest || !w.Revisions[0].Newest || !w.OnDelete {
		t.Errorf("before: %+v", w)
	}
	changed := set.DeepCopy()
	changed.Generation = 2
	c.put(changed)
	w := until(t, f, s, "it is changed", func(p picture.Picture) string {
		if p.Workloads[0].Generation != 2 {
			return "not yet"
		}
		return ""
	}).Workloads[0]
	if w.Pods[0].Newest || w.Revisions[0].Newest {
		t.Errorf("after: %+v", w)
	}
}

// TestManyEvents keeps the newest of them.
func TestManyEvents(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.put(deployment("web", "app:1", "1"))
	for i := range 30 {
		c.put(warning(fmt.Sprintf("e%02d", i), "Deployment", "web", fmt.Sprintf("R%02d", i), time.Duration(i)*time.Second))
	}
	events := take(t, c.follower(t, follow.Options{}), subject("apps/v1", "Deployment", "web")).Workloads[0].Events
	if len(events) != 20 || events[0].Reason != "R10" || events[19].Reason != "R29" {
		t.Errorf("the events are %+v", events)
	}
}

// TestBlocked is told by events of a controller, until it has made a pod.
func TestBlocked(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	set := &appsv1.DaemonSet{ObjectMeta: object("agent"), Status: appsv1.DaemonSetStatus{ObservedGeneration: 1, DesiredNumberScheduled: 2}}
	revision := &appsv1.ControllerRevision{ObjectMeta: ownedBy(object("agent-1"), "apps/v1", "DaemonSet", "agent"), Revision: 1}
	c.put(set, revision, warning("quota", "DaemonSet", "agent", "FailedCreate", time.Minute))
	f := c.follower(t, follow.Options{})
	s := subject("apps/v1", "DaemonSet", "agent")
	if r := take(t, f, s).Workloads[0].Revisions[0]; !strings.Contains(r.Failure, "FailedCreate of agent") {
		t.Errorf("the revision is %+v", r)
	}
	made := pod("DaemonSet", "agent", "agent-a", "app:1")
	made.CreationTimestamp = after(2 * time.Minute)
	c.put(made)
	until(t, f, s, "a pod was made", func(p picture.Picture) string { return p.Workloads[0].Revisions[0].Failure })
}

// TestAlone is of a pod and a ReplicaSet that nobody owns.
func TestAlone(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	set := replicaSet("web", "alone", "app:1", "")
	set.OwnerReferences, set.Status = nil, appsv1.ReplicaSetStatus{ObservedGeneration: 1, ReadyReplicas: 1, AvailableReplicas: 1}
	c.put(set, pod("ReplicaSet", "alone", "alone-a", "app:1"), warning("e", "Pod", "alone-a", "Unhealthy", 0))
	s := subject("apps/v1", "ReplicaSet", "alone")
	s.Workloads = append(s.Workloads, subject("v1", "Pod", "alone-a").Workloads...)
	p := take(t, c.follower(t, follow.Options{}), s)
	if w := p.Workloads[0]; len(w.Pods) != 1 || !w.Pods[0].Newest || w.Desired != 1 || w.Ready != 1 || w.Available != 1 || w.ObservedGeneration != 1 {
		t.Errorf("the ReplicaSet is %+v", w)
	}
	if w := p.Workloads[1]; len(w.Pods) != 1 || !w.Pods[0].Newest || w.Ready != 1 || len(w.Pods[0].Events) != 1 || len(w.Events) != 0 {
		t.Errorf("the pod is %+v", w)
	}
}
