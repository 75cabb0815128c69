package cluster

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// StampedRequest says which objects of ours are wanted.
type StampedRequest struct {
	Namespace string // "": all namespaces, and kinds that have none
	// Identity of a component, or only its Installation, or nothing for what is of any.
	Identity Identity
	// Kinds to look at; none: all that the cluster has.
	Kinds []schema.GroupVersionKind
}

// Stamped lists what carries our stamps: metadata only, ordered by key. blind are the
// errors of kinds that could not be looked at: what is missing of them is not gone.
func (c *Cluster) Stamped(ctx context.Context, r StampedRequest) (found []*unstructured.Unstructured, blind []error, err error) {
	kinds, blind, err := c.kinds(ctx, r.Kinds)
	if err != nil {
		return nil, nil, err
	}
	selector := r.selector()
	for _, kind := range kinds {
		if r.Namespace != "" && !kind.Namespaced {
			continue
		}
		list, err := c.metadata.Resource(kind.Resource).Namespace(r.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err = Answer(CallOf("list", kind.Resource, r.Namespace, ""), err); err != nil {
			if ctx.Err() != nil || IsDown(err) {
				return nil, nil, err
			}
			blind = append(blind, err)
			continue
		}
		for i := range list.Items {
			o := plain(kind, &list.Items[i])
			if stamp, ok := StampOf(o); ok && r.wants(stamp) {
				found = append(found, o)
			}
		}
	}
	slices.SortFunc(found, func(a, b *unstructured.Unstructured) int { return KeyOf(a).Compare(KeyOf(b)) })
	return found, blind, nil
}

func (r StampedRequest) selector() string {
	set := labels.Set{}
	switch {
	case r.Identity.Component != "":
		set[LabelComponent] = r.Identity.Hash()
	case r.Identity.Installation != "":
		set[LabelInstallation] = HashInstallation(r.Identity.Installation)
	default:
		return LabelComponent
	}
	return set.String()
}

// wants holds a stamp, whose names are exact, against what a label with a hash found.
func (r StampedRequest) wants(s Stamp) bool {
	switch {
	case r.Identity.Component != "":
		return s.Identity == r.Identity
	case r.Identity.Installation != "":
		return s.Installation == r.Identity.Installation
	default:
		return true
	}
}

// kinds are those asked for as far as the cluster has them, or all that can be listed.
func (c *Cluster) kinds(ctx context.Context, wanted []schema.GroupVersionKind) (all []Kind, blind []error, err error) {
	if len(wanted) > 0 {
		for _, gvk := range wanted {
			kind, err := c.KindOf(ctx, gvk.GroupVersion().String(), gvk.Kind)
			switch {
			case IsGone(err):
				continue // nothing can be of a kind that is not there
			case err != nil:
				return nil, nil, err
			}
			all = append(all, kind)
		}
		return all, nil, nil
	}
	c.discover.Invalidate()
	lists, err := c.discover.ServerPreferredResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, nil, Answer(Call{Verb: "list", Resource: "kinds of the cluster"}, err)
	}
	if err != nil { // the server of an aggregated group is down
		blind = append(blind, Answer(Call{Verb: "list", Resource: "kinds of some groups"}, err))
	}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, r := range list.APIResources {
			if slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "delete") && gv.Group != "events.k8s.io" && r.Kind != "Event" {
				all = append(all, Kind{GroupVersionKind: gv.WithKind(r.Kind), Resource: gv.WithResource(r.Name), Namespaced: r.Namespaced})
			}
		}
	}
	return all, blind, nil
}

// plain is metadata as an object of its kind.
func plain(kind Kind, m metav1.Object) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	o.SetGroupVersionKind(kind.GroupVersionKind)
	to, err := meta.Accessor(o)
	if err != nil {
		return o
	}
	to.SetName(m.GetName())
	to.SetNamespace(m.GetNamespace())
	to.SetUID(m.GetUID())
	to.SetResourceVersion(m.GetResourceVersion())
	to.SetCreationTimestamp(m.GetCreationTimestamp())
	to.SetDeletionTimestamp(m.GetDeletionTimestamp())
	to.SetLabels(m.GetLabels())
	to.SetAnnotations(m.GetAnnotations())
	to.SetOwnerReferences(m.GetOwnerReferences())
	return o
}
