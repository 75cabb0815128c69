package release

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// templates are where kinds keep the template of their pods.
var templates = map[string][]string{
	"Pod":                   {"spec"},
	"Deployment":            {"spec", "template", "spec"},
	"StatefulSet":           {"spec", "template", "spec"},
	"DaemonSet":             {"spec", "template", "spec"},
	"ReplicaSet":            {"spec", "template", "spec"},
	"ReplicationController": {"spec", "template", "spec"},
	"Job":                   {"spec", "template", "spec"},
	"Rollout":               {"spec", "template", "spec"},
	"CronJob":               {"spec", "jobTemplate", "spec", "template", "spec"},
}

// groups are those that the kinds above are of; other groups have other kinds of
// the same names.
var groups = map[string]bool{"": true, "apps": true, "batch": true, "argoproj.io": true}

// PodSpec is the path of the pod's spec within an object, nil if it has none.
func PodSpec(object *unstructured.Unstructured) []string {
	if !groups[object.GroupVersionKind().Group] {
		return nil
	}
	return templates[object.GetKind()]
}

// EachContainer calls do for each container that an object's pods have, those of
// the start too, with its path of names and indices: spec, template, spec, containers,
// 0. What do changes is changed in the object.
func EachContainer(object *unstructured.Unstructured, do func(path []any, container map[string]any)) {
	at := PodSpec(object)
	if at == nil {
		return
	}
	spec, found, err := unstructured.NestedFieldNoCopy(object.Object, at...)
	pod, ok := spec.(map[string]any)
	if err != nil || !found || !ok {
		return
	}
	for _, list := range []string{"initContainers", "containers"} {
		containers, _ := pod[list].([]any)
		for i, one := range containers {
			if container, ok := one.(map[string]any); ok {
				path := make([]any, 0, len(at)+2)
				for _, step := range at {
					path = append(path, step)
				}
				do(append(path, list, i), container)
			}
		}
	}
}
