package follow

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

type nodeRecord struct {
	head
	node picture.Node
}

func (r *reader) node(n *corev1.Node) *nodeRecord {
	record := &nodeRecord{head: r.head(&n.ObjectMeta), node: picture.Node{Name: n.Name, Unschedulable: n.Spec.Unschedulable}}
	for i := range n.Status.Conditions {
		if c := &n.Status.Conditions[i]; c.Type == corev1.NodeReady {
			record.node.Ready = c.Status == corev1.ConditionTrue
			record.node.Reason, record.node.Message = r.one(c.Reason), r.one(c.Message)
			record.node.Since = c.LastTransitionTime.Time
		}
	}
	return record
}
