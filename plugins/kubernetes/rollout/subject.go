package rollout

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/release"
)

// followed says whether the rollout of an object is followed: what has pods, and kinds of
// others that may have a status.
func followed(k cluster.Key) bool {
	group := k.GVK().Group
	switch {
	case group == "" && k.Kind == "Pod":
		return true
	case group == "apps", group == "batch":
		return k.Kind != "ControllerRevision"
	case strings.HasSuffix(group, ".k8s.io"), strings.HasSuffix(group, ".istio.io"), !strings.Contains(group, "."):
		return false // configuration: nothing that gets ready
	default:
		return true
	}
}

// outline says what of the objects of a component is followed.
func outline(objects []*unstructured.Unstructured, more ...cluster.Key) *notes {
	n := &notes{}
	var templates []map[string]string
	for _, o := range objects {
		k := cluster.KeyOf(o)
		n.Keys = append(n.Keys, k.String())
		if followed(k) {
			n.Workloads = append(n.Workloads, k.String())
		}
		if labels := templateLabels(o); labels != nil {
			templates = append(templates, labels)
		}
	}
	for _, o := range objects {
		if k := cluster.KeyOf(o); isService(k) && selects(o, templates) {
			n.Services = append(n.Services, k.String())
		}
	}
	for _, k := range more {
		switch {
		case isService(k) && !slices.Contains(n.Services, k.String()):
			n.Services = append(n.Services, k.String())
		case !isService(k) && !slices.Contains(n.Workloads, k.String()):
			n.Workloads = append(n.Workloads, k.String())
		}
		if !slices.Contains(n.Keys, k.String()) {
			n.Keys = append(n.Keys, k.String())
		}
	}
	return n
}

func isService(k cluster.Key) bool { return k.APIVersion == "v1" && k.Kind == "Service" }

// templateLabels are those of an object's pods; nil if it has none.
func templateLabels(o *unstructured.Unstructured) map[string]string {
	at := release.PodSpec(o)
	if len(at) == 0 {
		return nil
	}
	path := append(slices.Clone(at[:len(at)-1]), "metadata", "labels")
	labels, _, err := unstructured.NestedStringMap(o.Object, path...)
	if err != nil {
		return nil
	}
	return labels
}

// selects says whether a Service selects pods of one of the templates.
func selects(service *unstructured.Unstructured, templates []map[string]string) bool {
	selector, _, err := unstructured.NestedStringMap(service.Object, "spec", "selector")
	if err != nil || len(selector) == 0 {
		return false
	}
	return slices.ContainsFunc(templates, func(labels map[string]string) bool {
		for key, value := range selector {
			if labels[key] != value {
				return false
			}
		}
		return true
	})
}

// named are the workload and the Service that a release names.
func (p *Platform) named(r *release.Release) []cluster.Key {
	var all []cluster.Key
	namespace := p.options.Namespace
	if w := r.Workload; w != nil {
		if w.Namespace != "" {
			namespace = w.Namespace
		}
		all = append(all, cluster.Key{APIVersion: w.APIVersion, Kind: w.Kind, Namespace: namespace, Name: w.Name})
	}
	if r.Service != "" {
		all = append(all, cluster.Key{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: r.Service})
	}
	return all
}

// referred are the ConfigMaps and Secrets that an object's pods use.
func referred(o *unstructured.Unstructured) []cluster.Key {
	at := release.PodSpec(o)
	if at == nil {
		return nil
	}
	spec, _, err := unstructured.NestedMap(o.Object, at...)
	if err != nil {
		return nil
	}
	var found []cluster.Key
	add := func(kind, name string) {
		k := cluster.Key{APIVersion: "v1", Kind: kind, Namespace: o.GetNamespace(), Name: name}
		if name != "" && name != "kube-root-ca.crt" && !slices.Contains(found, k) {
			found = append(found, k)
		}
	}
	walk(spec, func(field string, value map[string]any) {
		name, _ := value["name"].(string)
		switch field {
		case "configMap", "configMapRef", "configMapKeyRef":
			add("ConfigMap", name)
		case "secretRef", "secretKeyRef":
			add("Secret", name)
		case "secret":
			if in, ok := value["secretName"].(string); ok {
				name = in
			}
			add("Secret", name)
		}
	})
	secrets, _, err := unstructured.NestedSlice(spec, "imagePullSecrets")
	for _, s := range secrets {
		if m, ok := s.(map[string]any); ok && err == nil {
			name, _ := m["name"].(string)
			add("Secret", name)
		}
	}
	return found
}

// walk calls do for every map within value, with the field that it stands in.
func walk(value any, do func(field string, value map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		for field, inner := range v {
			if m, ok := inner.(map[string]any); ok {
				do(field, m)
			}
			walk(inner, do)
		}
	case []any:
		for _, inner := range v {
			walk(inner, do)
		}
	}
}
