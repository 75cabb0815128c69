package rollout

import (
	"bytes"
	"fmt"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
)

// fieldsOf are the fields of an entry of managedFields; empty where they cannot be read.
func fieldsOf(e metav1.ManagedFieldsEntry) *fieldpath.Set {
	set := &fieldpath.Set{}
	if e.FieldsV1 == nil || set.FromJSON(bytes.NewReader(e.FieldsV1.GetRawBytes())) != nil {
		return &fieldpath.Set{}
	}
	return set
}

// fieldsBy are all fields that a manager has, by whatever means.
func fieldsBy(o *unstructured.Unstructured, manager string) *fieldpath.Set {
	set := &fieldpath.Set{}
	for _, e := range o.GetManagedFields() {
		if e.Manager == manager && e.Subresource != "status" {
			set = set.Union(fieldsOf(e))
		}
	}
	return set
}

// ownedBy is an object with no other fields than those that a manager has applied.
func ownedBy(o *unstructured.Unstructured, manager string) *unstructured.Unstructured {
	set := &fieldpath.Set{}
	for _, e := range o.GetManagedFields() {
		if e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationApply && e.Subresource == "" {
			set = set.Union(fieldsOf(e))
		}
	}
	part := &unstructured.Unstructured{Object: map[string]any{}}
	overlay(part.Object, o.Object, set)
	part.SetAPIVersion(o.GetAPIVersion())
	part.SetKind(o.GetKind())
	part.SetName(o.GetName())
	part.SetNamespace(o.GetNamespace())
	return part
}

// foreign are the fields of a live object that others have written since it was as it was
// then, and that no operation of ours has touched: they stay as they are. What a release is
// about, template and data, comes back whole.
func foreign(then, live *unstructured.Unstructured) *fieldpath.Set {
	set := &fieldpath.Set{}
	for _, e := range live.GetManagedFields() {
		if e.Manager == cluster.Manager || e.Subresource == "status" || unchanged(e, then.GetManagedFields()) {
			continue
		}
		set = set.Union(fieldsOf(e))
	}
	set = set.Difference(fieldsBy(live, cluster.Manager)).Difference(fieldsBy(then, cluster.Manager))
	found := &fieldpath.Set{}
	set.Iterate(func(p fieldpath.Path) {
		if !isContent(p) {
			found.Insert(p)
		}
	})
	return found
}

func unchanged(e metav1.ManagedFieldsEntry, all []metav1.ManagedFieldsEntry) bool {
	for _, was := range all {
		if was.Manager == e.Manager && was.Operation == e.Operation && was.Subresource == e.Subresource {
			return was.Time.Equal(e.Time) && fieldsOf(was).Equals(fieldsOf(e))
		}
	}
	return false
}

// contents are what a release is about.
var contents = [][]string{{"spec", "template"}, {"spec", "jobTemplate"}, {"data"}, {"binaryData"}, {"stringData"}}

func isContent(p fieldpath.Path) bool {
	for _, fields := range contents {
		if len(p) < len(fields) {
			continue
		}
		same := true
		for i, name := range fields {
			same = same && p[i].FieldName != nil && *p[i].FieldName == name
		}
		if same {
			return true
		}
	}
	return false
}

// overlay copies the fields of a set from one object to another.
func overlay(to, from any, set *fieldpath.Set) {
	set.Members.Iterate(func(e fieldpath.PathElement) {
		source, ok := at(from, e)
		_, has := at(to, e)
		_, inner := set.Children.Get(e)
		if ok && (!inner || !has && !isContainer(source)) {
			setAt(to, e, runtime.DeepCopyJSONValue(source))
		}
	})
	set.Children.Iterate(func(e fieldpath.PathElement) {
		source, ok := at(from, e)
		if !ok {
			return
		}
		inner, has := at(to, e)
		if !has {
			inner = emptyOf(source, e)
			setAt(to, e, inner)
		}
		child, _ := set.Children.Get(e)
		if list, ok := inner.([]any); ok {
			grown := &list
			overlay(grown, source, child)
			setAt(to, e, *grown)
			return
		}
		overlay(inner, source, child)
	})
}

func isContainer(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	default:
		return false
	}
}

// emptyOf is what elements are put into; one of a list has its keys.
func emptyOf(source any, e fieldpath.PathElement) any {
	if _, ok := source.([]any); ok {
		return []any{}
	}
	m := map[string]any{}
	if e.Key != nil {
		maps.Copy(m, keysOf(e))
	}
	return m
}

func keysOf(e fieldpath.PathElement) map[string]any {
	all := map[string]any{}
	for _, field := range *e.Key {
		all[field.Name] = field.Value.Unstructured()
	}
	return all
}

// at is an element of a map or a list.
func at(v any, e fieldpath.PathElement) (any, bool) {
	if list, ok := v.(*[]any); ok {
		v = *list
	}
	switch in := v.(type) {
	case map[string]any:
		if e.FieldName != nil {
			found, ok := in[*e.FieldName]
			return found, ok
		}
	case []any:
		if i := indexOf(in, e); i >= 0 {
			return in[i], true
		}
	}
	return nil, false
}

func indexOf(list []any, e fieldpath.PathElement) int {
	for i, item := range list {
		switch {
		case e.Key != nil:
			m, ok := item.(map[string]any)
			for name, want := range keysOf(e) {
				ok = ok && (fmt.Sprint(m[name]) == fmt.Sprint(want) || m[name] == nil && isDefault(name, want))
			}
			if ok {
				return i
			}
		case e.Value != nil && value.Equals(value.NewValueInterface(item), *e.Value), e.Index != nil && *e.Index == i:
			return i
		}
	}
	return -1
}

// isDefault says whether a key of a list may be left out: protocol of ports.
func isDefault(name string, want any) bool { return name == "protocol" && want == "TCP" }

func setAt(v any, e fieldpath.PathElement, to any) {
	switch in := v.(type) {
	case map[string]any:
		if e.FieldName != nil {
			in[*e.FieldName] = to
		}
	case *[]any:
		if i := indexOf(*in, e); i >= 0 {
			(*in)[i] = to
			return
		}
		*in = append(*in, to)
	}
}
