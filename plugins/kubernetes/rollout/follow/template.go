package follow

import (
	"hash/fnv"
	"maps"

	corev1 "k8s.io/api/core/v1"
)

// added are the labels that controllers put on their copy of a pod template.
var added = []string{
	"pod-template-hash", "rollouts-pod-template-hash",
	"controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name",
}

// fingerprint is the same for the template of a workload and that of the revision made of
// it, so that the newest revision is known without keeping any template. 0 is unknown.
func fingerprint(template *corev1.PodTemplateSpec) uint64 {
	bare := *template
	for _, label := range added {
		if _, ok := bare.Labels[label]; ok {
			bare.Labels = maps.Clone(template.Labels)
			break
		}
	}
	for _, label := range added {
		delete(bare.Labels, label)
	}
	if len(bare.Labels) == 0 {
		bare.Labels = nil
	}
	bare.CreationTimestamp.Reset()
	encoded, err := bare.Marshal()
	if err != nil {
		return 0
	}
	sum := fnv.New64a()
	_, _ = sum.Write(encoded)
	return max(sum.Sum64(), 1)
}
