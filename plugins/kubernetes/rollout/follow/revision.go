package follow

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// revisionRecord is a ReplicaSet or a ControllerRevision, without its content.
type revisionRecord struct {
	head
	revision  picture.Revision
	template  uint64 // fingerprint, of ReplicaSets
	hash      string // label that its pods have too
	created   time.Time
	available int32

	generation, observed int64
}

func (r *reader) controllerRevision(c *appsv1.ControllerRevision) *revisionRecord {
	return &revisionRecord{
		head: r.head(&c.ObjectMeta), created: c.CreationTimestamp.Time, hash: r.one(c.Labels["controller-revision-hash"]),
		revision: picture.Revision{
			Ref: r.ref("apps/v1", "ControllerRevision", &c.ObjectMeta), Number: strconv.FormatInt(c.Revision, 10),
		},
	}
}

// number by which revisions are in order; those without one are the oldest.
func (r *revisionRecord) number() int64 {
	n, err := strconv.ParseInt(r.revision.Number, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// newestFirst sorts by number, then by age.
func newestFirst(revisions []*revisionRecord) {
	slices.SortFunc(revisions, func(a, b *revisionRecord) int {
		return cmp.Or(cmp.Compare(b.number(), a.number()), b.created.Compare(a.created), cmp.Compare(a.name, b.name))
	})
}

// newestOf returns the name of the ReplicaSet that a Deployment's template asks for, "" if
// there is none yet. The number that the controller wrote says it only while the
// Deployment is observed and not paused: a paused one keeps the number of its old template.
func newestOf(w *workloadRecord, revisions []*revisionRecord) string {
	var equal []*revisionRecord
	for _, r := range revisions {
		if w.template != 0 && r.template == w.template {
			equal = append(equal, r)
		}
	}
	if len(equal) == 1 {
		return equal[0].name
	}
	if w.workload.ObservedGeneration < w.workload.Generation {
		equal = nil
	} else if len(equal) == 0 && !w.workload.Paused {
		equal = revisions
	}
	for _, r := range equal {
		if r.revision.Number == w.workload.Revision && r.revision.Number != "" {
			return r.name
		}
	}
	return ""
}
