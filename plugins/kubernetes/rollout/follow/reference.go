package follow

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// A reference is an object that pods cannot start without. An imagePullSecret is none: the
// image may be had without it, and if not, kubelet says so.
type reference struct{ kind, name, where string }

// references of a pod template whose spec stands at path.
func (r *reader) references(path string, spec *corev1.PodSpec) []reference {
	var found []reference
	add := func(kind, name, format string, args ...any) {
		if name != "" {
			where := path + "." + fmt.Sprintf(format, args...)
			found = append(found, reference{kind: kind, name: r.one(name), where: r.one(where)})
		}
	}
	if spec.ServiceAccountName != "default" {
		add("ServiceAccount", spec.ServiceAccountName, "serviceAccountName")
	}
	for i := range spec.Volumes {
		v := &spec.Volumes[i]
		switch {
		case v.ConfigMap != nil && !yes(v.ConfigMap.Optional):
			add("ConfigMap", v.ConfigMap.Name, "volumes[%d]", i)
		case v.Secret != nil && !yes(v.Secret.Optional):
			add("Secret", v.Secret.SecretName, "volumes[%d]", i)
		case v.PersistentVolumeClaim != nil:
			add("PersistentVolumeClaim", v.PersistentVolumeClaim.ClaimName, "volumes[%d]", i)
		case v.Projected != nil:
			for j, source := range v.Projected.Sources {
				if source.ConfigMap != nil && !yes(source.ConfigMap.Optional) {
					add("ConfigMap", source.ConfigMap.Name, "volumes[%d].projected.sources[%d]", i, j)
				}
				if source.Secret != nil && !yes(source.Secret.Optional) {
					add("Secret", source.Secret.Name, "volumes[%d].projected.sources[%d]", i, j)
				}
			}
		}
	}
	containers := func(field string, list []corev1.Container) {
		for i := range list {
			for j, from := range list[i].EnvFrom {
				if from.ConfigMapRef != nil && !yes(from.ConfigMapRef.Optional) {
					add("ConfigMap", from.ConfigMapRef.Name, "%s[%d].envFrom[%d]", field, i, j)
				}
				if from.SecretRef != nil && !yes(from.SecretRef.Optional) {
					add("Secret", from.SecretRef.Name, "%s[%d].envFrom[%d]", field, i, j)
				}
			}
			for j, env := range list[i].Env {
				if env.ValueFrom == nil {
					continue
				}
				if key := env.ValueFrom.ConfigMapKeyRef; key != nil && !yes(key.Optional) {
					add("ConfigMap", key.Name, "%s[%d].env[%d]", field, i, j)
				}
				if key := env.ValueFrom.SecretKeyRef; key != nil && !yes(key.Optional) {
					add("Secret", key.Name, "%s[%d].env[%d]", field, i, j)
				}
			}
		}
	}
	containers("initContainers", spec.InitContainers)
	containers("containers", spec.Containers)
	return found
}

func yes(is *bool) bool { return is != nil && *is }
