package rollout

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
)

// applyCommand is what a person types to apply an object as we do. Secrets have none: their
// values are not shown.
func applyCommand(o *unstructured.Unstructured, force bool) string {
	command := "kubectl apply --server-side --field-manager=" + cluster.Manager
	if force {
		command += " --force-conflicts"
	}
	return piped(command, o)
}

// replaceCommand is what a person types to bring an object back.
func replaceCommand(o *unstructured.Unstructured, there bool) string {
	pinned := o.GetAnnotations()[annotationPinned]
	if there {
		o = o.DeepCopy()
		for _, field := range []string{"resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "selfLink", "ownerReferences"} {
			unstructured.RemoveNestedField(o.Object, "metadata", field)
		}
		delete(o.Object, "status")
		cluster.Strip(o)
	} else {
		o = cluster.Anew(o)
	}
	if pinned != "" {
		withAnnotation(o, annotationPinned, pinned)
	}
	if there {
		return piped("kubectl replace", o)
	}
	return piped("kubectl create", o)
}

func piped(command string, o *unstructured.Unstructured) string {
	if o.GetKind() == "Secret" && o.GroupVersionKind().Group == "" {
		return ""
	}
	body, end := text(o), "EOF"
	for strings.Contains("\n"+body, "\n"+end+"\n") {
		end += "_"
	}
	return command + " -f - <<'" + end + "'\n" + body + end
}

func imageCommand(k cluster.Key, images map[string]string) string {
	command := "kubectl set image " + named(k)
	for _, name := range slices.Sorted(maps.Keys(images)) {
		command += " " + name + "=" + images[name]
	}
	return command + inNamespace(k)
}

func deleteCommand(k cluster.Key) string { return "kubectl delete " + named(k) + inNamespace(k) }

func statusCommand(k cluster.Key) string {
	return "kubectl rollout status " + named(k) + inNamespace(k)
}

func undoCommand(k cluster.Key, revision string) string {
	return "kubectl rollout undo " + named(k) + " --to-revision=" + revision + inNamespace(k)
}

// named is an object as kubectl takes it: deployment.apps/api.
func named(k cluster.Key) string {
	kind := strings.ToLower(k.Kind)
	if group := k.GVK().Group; group != "" {
		kind += "." + group
	}
	return kind + "/" + k.Name
}

func inNamespace(k cluster.Key) string {
	if k.Namespace == "" {
		return ""
	}
	return " --namespace " + k.Namespace
}
