package release

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// maxShown bounds the text of one object in a view.
const maxShown = 16 << 10

// Key names an object for people: "apps/v1 Deployment shop/api".
func Key(object *unstructured.Unstructured) string {
	name := object.GetName()
	if namespace := object.GetNamespace(); namespace != "" {
		name = namespace + "/" + name
	}
	return object.GetAPIVersion() + " " + object.GetKind() + " " + name
}

// View is the release for people and for diffs. What Secrets hold is shown as
// short digests.
func (r *Release) View() map[string]string {
	view := map[string]string{}
	for _, object := range r.Objects {
		view[Key(object)] = shown(object)
	}
	for container, image := range r.Images {
		view["image."+container] = image
	}
	for where, written := range r.Written {
		view["written."+where] = written
	}
	if r.Workload != nil {
		view["workload"] = fmt.Sprintf("%s %s %s/%s", r.Workload.APIVersion, r.Workload.Kind, r.Workload.Namespace, r.Workload.Name)
	}
	if r.Service != "" {
		view["service"] = r.Service
	}
	if r.Chart != nil {
		view["chart"] = r.Chart.Release + " " + short(r.Chart.Archive)
	}
	labels := make([]string, 0, len(r.Labels))
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		labels = append(labels, name+"="+r.Labels[name])
	}
	if len(labels) > 0 {
		view["labels"] = strings.Join(labels, ",")
	}
	return view
}

func shown(object *unstructured.Unstructured) string {
	text, err := yaml.Marshal(Redact(object).Object)
	if err != nil || len(text) > maxShown {
		data, _ := object.MarshalJSON()
		return fmt.Sprintf("%d bytes, %s", len(data), short(data))
	}
	return string(text)
}

// Redact returns an object in which the values of a Secret stand as short digests,
// so that two can still be told apart. Another object is returned as it is.
func Redact(object *unstructured.Unstructured) *unstructured.Unstructured {
	if object.GetKind() != "Secret" || object.GetAPIVersion() != "v1" {
		return object
	}
	object = object.DeepCopy()
	for _, field := range []string{"data", "stringData"} {
		values, ok := object.Object[field].(map[string]any)
		if !ok {
			continue
		}
		for name, value := range values {
			values[name] = short(fmt.Append(nil, value))
		}
	}
	annotations := object.GetAnnotations()
	if _, ok := annotations["kubectl.kubernetes.io/last-applied-configuration"]; ok { // has them all
		delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
		object.SetAnnotations(annotations)
	}
	return object
}

func short(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:4])
}
