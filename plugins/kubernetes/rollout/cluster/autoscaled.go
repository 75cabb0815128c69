package cluster

import (
	"context"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Autoscaled are the workloads of a namespace whose replicas an autoscaler decides about,
// and the autoscaler's name. nil is none that is known.
type Autoscaled map[target]string

type target struct {
	group, kind, namespace, name string
}

// Has says whether an autoscaler decides about an object's replicas.
func (a Autoscaled) Has(k Key) bool { return a.By(k) != "" }

// By is the autoscaler of an object, or "".
func (a Autoscaled) By(k Key) string {
	return a[target{k.GVK().Group, k.Kind, k.Namespace, k.Name}]
}

// Autoscaled lists what the HorizontalPodAutoscalers of a namespace are about.
func (c *Cluster) Autoscaled(ctx context.Context, namespace string) (Autoscaled, error) {
	found, err := c.typed.AutoscalingV2().HorizontalPodAutoscalers(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, Answer(CallOf("list", autoscalingv2.SchemeGroupVersion.WithResource("horizontalpodautoscalers"), namespace, ""), err)
	}
	all := Autoscaled{}
	for i := range found.Items {
		hpa := &found.Items[i]
		ref := hpa.Spec.ScaleTargetRef
		group := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).Group
		all[target{group, ref.Kind, hpa.Namespace, ref.Name}] = hpa.Name
	}
	return all, nil
}

// scaledByItself says whether the replicas of an object were last written by Kubernetes'
// own autoscaler.
func scaledByItself(o *unstructured.Unstructured) bool {
	for _, entry := range entries(o) {
		if entry.Subresource == "scale" && ownerOfManager(entry.Manager).Kind == OwnerKubernetes {
			return true
		}
	}
	return false
}
