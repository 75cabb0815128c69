package follow

import (
	"cmp"
	"slices"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// canvas is a workload while what belongs to it is put together.
type canvas struct {
	view      view
	namespace string
	record    *workloadRecord
	w         picture.Workload
	about     []record // events
}

func (c *canvas) paint(k *kind) {
	switch k {
	case deployments:
		owned := c.owned(replicaSets)
		c.revisions(owned, newestOf(c.record, owned))
	case statefulSets:
		c.labelled(func([]*revisionRecord) string { return c.record.newest })
		c.blocked()
	case daemonSets:
		c.labelled(func(owned []*revisionRecord) string {
			if len(owned) == 0 {
				return ""
			}
			c.w.Revision = owned[0].revision.Number
			return owned[0].name
		})
		c.blocked()
	case jobs:
		c.run(c.record, true)
		c.blocked()
	case cronJobs:
		c.cron()
	default:
		c.custom()
	}
	c.events()
}

// children of an object of a kind.
func (c *canvas) children(k *kind, h *head, parentKind string) []record {
	return c.view.shelf(k, c.namespace).children(h.uid, parentKind, h.name)
}

// podsOf an object of a kind.
func (c *canvas) podsOf(h *head, parentKind string) []*podRecord {
	return only[*podRecord](c.children(pods, h, parentKind))
}

// owned revisions of the workload, newest first.
func (c *canvas) owned(k *kind) []*revisionRecord {
	found := only[*revisionRecord](c.children(k, &c.record.head, c.w.Kind))
	newestFirst(found)
	return found
}

// revisions that own their pods.
func (c *canvas) revisions(owned []*revisionRecord, newest string) {
	for _, r := range owned {
		revision := r.revision
		revision.Newest = r.name == newest
		c.w.Revisions = append(c.w.Revisions, revision)
		c.about = append(c.about, c.children(events, &r.head, "ReplicaSet")...)
		for _, pod := range c.podsOf(&r.head, "ReplicaSet") {
			c.pod(pod, r.name, revision.Newest)
		}
	}
	c.sortPods()
}

// labelled puts the pods that the workload owns to the revisions that their labels name.
// Whoever reads one must not believe it before the controller has seen the newest template.
func (c *canvas) labelled(newestOf func([]*revisionRecord) string) {
	owned := c.owned(controllerRevisions)
	newest := newestOf(owned)
	if c.w.ObservedGeneration < c.w.Generation {
		newest = ""
	}
	names, count := map[string]string{}, map[string][2]int32{}
	for _, r := range owned {
		names[r.name], names[r.hash] = r.name, r.name
	}
	for _, pod := range c.podsOf(&c.record.head, c.w.Kind) {
		name := cmp.Or(names[pod.revision], pod.revision)
		c.pod(pod, name, newest != "" && name == newest)
		n := count[name]
		count[name] = [2]int32{n[0] + 1, n[1] + int32(ready(pod.pod.Ready))}
	}
	for _, r := range owned {
		revision := r.revision
		revision.Newest = newest != "" && r.name == newest
		revision.Desired, revision.Ready = count[r.name][0], count[r.name][1]
		if revision.Newest {
			revision.Desired = max(0, c.w.Desired-c.w.Partition)
		}
		c.w.Revisions = append(c.w.Revisions, revision)
	}
	c.sortPods()
}

// run adds a job as a revision.
func (c *canvas) run(job *workloadRecord, newest bool) {
	revision := picture.Revision{
		Ref: job.workload.Ref, Number: "1", Newest: newest, Desired: job.workload.Desired, Ready: job.workload.Ready,
	}
	c.w.Revisions = append(c.w.Revisions, revision)
	for _, pod := range c.podsOf(&job.head, "Job") {
		c.pod(pod, job.name, newest)
	}
	c.sortPods()
}

// cron adds the jobs that were started, newest first.
func (c *canvas) cron() {
	started := only[*workloadRecord](c.children(jobs, &c.record.head, "CronJob"))
	slices.SortFunc(started, func(a, b *workloadRecord) int {
		return cmp.Or(b.created.Compare(a.created), cmp.Compare(a.name, b.name))
	})
	for _, job := range started {
		c.about = append(c.about, c.children(events, &job.head, "Job")...)
		c.run(job, job.template == c.record.template)
		failed := slices.ContainsFunc(job.workload.Conditions, func(x picture.Condition) bool {
			return x.Type == "Failed" && x.Status == "True"
		})
		if last := &c.w.Revisions[len(c.w.Revisions)-1]; failed {
			for _, x := range job.workload.Conditions {
				if x.Type == "Failed" {
					last.Failure = x.Message
				}
			}
		}
	}
}

// custom has the ReplicaSets of Argo Rollouts and pods of its own.
func (c *canvas) custom() {
	owned := c.owned(replicaSets)
	newest := ""
	for _, r := range owned {
		if r.hash != "" && r.hash == c.record.newest && c.w.ObservedGeneration >= c.w.Generation {
			newest = r.name
		}
	}
	c.revisions(owned, newest)
	for _, pod := range c.podsOf(&c.record.head, c.w.Kind) {
		c.pod(pod, "", true)
	}
	c.sortPods()
}

func (c *canvas) pod(r *podRecord, revision string, newest bool) {
	pod := r.pod
	pod.Revision, pod.Newest = revision, newest
	pod.Events = newestLast(c.children(events, &r.head, "Pod"))
	c.w.Pods = append(c.w.Pods, pod)
}

func (c *canvas) sortPods() {
	slices.SortFunc(c.w.Pods, func(a, b picture.Pod) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name))
	})
}

func (c *canvas) events() {
	if c.w.Kind != "Pod" {
		c.about = append(c.about, c.children(events, &c.record.head, c.w.Kind)...)
	}
	c.w.Events = newestLast(c.about)
}

// blocked says of the newest revision why its pods cannot be made. Controllers other than
// that of ReplicaSets tell it by events alone; one that is older than a pod is over.
func (c *canvas) blocked() {
	if int32(len(c.w.Pods)) >= c.w.Desired {
		return
	}
	var failure *picture.Event
	all := newestLast(c.children(events, &c.record.head, c.w.Kind))
	for i := range all {
		if all[i].Reason == "FailedCreate" {
			failure = &all[i]
		}
	}
	if failure == nil {
		return
	}
	for i := range c.w.Pods {
		if c.w.Pods[i].Created.After(failure.At) {
			return
		}
	}
	for i := range c.w.Revisions {
		if c.w.Revisions[i].Newest {
			c.w.Revisions[i].Failure = failure.Message
		}
	}
}
