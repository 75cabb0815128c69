package follow

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// podRecord is a pod, without its events and without what its workload says of it.
type podRecord struct {
	head
	pod      picture.Pod
	revision string // label of the StatefulSet or DaemonSet controller
	hash     string // label of Argo Rollouts
}

func (r *reader) pod(p *corev1.Pod) *podRecord {
	record := &podRecord{
		head: r.head(&p.ObjectMeta),
		pod: picture.Pod{
			Ref:   r.ref("v1", "Pod", &p.ObjectMeta),
			Phase: r.one(string(p.Status.Phase)), Reason: r.one(p.Status.Reason), Message: p.Status.Message,
			Node: r.one(p.Spec.NodeName), IP: p.Status.PodIP,
			Created: p.CreationTimestamp.Time,
		},
		revision: r.one(p.Labels["controller-revision-hash"]),
		hash:     r.one(p.Labels["rollouts-pod-template-hash"]),
	}
	if p.DeletionTimestamp != nil {
		record.pod.Deleted = p.DeletionTimestamp.Time
	}
	for i := range p.Status.Conditions {
		c := &p.Status.Conditions[i]
		if c.Type == corev1.PodReady {
			record.pod.Ready = c.Status == corev1.ConditionTrue
		} else if c.Status == corev1.ConditionTrue && c.Type != corev1.DisruptionTarget {
			continue // what went well long ago
		}
		record.pod.Conditions = append(record.pod.Conditions, r.condition(
			string(c.Type), string(c.Status), c.Reason, c.Message, c.LastTransitionTime.Time,
		))
	}
	record.pod.Containers = make([]picture.Container, 0, len(p.Spec.InitContainers)+len(p.Spec.Containers))
	for i := range p.Spec.InitContainers {
		r.container(record, &p.Spec.InitContainers[i], p.Status.InitContainerStatuses, true)
	}
	for i := range p.Spec.Containers {
		r.container(record, &p.Spec.Containers[i], p.Status.ContainerStatuses, false)
	}
	return record
}

func (r *reader) condition(kind, status, reason, message string, since time.Time) picture.Condition {
	return picture.Condition{Type: r.one(kind), Status: r.one(status), Reason: r.one(reason), Message: message, Since: since}
}

func (r *reader) container(record *podRecord, spec *corev1.Container, statuses []corev1.ContainerStatus, initial bool) {
	c := picture.Container{
		Name: r.one(spec.Name), Image: r.one(spec.Image), Init: initial,
		Sidecar:  initial && spec.RestartPolicy != nil && *spec.RestartPolicy == corev1.ContainerRestartPolicyAlways,
		Requests: r.quantities(spec.Resources.Requests), Limits: r.quantities(spec.Resources.Limits),
		Probes: picture.Probes{
			Startup: spec.StartupProbe != nil, Readiness: spec.ReadinessProbe != nil, Liveness: spec.LivenessProbe != nil,
		},
	}
	for i := range statuses {
		s := &statuses[i]
		if s.Name != spec.Name {
			continue
		}
		c.ImageID, c.Ready, c.Restarts = r.one(s.ImageID), s.Ready, s.RestartCount
		c.Started = s.Started != nil && *s.Started
		c.State, c.Last = r.state(s.State), r.state(s.LastTerminationState)
	}
	record.pod.Containers = append(record.pod.Containers, c)
}

func (r *reader) state(s corev1.ContainerState) picture.ContainerState {
	switch {
	case s.Waiting != nil:
		return picture.ContainerState{Kind: "waiting", Reason: r.one(s.Waiting.Reason), Message: s.Waiting.Message}
	case s.Running != nil:
		return picture.ContainerState{Kind: "running", Since: s.Running.StartedAt.Time}
	case s.Terminated != nil:
		return picture.ContainerState{
			Kind: "terminated", Reason: r.one(s.Terminated.Reason), Message: s.Terminated.Message,
			ExitCode: s.Terminated.ExitCode, Signal: s.Terminated.Signal,
			Since: s.Terminated.StartedAt.Time, Ended: s.Terminated.FinishedAt.Time,
		}
	}
	return picture.ContainerState{}
}
