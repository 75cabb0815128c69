package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
)

// attempts is how often an object is restored again because its status moved meanwhile.
const attempts = 10

// restoreOne brings an object back to what it was: content and who owns its fields. Fields
// that others have written since, and replicas of what is autoscaled, stay as they are.
func (a *act) restoreOne(ctx context.Context, was saved, scaled cluster.Autoscaled) (now *unstructured.Unstructured, did string, err error) {
	k := cluster.KeyOf(was.Object)
	kind, err := a.cluster.KindOf(ctx, k.APIVersion, k.Kind)
	if err != nil {
		return nil, "", err
	}
	resource := dynamic.ResourceInterface(a.cluster.Dynamic().Resource(kind.Resource))
	if kind.Namespaced {
		resource = a.cluster.Dynamic().Resource(kind.Resource).Namespace(k.Namespace)
	}
	for attempt := 1; ; attempt++ {
		live, err := a.cluster.Find(ctx, k)
		if err != nil {
			return nil, "", err
		}
		if live == nil {
			now, err := a.create(ctx, resource, kind, was)
			return now, "created again", err
		}
		if stamp, ok := cluster.StampOf(live); ok && stamp.Identity == a.stamp.Identity && stamp.Epoch > a.stamp.Epoch {
			return nil, "", sdk.StaleEpoch(sdk.Operation{ID: a.op.ID, Epoch: a.stamp.Epoch}, stamp.Epoch)
		}
		target := a.target(was, live, scaled)
		if scaled.Digest(unpinned(target)) == scaled.Digest(unpinned(live)) {
			now, err := a.marked(ctx, live)
			return now, "unchanged", err
		}
		now, err = resource.Update(ctx, target, metav1.UpdateOptions{FieldManager: cluster.Manager})
		if err == nil {
			now, err = own(ctx, resource, now, was, live)
			return now, "restored", cluster.Answer(cluster.CallOf("patch", kind.Resource, k.Namespace, k.Name), err)
		}
		if err = cluster.Answer(cluster.CallOf("update", kind.Resource, k.Namespace, k.Name), err); !cluster.IsConflict(err) || attempt == attempts {
			return nil, "", err
		}
	}
}

// marked stamps what needs no other change, if it is ours at all.
func (a *act) marked(ctx context.Context, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if _, ours := cluster.StampOf(live); !ours {
		return live, nil
	}
	return a.cluster.Mark(ctx, cluster.KeyOf(live), a.stamp)
}

// target is what an object is to be: as it was, within the object that is there now.
func (a *act) target(was saved, live *unstructured.Unstructured, scaled cluster.Autoscaled) *unstructured.Unstructured {
	k := cluster.KeyOf(live)
	o := was.Object.DeepCopy()
	if was.Template {
		o = live.DeepCopy()
		template, _, _ := unstructured.NestedMap(was.Object.Object, "spec", "template")
		_ = unstructured.SetNestedMap(o.Object, template, "spec", "template")
	} else {
		overlay(o.Object, live.Object, foreign(was.Object, live))
	}
	annotations := o.GetAnnotations()
	pinned := annotations[annotationPinned]
	cluster.Strip(o)
	if pinned != "" {
		annotations = withAnnotation(o, annotationPinned, pinned)
	}
	pin(o, was.Images)
	for key, value := range live.GetAnnotations() {
		if ofController(key) {
			annotations = withAnnotation(o, key, value)
		}
	}
	for key := range annotations {
		if ofController(key) && live.GetAnnotations()[key] == "" {
			annotations = o.GetAnnotations()
			delete(annotations, key)
			o.SetAnnotations(annotations)
		}
	}
	if n, ok, err := unstructured.NestedFieldCopy(live.Object, "spec", "replicas"); ok && err == nil && (scaled.Has(k) || byAutoscaler(live)) {
		_ = unstructured.SetNestedField(o.Object, n, "spec", "replicas")
	}
	stamp := a.stamp
	before, _ := cluster.StampOf(live)
	stamp.Created = before.Created
	stamp.Put(o)
	o.SetUID(live.GetUID())
	o.SetResourceVersion(live.GetResourceVersion())
	o.SetOwnerReferences(live.GetOwnerReferences())
	o.SetFinalizers(live.GetFinalizers())
	o.SetManagedFields(nil)
	if status, ok := live.Object["status"]; ok {
		o.Object["status"] = status
	} else {
		delete(o.Object, "status")
	}
	return o
}

