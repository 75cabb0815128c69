package judge

import (
	"strings"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

const containerKind = "Container"

// ID is that of an object's resource: "Deployment shop/api", with the group of kinds that
// are not Kubernetes' own: "Rollout.argoproj.io shop/api".
func ID(r picture.Ref) string {
	kind := r.Kind
	if group, _, found := strings.Cut(r.APIVersion, "/"); found && strings.Contains(group, ".") && !strings.HasSuffix(group, ".k8s.io") {
		kind += "." + group
	}
	return kind + " " + place(r)
}

// ContainerID is that of a container's resource: "Container shop/api-5d8-x2c/app".
func ContainerID(pod picture.Ref, container string) string {
	return containerKind + " " + place(pod) + "/" + container
}

// ParseContainer is the way back from the ID of a pod (then container is "") or of a
// container; ok is false of all others.
func ParseContainer(id string) (namespace, pod, container string, ok bool) {
	kind, path, _ := strings.Cut(id, " ")
	parts := strings.Split(path, "/")
	switch {
	case kind == "Pod" && len(parts) == 2:
		return parts[0], parts[1], "", true
	case kind == containerKind && len(parts) == 3:
		return parts[0], parts[1], parts[2], true
	default:
		return "", "", "", false
	}
}

// place is namespace/name.
func place(r picture.Ref) string {
	if r.Namespace == "" {
		return r.Name
	}
	return r.Namespace + "/" + r.Name
}

// short names a workload as people type it: deployment/api.
func short(r picture.Ref) string { return strings.ToLower(r.Kind) + "/" + r.Name }
