package resolve

import (
	"context"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/near"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/release"
)

// findWorkload finds the one that is named, in the manifests or in the cluster.
func (f *resolution) findWorkload(ctx context.Context) error {
	k, name, path := f.named()
	if name == "" {
		return nil
	}
	f.release.Workload = &release.Workload{APIVersion: k.apiVersion, Kind: k.kind, Namespace: f.Namespace, Name: name}
	var declared []string
	for _, d := range f.documents {
		if o := d.Object; o.GetKind() == k.kind && o.GetAPIVersion() == k.apiVersion {
			declared = append(declared, o.GetName())
			if o.GetName() == name {
				f.workload, f.declared = o, true
				return nil
			}
		}
	}
	live, names, err := f.live(ctx, k.apiVersion, k.kind, name)
	if err != nil {
		return err
	}
	if f.workload = live; live != nil {
		return nil
	}
	remedy := near.Remedy(name, append(declared, names...), "apply it first, or give its manifests")
	if _, err := f.Cluster.KindOf(ctx, k.apiVersion, k.kind); cluster.IsGone(err) {
		remedy = fmt.Sprintf("the cluster has no kind %s of %s: install it first", k.kind, k.apiVersion)
	}
	if len(path) == 0 {
		remedy = "name it with deployment_name, or another kind with its own key; " + remedy
	}
	where := f.where()
	if len(f.documents) > 0 {
		where = "the manifests, and none in " + where
	}
	f.diags = append(f.diags, wrong(path, remedy, "there is no %s %q in %s", k.kind, name, where))
	return nil
}

// named is the workload that the spec names; without any, and with nothing to apply,
// it is the Deployment that is called as the component.
func (f *resolution) named() (k workloadKind, name string, path []string) {
	for _, k := range workloadKinds {
		if name := k.name(&f.spec); name != "" {
			return k, name, []string{k.key}
		}
	}
	if len(f.documents) == 0 {
		return workloadKinds[0], f.target.Component, nil
	}
	if len(f.spec.Image) > 0 { // the only one of the manifests that has containers is meant
		var only []workloadKind
		for _, d := range f.documents {
			for _, k := range workloadKinds {
				if d.Object.GetKind() == k.kind && d.Object.GetAPIVersion() == k.apiVersion {
					name = d.Object.GetName()
					only = append(only, k)
				}
			}
		}
		if len(only) == 1 {
			return only[0], name, nil
		}
		f.diags = append(f.diags, wrong([]string{"image"}, "name one, such as with deployment_name", "the manifests have %d workloads, and it is not said which is to get the images", len(only)))
	}
	return workloadKind{}, "", nil
}

// live returns an object of the platform's namespace, or nil and the names of those
// that are there.
func (f *resolution) live(ctx context.Context, apiVersion, kind, name string) (*unstructured.Unstructured, []string, error) {
	object, err := f.Cluster.Find(ctx, cluster.Key{APIVersion: apiVersion, Kind: kind, Namespace: f.Namespace, Name: name})
	if err != nil || object != nil {
		return object, nil, err
	}
	of, err := f.Cluster.KindOf(ctx, apiVersion, kind)
	if err != nil {
		if cluster.IsGone(err) {
			err = nil
		}
		return nil, nil, err
	}
	const enough = 500
	list, err := f.Cluster.Metadata().Resource(of.Resource).Namespace(f.Namespace).List(ctx, metav1.ListOptions{Limit: enough})
	if err != nil {
		return nil, nil, nil //nolint:nilerr // the names are for a hint only
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return nil, names, nil
}

// checkLabels compares the labels of the spec with those of the workload.
func (f *resolution) checkLabels(context.Context) error {
	if f.workload == nil {
		return nil
	}
	has := f.workload.GetLabels()
	pods := podLabels(f.workload)
	for _, name := range slices.Sorted(maps.Keys(f.spec.Labels)) {
		want := f.spec.Labels[name]
		if has[name] == want || pods[name] == want {
			continue
		}
		if !f.declared && slices.Contains(versionLabels, name) {
			continue // it may be still to come
		}
		found := "has no label " + name
		if value, ok := pods[name]; ok {
			found = fmt.Sprintf("has %s=%s", name, value)
		} else if value, ok := has[name]; ok {
			found = fmt.Sprintf("has %s=%s", name, value)
		}
		f.diags = append(f.diags, wrong([]string{"labels", name}, "correct the label, or name the workload that is meant",
			"%s %q %s, and not %s", f.workload.GetKind(), f.workload.GetName(), found, want))
	}
	return nil
}

func podLabels(object *unstructured.Unstructured) map[string]string {
	spec := release.PodSpec(object)
	if len(spec) < 2 {
		return nil
	}
	path := append(slices.Clone(spec[:len(spec)-1]), "metadata", "labels")
	labels, _, err := unstructured.NestedStringMap(object.Object, path...)
	if err != nil {
		return nil
	}
	return labels
}

// findService finds the Service, in the manifests or in the cluster.
func (f *resolution) findService(ctx context.Context) error {
	name := f.spec.Service
	if name == "" {
		return nil
	}
	f.release.Service = name
	var names []string
	for _, d := range f.documents {
		if o := d.Object; o.GetKind() == "Service" && o.GetAPIVersion() == "v1" {
			if o.GetName() == name {
				return nil
			}
			names = append(names, o.GetName())
		}
	}
	live, more, err := f.live(ctx, "v1", "Service", name)
	if err != nil || live != nil {
		return err
	}
	f.diags = append(f.diags, wrong([]string{"service_name"}, near.Remedy(name, append(names, more...), "apply it first, or leave service_name out"),
		"there is no Service %q in %s", name, f.where()))
	return nil
}