func withAnnotation(o *unstructured.Unstructured, key, value string) map[string]string {
	all := o.GetAnnotations()
	if all == nil {
		all = map[string]string{}
	}
	all[key] = value
	o.SetAnnotations(all)
	return all
}

// ofController says whether an annotation is kept by a controller of Kubernetes.
func ofController(key string) bool {
	return strings.HasPrefix(key, "deployment.kubernetes.io/") || strings.HasPrefix(key, "deprecated.daemonset.template.")
}

func byAutoscaler(o *unstructured.Unstructured) bool {
	for _, e := range o.GetManagedFields() {
		if e.Subresource == "scale" && e.Manager == "kube-controller-manager" {
			return true
		}
	}
	return false
}

// create makes an object anew that is gone.
func (a *act) create(ctx context.Context, resource dynamic.ResourceInterface, kind cluster.Kind, was saved) (*unstructured.Unstructured, error) {
	o := cluster.Anew(was.Object)
	if pinned := was.Object.GetAnnotations()[annotationPinned]; pinned != "" {
		withAnnotation(o, annotationPinned, pinned)
	}
	pin(o, was.Images)
	stamp := a.stamp
	stamp.Created = a.op.ID
	stamp.Put(o)
	now, err := resource.Create(ctx, o, metav1.CreateOptions{FieldManager: cluster.Manager})
	if err == nil {
		now, err = own(ctx, resource, now, was, now)
	}
	return now, cluster.Answer(cluster.CallOf("create", kind.Resource, o.GetNamespace(), o.GetName()), err)
}

// own gives fields back to those who had them, so that whoever changes them next does so
// as before: an apply of ours removes what it no longer has, one of theirs is no conflict.
func own(
	ctx context.Context, resource dynamic.ResourceInterface, now *unstructured.Unstructured, was saved, live *unstructured.Unstructured,
) (*unstructured.Unstructured, error) {
	entries := was.Object.GetManagedFields()
	if was.Template || len(entries) == 0 {
		return now, nil
	}
	var all []metav1.ManagedFieldsEntry
	for _, e := range entries {
		if e.Subresource != "status" {
			all = append(all, e)
		}
	}
	for _, e := range live.GetManagedFields() {
		switch {
		case e.Subresource == "status":
			all = append(all, e)
		case e.Manager == cluster.Manager, unchanged(e, entries):
		default:
			all = join(all, e)
		}
	}
	fields, err := json.Marshal(all)
	if err != nil {
		return now, fmt.Errorf("write owners: %w", err)
	}
	patch := fmt.Appendf(nil, `[{"op":"test","path":"/metadata/uid","value":%q},{"op":"replace","path":"/metadata/managedFields","value":%s}]`, now.GetUID(), fields)
	return resource.Patch(ctx, now.GetName(), types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: cluster.Manager})
}

// join adds what a manager has by now to what it had then.
func join(all []metav1.ManagedFieldsEntry, e metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	for i, was := range all {
		if was.Manager != e.Manager || was.Operation != e.Operation || was.Subresource != e.Subresource {
			continue
		}
		text, err := fieldsOf(was).Union(fieldsOf(e)).ToJSON()
		if err == nil {
			all[i].FieldsV1 = &metav1.FieldsV1{}
			all[i].FieldsV1.SetRawBytes(text)
			all[i].Time = e.Time
		}
		return all
	}
	return append(all, e)
}
