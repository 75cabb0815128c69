package follow

import (
	batchv1 "k8s.io/api/batch/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// job counts what has succeeded as Available and as Ready too: nothing of it is missing any more.
func (r *reader) job(j *batchv1.Job) *workloadRecord {
	w := picture.Workload{
		Ref:        r.ref("batch/v1", "Job", &j.ObjectMeta),
		Generation: j.Generation, ObservedGeneration: j.Generation, // a Job's status has none
		Paused: j.Spec.Suspend != nil && *j.Spec.Suspend, Desired: count(j.Spec.Parallelism),
		Updated: j.Status.Active + j.Status.Succeeded, Ready: j.Status.Succeeded, Available: j.Status.Succeeded,
	}
	if j.Spec.Completions != nil {
		w.Desired = *j.Spec.Completions
	}
	if j.Status.Ready != nil {
		w.Ready += *j.Status.Ready
	}
	for i := range j.Status.Conditions {
		c := &j.Status.Conditions[i]
		w.Conditions = append(w.Conditions, r.condition(string(c.Type), string(c.Status), c.Reason, c.Message, c.LastTransitionTime.Time))
	}
	return &workloadRecord{
		head: r.head(&j.ObjectMeta), workload: w, created: j.CreationTimestamp.Time,
		template: fingerprint(&j.Spec.Template), refers: r.references("spec.template.spec", &j.Spec.Template.Spec),
	}
}

// cronJob wants nothing to run: what it has started is in its revisions.
func (r *reader) cronJob(c *batchv1.CronJob) *workloadRecord {
	template := &c.Spec.JobTemplate.Spec.Template
	return &workloadRecord{
		head: r.head(&c.ObjectMeta), created: c.CreationTimestamp.Time,
		template: fingerprint(template), refers: r.references("spec.jobTemplate.spec.template.spec", &template.Spec),
		workload: picture.Workload{
			Ref:        r.ref("batch/v1", "CronJob", &c.ObjectMeta),
			Generation: c.Generation, ObservedGeneration: c.Generation, // a CronJob's status has none
			Paused: c.Spec.Suspend != nil && *c.Spec.Suspend,
		},
	}
}
