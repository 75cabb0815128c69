package rollout

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// free deletes pods of a StatefulSet that are of an older revision and cannot start: their
// controller waits for them to be ready before it replaces them, for ever.
func (a *act) free(ctx context.Context, p picture.Picture, freed map[string]bool) error {
	for i := range p.Workloads {
		w := &p.Workloads[i]
		if w.Kind != "StatefulSet" || w.OnDelete || w.ObservedGeneration < w.Generation {
			continue
		}
		for j := range w.Pods {
			pod := &w.Pods[j]
			if pod.Newest || pod.Ready || !pod.Deleted.IsZero() || freed[pod.UID] || !broken(pod) {
				continue
			}
			k := keyOfRef(pod.Ref)
			k.APIVersion, k.Kind = "v1", "Pod"
			if err := a.cluster.Delete(ctx, k, cluster.DeleteOptions{Expect: cluster.Expect{UID: types.UID(pod.UID)}}); err != nil && !cluster.IsConflict(err) {
				return err
			}
			freed[pod.UID] = true
			a.work.Printf("%s deleted: it is of an older revision and cannot start, and its StatefulSet would wait for it for ever", k.Short())
		}
	}
	return nil
}

// stuck are the words for a container that cannot start by itself.
var stuck = []string{
	"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CrashLoopBackOff",
	"CreateContainerConfigError", "CreateContainerError", "RunContainerError",
}

func broken(pod *picture.Pod) bool {
	for _, c := range pod.Conditions {
		if c.Type == "PodScheduled" && c.Reason == "Unschedulable" {
			return true
		}
	}
	return slices.ContainsFunc(pod.Containers, func(c picture.Container) bool { return slices.Contains(stuck, c.State.Reason) })
}
