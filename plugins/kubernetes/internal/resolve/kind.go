package resolve

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/manifest"
	"github.com/apm-deploy/apm/plugins/kubernetes/internal/near"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
)

// place finds out what kinds the documents are of, and gives each the platform's
// namespace where its kind has one.
func (f *resolution) place(ctx context.Context) error {
	defined := definitions(f.documents)
	for i, d := range f.documents {
		gvk := d.Object.GroupVersionKind()
		kind, err := f.Cluster.KindOf(ctx, d.Object.GetAPIVersion(), d.Object.GetKind())
		namespaced, own := defined[gvk]
		switch {
		case err == nil:
			namespaced = kind.Namespaced
		case !cluster.IsGone(err):
			return err
		case !own:
			p, err := f.unknownKind(ctx, d)
			if err != nil {
				return err
			}
			f.problem(i, p)
			continue
		}
		switch namespace := d.Object.GetNamespace(); {
		case !namespaced:
			unstructured.RemoveNestedField(d.Object.Object, "metadata", "namespace")
		case namespace == "":
			d.Object.SetNamespace(f.Namespace)
		case namespace != f.Namespace:
			f.problem(i, d.Problem(
				manifest.Path{"metadata", "namespace"},
				"leave the namespace out, or use a platform of that namespace",
				"%s is of namespace %q, and the platform is of %q", d.Name(), namespace, f.Namespace))
		}
	}
	if !f.diags.HasErrors() {
		for _, p := range manifest.Twice(f.documents, "") {
			f.diags = append(f.diags, told(f.sourceOf(p.File), []manifest.Problem{p})...)
		}
	}
	return nil
}

func (f *resolution) sourceOf(file string) source {
	for i, d := range f.documents {
		if d.File == file {
			return f.sources[i]
		}
	}
	return nil
}

// definitions are the kinds that the documents themselves define, and whether they
// have a namespace.
func definitions(documents []manifest.Document) map[schema.GroupVersionKind]bool {
	defined := map[schema.GroupVersionKind]bool{}
	for _, d := range documents {
		if d.Object.GroupVersionKind().GroupKind().String() != "CustomResourceDefinition.apiextensions.k8s.io" {
			continue
		}
		group, _, _ := unstructured.NestedString(d.Object.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(d.Object.Object, "spec", "names", "kind")
		scope, _, _ := unstructured.NestedString(d.Object.Object, "spec", "scope")
		versions, _, _ := unstructured.NestedSlice(d.Object.Object, "spec", "versions")
		for _, one := range versions {
			if v, ok := one.(map[string]any); ok {
				name, _ := v["name"].(string)
				defined[schema.GroupVersionKind{Group: group, Version: name, Kind: kind}] = scope == "Namespaced"
			}
		}
	}
	return defined
}

// unknownKind says that the cluster does not have the kind of a document, and what it
// has that is like it. It is an error if that could not be found out.
func (f *resolution) unknownKind(ctx context.Context, d manifest.Document) (manifest.Problem, error) {
	gvk := d.Object.GroupVersionKind()
	lists, err := f.offered(gvk)
	if ctx.Err() != nil {
		return manifest.Problem{}, ctx.Err()
	}
	if err != nil {
		return manifest.Problem{}, err
	}
	var same, kinds []string
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for i := range list.APIResources {
			kind := list.APIResources[i].Kind
			if kind == gvk.Kind && !strings.Contains(list.APIResources[i].Name, "/") && !slices.Contains(same, list.GroupVersion) {
				same = append(same, list.GroupVersion)
			}
			if group == gvk.GroupVersion() && !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
	}
	path, remedy := manifest.Path{"kind"}, "install its CustomResourceDefinition first, or correct apiVersion and kind"
	switch {
	case len(same) > 0:
		path, remedy = manifest.Path{"apiVersion"}, fmt.Sprintf("it has a %s of %s: correct apiVersion", gvk.Kind, strings.Join(same, " and "))
	case len(near.To(gvk.Kind, kinds)) > 0:
		remedy = near.Remedy(gvk.Kind, kinds, remedy)
	}
	return d.Problem(path, remedy, "the cluster has no kind %s of %s", gvk.Kind, gvk.GroupVersion()), nil
}

// offered are all kinds that the cluster has. A group whose server is down has none to
// show: then nobody can say that a kind of it is not there.
func (f *resolution) offered(gvk schema.GroupVersionKind) ([]*metav1.APIResourceList, error) {
	_, lists, err := f.Cluster.Typed().Discovery().ServerGroupsAndResources()
	if failed, ok := discovery.GroupDiscoveryFailedErrorGroups(err); ok {
		for group, cause := range failed {
			if group.Group == gvk.Group {
				return nil, sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "the API server cannot say which kinds of %s there are: %w", group, cause)
			}
		}
		err = nil
	}
	return lists, cluster.Answer(cluster.Call{Verb: "list", Resource: "kinds of the cluster"}, err)
}

// knownMinor is the minor version of Kubernetes whose types this program has.
const knownMinor = "1.37.0"

// checkFields looks for fields that Kubernetes does not have. A cluster that is newer
// than what this program knows may have them.
func (f *resolution) checkFields(ctx context.Context) error {
	newer, asked := false, false
	for i, d := range f.documents {
		for _, p := range d.Unknown() {
			if !asked {
				text, err := f.Cluster.Version(ctx)
				if err != nil {
					return err
				}
				asked, newer = true, isNewer(text)
			}
			p.Warning = newer
			f.problem(i, p)
		}
	}
	return nil
}

func isNewer(text string) bool {
	v, err := version.ParseGeneric(text)
	known := version.MustParseGeneric(knownMinor)
	return err == nil && (v.Major() > known.Major() || v.Major() == known.Major() && v.Minor() > known.Minor())
}
