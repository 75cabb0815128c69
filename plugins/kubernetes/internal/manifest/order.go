package manifest

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// order is that in which kinds are applied: what others need comes first. Kinds that
// are not in it come between what is needed and what runs.
var order = []string{
	"Namespace", "CustomResourceDefinition", "PriorityClass", "RuntimeClass", "StorageClass",
	"NetworkPolicy", "ResourceQuota", "LimitRange", "PodDisruptionBudget",
	"ServiceAccount", "Secret", "ConfigMap", "PersistentVolume", "PersistentVolumeClaim",
	"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Service",
	"", // all others
	"Pod", "DaemonSet", "ReplicationController", "ReplicaSet", "StatefulSet", "Deployment", "Rollout", "Job", "CronJob",
	"HorizontalPodAutoscaler", "Ingress", "APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
}

// Sort brings documents into the order in which they are to be applied. Those of one
// kind stay as they are.
func Sort(documents []Document) {
	slices.SortStableFunc(documents, func(a, b Document) int { return rank(a) - rank(b) })
}

func rank(d Document) int {
	if i := slices.Index(order, d.Object.GetKind()); i >= 0 {
		return i
	}
	return slices.Index(order, "")
}

// made are the fields that a cluster writes into objects. A manifest that was taken
// from a cluster has them, and to apply them is wrong.
var made = [][]string{
	{"status"},
	{"metadata", "managedFields"},
	{"metadata", "resourceVersion"},
	{"metadata", "uid"},
	{"metadata", "creationTimestamp"},
	{"metadata", "generation"},
	{"metadata", "selfLink"},
	{"metadata", "deletionTimestamp"},
	{"metadata", "deletionGracePeriodSeconds"},
	{"spec", "template", "metadata", "creationTimestamp"},
	{"metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"},
	{"metadata", "annotations", "deployment.kubernetes.io/revision"},
}

// Clean takes out of an object what a cluster has written into it.
func Clean(object *unstructured.Unstructured) {
	for _, field := range made {
		unstructured.RemoveNestedField(object.Object, field...)
	}
}
