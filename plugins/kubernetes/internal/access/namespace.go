package access

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/near"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
)

// Namespace says whether a namespace is there and can be used. An account that may
// not see it gets no error: it may have all other rights.
func Namespace(ctx context.Context, client kubernetes.Interface, name string) error {
	namespace, err := client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	err = cluster.Answer(cluster.Call{Verb: "get", Resource: "namespaces", Name: name}, err)
	switch {
	case cluster.IsForbidden(err):
		return nil
	case cluster.IsGone(err):
		remedy := near.Remedy(name, namespaces(ctx, client), "create it, or correct namespace in the platform's block")
		e := sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "the cluster has no namespace %q: %s", name, remedy)
		e.Resource = "v1 Namespace " + name
		return e
	case err != nil:
		return err
	case namespace.Status.Phase == corev1.NamespaceTerminating:
		return sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict,
			"the namespace %q is being deleted: wait until it is gone and create it anew, or correct namespace in the platform's block", name)
	}
	return nil
}

// namespaces are those that there are, as far as the account may see them.
func namespaces(ctx context.Context, client kubernetes.Interface) []string {
	const enough = 500
	list, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{Limit: enough})
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(list.Items))
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names
}
