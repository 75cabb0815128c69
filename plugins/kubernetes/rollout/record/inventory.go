package record

import (
	"cmp"
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
)

// page is how many Secrets are listed at once: each may have 1 MiB.
const page = 50

// Inventory lists the components of a namespace, or with "" of all, of which something
// runs or is under way: those of one installation, or with "" of all. describe says in
// one line what runs. What cannot be read is logged and left out.
func (b *Book) Inventory(
	ctx context.Context, namespace, installation string, describe func(namespace string, r *Record) string,
) ([]sdk.InventoryItem, error) {
	set := labels.Set{labelRecord: operations}
	if installation != "" {
		set[cluster.LabelInstallation] = cluster.HashInstallation(installation)
	}
	options := metav1.ListOptions{LabelSelector: set.String(), Limit: page}
	var items []sdk.InventoryItem
	for {
		list, err := b.config.Cluster.Typed().CoreV1().Secrets(namespace).List(ctx, options)
		if err != nil {
			return nil, cluster.Answer(cluster.Call{Verb: "list", Resource: "secrets", Namespace: namespace}, err)
		}
		for i := range list.Items {
			secret := &list.Items[i]
			j := b.At(secret.Namespace, identityOf(secret.Annotations))
			var r *Record
			s, err := j.parse(secret)
			if err == nil {
				r, err = j.record(s)
			}
			if err != nil {
				b.config.Log.Warn("a component is left out of the inventory", "secret", secret.Namespace+"/"+secret.Name, "error", err)
				continue
			}
			if r.Serving == nil && r.Active() == nil || installation != "" && r.Installation != installation {
				continue
			}
			items = append(items, item(r, describe(secret.Namespace, r)))
		}
		if options.Continue = list.Continue; options.Continue == "" {
			break
		}
	}
	slices.SortFunc(items, func(a, b sdk.InventoryItem) int {
		return cmp.Or(cmp.Compare(a.Application, b.Application), cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Component, b.Component))
	})
	return items, nil
}

func item(r *Record, description string) sdk.InventoryItem {
	i := sdk.InventoryItem{
		InstallationID: r.Installation, Application: r.Application, Environment: r.Environment, Component: r.Component,
		Epoch: r.Epoch, Description: description,
	}
	if s := r.Serving; s != nil {
		i.Version, i.OperationID, i.Since = s.Version, s.Operation, s.Since
	}
	if active := r.Active(); active != nil {
		i.OperationID = active.ID
	}
	return i
}

func identityOf(annotations map[string]string) cluster.Identity {
	return cluster.Identity{
		Installation: annotations[cluster.AnnotationInstallation], Application: annotations[cluster.AnnotationApplication],
		Environment: annotations[cluster.AnnotationEnvironment], Component: annotations[cluster.AnnotationName],
	}
}
