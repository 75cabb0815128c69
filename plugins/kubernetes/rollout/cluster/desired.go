package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Normalise returns the desired state of an object: a copy without status, without what
// the API server and controllers keep for themselves, without our stamps and without
// defaults, so that two objects that ask for the same are equal. The values of a Secret
// are hashed: what it returns is to be compared, not to be applied.
//
// Autoscaled replicas are left out where the object itself says that an autoscaler wrote
// them; where one is known that has not scaled yet, use [Autoscaled.Normalise].
func Normalise(o *unstructured.Unstructured) *unstructured.Unstructured {
	return Autoscaled(nil).Normalise(o)
}

// Digest is that of the desired state of objects, whatever their order.
func Digest(objects ...*unstructured.Unstructured) string {
	return Autoscaled(nil).Digest(objects...)
}

// Normalise is [Normalise] without the replicas of what is autoscaled.
func (a Autoscaled) Normalise(o *unstructured.Unstructured) *unstructured.Unstructured {
	n := o.DeepCopy()
	Strip(n)
	scaled := a.Has(KeyOf(n)) || scaledByItself(n)
	n.Object["metadata"] = metadataOf(n)
	delete(n.Object, "status")
	if scaled {
		unstructured.RemoveNestedField(n.Object, "spec", "replicas")
	}
	if n.GetKind() == "Secret" && n.GroupVersionKind().Group == "" {
		hashSecret(n.Object)
	}
	undefault(n)
	prune(n.Object)
	return n
}

// Digest is [Digest] without the replicas of what is autoscaled.
func (a Autoscaled) Digest(objects ...*unstructured.Unstructured) string {
	sums := make([]string, 0, len(objects))
	for _, o := range objects {
		text, err := json.Marshal(a.Normalise(o).Object) // keys are sorted
		if err != nil {
			text = []byte(KeyOf(o).String()) // no object that came from JSON
		}
		sum := sha256.Sum256(text)
		sums = append(sums, hex.EncodeToString(sum[:]))
	}
	slices.Sort(sums)
	sum := sha256.Sum256([]byte(strings.Join(sums, "\n")))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// noise are annotations that say nothing about what is wanted.
var noise = []string{
	"deployment.kubernetes.io/revision",
	"deployment.kubernetes.io/revision-history",
	"deprecated.daemonset.template.generation",
	"kubectl.kubernetes.io/last-applied-configuration",
	"kubernetes.io/change-cause",
	"batch.kubernetes.io/job-tracking",
}

// noisy are prefixes of such annotations.
var noisy = []string{
	"pv.kubernetes.io/", "volume.kubernetes.io/", "volume.beta.kubernetes.io/", "autoscaling.alpha.kubernetes.io/",
	"control-plane.alpha.kubernetes.io/",
}

// metadataOf is what of an object's metadata is wanted.
func metadataOf(o *unstructured.Unstructured) map[string]any {
	wanted := map[string]any{"name": o.GetName()}
	if o.GetNamespace() != "" {
		wanted["namespace"] = o.GetNamespace()
	}
	annotations := o.GetAnnotations()
	maps.DeleteFunc(annotations, func(key, _ string) bool {
		return slices.Contains(noise, key) || slices.ContainsFunc(noisy, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
	})
	labels := o.GetLabels()
	if o.GetKind() == "Namespace" {
		delete(labels, "kubernetes.io/metadata.name")
	}
	put(wanted, "labels", labels)
	put(wanted, "annotations", annotations)
	return wanted
}

func put(to map[string]any, field string, values map[string]string) {
	if len(values) == 0 {
		return
	}
	all := map[string]any{}
	for key, value := range values {
		all[key] = value
	}
	to[field] = all
}

// hashSecret hides the values of a Secret, so that the same value in another place has
// another hash.
func hashSecret(o map[string]any) {
	name, _, _ := unstructured.NestedString(o, "metadata", "name")
	namespace, _, _ := unstructured.NestedString(o, "metadata", "namespace")
	data, _, _ := unstructured.NestedMap(o, "data")
	plain, _, _ := unstructured.NestedMap(o, "stringData")
	if data == nil {
		data = map[string]any{}
	}
	for key, value := range plain { // as the API server does it
		text, _ := value.(string)
		data[key] = encode(text)
	}
	delete(o, "stringData")
	for key, value := range data {
		text, _ := value.(string)
		data[key] = "sha256:" + hash(namespace, name, key, text)
	}
	if delete(o, "data"); len(data) > 0 {
		o["data"] = data
	}
}

// prune removes what is null: that is as if it were not there.
func prune(value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if inner == nil {
				delete(v, key)
				continue
			}
			prune(inner)
		}
	case []any:
		for _, inner := range v {
			prune(inner)
		}
	}
}
