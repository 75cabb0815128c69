package follow

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// workloadRecord is a workload without what belongs to it.
type workloadRecord struct {
	head
	workload picture.Workload
	template uint64 // fingerprint
	newest   string // name or hash of the newest revision, where the status says it
	refers   []reference
	created  time.Time
}

// revisionAnnotation is where the Deployment controller numbers what it rolls out.
const revisionAnnotation = "deployment.kubernetes.io/revision"

func (r *reader) deployment(d *appsv1.Deployment) *workloadRecord {
	w := picture.Workload{
		Ref:        r.ref("apps/v1", "Deployment", &d.ObjectMeta),
		Generation: d.Generation, ObservedGeneration: d.Status.ObservedGeneration,
		Paused: d.Spec.Paused, Desired: count(d.Spec.Replicas), Updated: d.Status.UpdatedReplicas,
		Ready: d.Status.ReadyReplicas, Available: d.Status.AvailableReplicas,
		Revision: r.one(d.Annotations[revisionAnnotation]), ProgressDeadline: 10 * time.Minute,
	}
	if d.Spec.ProgressDeadlineSeconds != nil {
		w.ProgressDeadline = time.Duration(*d.Spec.ProgressDeadlineSeconds) * time.Second
	}
	for i := range d.Status.Conditions {
		c := &d.Status.Conditions[i]
		since := c.LastUpdateTime.Time
		if since.IsZero() {
			since = c.LastTransitionTime.Time
		}
		w.Conditions = append(w.Conditions, r.condition(string(c.Type), string(c.Status), c.Reason, c.Message, since))
	}
	return &workloadRecord{
		head: r.head(&d.ObjectMeta), workload: w, created: d.CreationTimestamp.Time,
		template: fingerprint(&d.Spec.Template), refers: r.references("spec.template.spec", &d.Spec.Template.Spec),
	}
}

func (r *reader) statefulSet(s *appsv1.StatefulSet) *workloadRecord {
	w := picture.Workload{
		Ref:        r.ref("apps/v1", "StatefulSet", &s.ObjectMeta),
		Generation: s.Generation, ObservedGeneration: s.Status.ObservedGeneration,
		Desired: count(s.Spec.Replicas), Updated: s.Status.UpdatedReplicas,
		Ready: s.Status.ReadyReplicas, Available: s.Status.AvailableReplicas,
		Revision: r.one(s.Status.UpdateRevision), OnDelete: s.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType,
	}
	if rolling := s.Spec.UpdateStrategy.RollingUpdate; rolling != nil && rolling.Partition != nil {
		w.Partition = *rolling.Partition
	}
	for i := range s.Status.Conditions {
		c := &s.Status.Conditions[i]
		w.Conditions = append(w.Conditions, r.condition(string(c.Type), string(c.Status), c.Reason, c.Message, c.LastTransitionTime.Time))
	}
	return &workloadRecord{
		head: r.head(&s.ObjectMeta), workload: w, newest: w.Revision, created: s.CreationTimestamp.Time,
		refers: r.references("spec.template.spec", &s.Spec.Template.Spec),
	}
}

func (r *reader) daemonSet(d *appsv1.DaemonSet) *workloadRecord {
	w := picture.Workload{
		Ref:        r.ref("apps/v1", "DaemonSet", &d.ObjectMeta),
		Generation: d.Generation, ObservedGeneration: d.Status.ObservedGeneration,
		Desired: d.Status.DesiredNumberScheduled, Updated: d.Status.UpdatedNumberScheduled,
		Ready: d.Status.NumberReady, Available: d.Status.NumberAvailable,
		OnDelete: d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType,
	}
	for i := range d.Status.Conditions {
		c := &d.Status.Conditions[i]
		w.Conditions = append(w.Conditions, r.condition(string(c.Type), string(c.Status), c.Reason, c.Message, c.LastTransitionTime.Time))
	}
	return &workloadRecord{
		head: r.head(&d.ObjectMeta), workload: w, created: d.CreationTimestamp.Time,
		refers: r.references("spec.template.spec", &d.Spec.Template.Spec),
	}
}

// replicaSet is a workload where one is named, and else a revision.
func (r *reader) replicaSet(s *appsv1.ReplicaSet) *revisionRecord {
	record := &revisionRecord{
		head: r.head(&s.ObjectMeta), created: s.CreationTimestamp.Time,
		template: fingerprint(&s.Spec.Template), hash: r.one(s.Labels["rollouts-pod-template-hash"]),
		generation: s.Generation, observed: s.Status.ObservedGeneration, available: s.Status.AvailableReplicas,
		revision: picture.Revision{
			Ref: r.ref("apps/v1", "ReplicaSet", &s.ObjectMeta), Number: r.one(s.Annotations[revisionAnnotation]),
			Desired: count(s.Spec.Replicas), Ready: s.Status.ReadyReplicas,
		},
	}
	if record.revision.Number == "" {
		record.revision.Number = r.one(s.Annotations["rollout.argoproj.io/revision"])
	}
	for i := range s.Status.Conditions {
		if c := &s.Status.Conditions[i]; c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
			record.revision.Failure = c.Message
		}
	}
	return record
}

func count(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}
