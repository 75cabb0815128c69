package resolve

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/access"
	"github.com/apm-deploy/apm/plugins/kubernetes/internal/image"
	"github.com/apm-deploy/apm/plugins/kubernetes/internal/manifest"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/release"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Resolver freezes components of one namespace of a cluster.
type Resolver struct {
	Cluster   *cluster.Cluster
	Namespace string
	Images    image.Registries
}

// under way is one component that is frozen.
type resolution struct {
	*Resolver
	target    sdk.Target
	spec      Spec
	documents []manifest.Document
	sources   []source // of each document
	diags     diag.Diagnostics
	release   release.Release
	// workload is the one that is named: that of the manifests, or the live one; nil
	// if none is named.
	workload *unstructured.Unstructured
	declared bool // it stands in the manifests
}

// source is the key of the spec that a document comes from.
type source []string

// Resolve freezes what is to run. What is wrong with the spec are diagnostics; an error
// means that the cluster could not be asked, lacks the namespace, or grants too little.
func (r *Resolver) Resolve(ctx context.Context, target sdk.Target) (sdk.Release, diag.Diagnostics, error) {
	spec, diags := schema.Read[Spec](target.Spec)
	if diags.HasErrors() {
		return sdk.Release{}, diags, nil
	}
	f := &resolution{Resolver: r, target: target, spec: spec, diags: diags, release: release.Release{Version: target.Version, Labels: spec.Labels}}
	f.read()
	for _, step := range []func(context.Context) error{
		f.checkNamespace, f.place, f.checkFields, f.checkRights, f.findWorkload, f.checkLabels, f.findService, f.setImages, f.pin,
	} {
		if f.diags.HasErrors() {
			return sdk.Release{}, f.diags, nil
		}
		if err := step(ctx); err != nil {
			return sdk.Release{}, f.diags, err
		}
	}
	if f.diags.HasErrors() {
		return sdk.Release{}, f.diags, nil
	}
	return f.encode()
}

// read reads the manifests.
func (f *resolution) read() {
	add := func(from source, documents []manifest.Document, problems []manifest.Problem) {
		f.diags = append(f.diags, told(from, problems)...)
		f.documents = append(f.documents, documents...)
		for range documents {
			f.sources = append(f.sources, from)
		}
	}
	for i, path := range f.spec.Manifests {
		documents, problems := manifest.Read(path)
		add(source{"manifests", strconv.Itoa(i)}, documents, problems)
	}
	if f.spec.Manifest != "" {
		documents, _ := manifest.Parse(inline, []byte(f.spec.Manifest)) // what is wrong with it, Check has said
		add(source{"manifest"}, documents, nil)
	}
	for _, d := range f.documents {
		manifest.Clean(d.Object)
	}
}

// problem tells what is wrong with a document, with the key that it comes from.
func (f *resolution) problem(i int, p manifest.Problem) {
	f.diags = append(f.diags, told(f.sources[i], []manifest.Problem{p})...)
}

func (f *resolution) checkNamespace(ctx context.Context) error {
	return access.Namespace(ctx, f.Cluster.Typed(), f.Namespace)
}

// checkRights asks whether what is in the manifests may be applied, and taken away
// again.
func (f *resolution) checkRights(ctx context.Context) error {
	var rights []access.Right
	seen := map[cluster.Kind]bool{}
	for _, d := range f.documents {
		kind, err := f.Cluster.KindOf(ctx, d.Object.GetAPIVersion(), d.Object.GetKind())
		if cluster.IsGone(err) { // one that the manifests themselves define
			continue
		}
		if err != nil {
			return err
		}
		if seen[kind] {
			continue
		}
		seen[kind] = true
		for _, verb := range []string{"get", "create", "patch", "delete"} {
			rights = append(rights, access.Right{
				Verb: verb, Group: kind.Resource.Group, Resource: kind.Resource.Resource, Cluster: !kind.Namespaced,
			})
		}
	}
	if len(rights) == 0 {
		return nil
	}
	missing, err := access.Missing(ctx, f.Cluster.Typed(), f.Namespace, rights)
	if err != nil || len(missing) == 0 {
		return err
	}
	return sdk.Errorf(sdk.PermissionDenied, sdk.ReasonAuth,
		"%s may not apply these manifests; grant it, %s",
		cmp.Or(access.Account(ctx, f.Cluster.Typed()), "the account of the platform"), access.Sentence(missing, f.Namespace))
}

func (f *resolution) encode() (sdk.Release, diag.Diagnostics, error) {
	order := slices.Clone(f.documents)
	manifest.Sort(order)
	for _, d := range order {
		f.release.Objects = append(f.release.Objects, d.Object)
	}
	state, err := f.release.Encode()
	if err != nil {
		return sdk.Release{}, f.diags, &sdk.Error{Code: sdk.Internal, Reason: sdk.ReasonPluginBug, Message: "resolve", Err: err}
	}
	if len(state) > sdk.MaxRelease {
		path, largest, size := source{"manifests"}, "", 0
		for i, d := range f.documents {
			if data, err := d.Object.MarshalJSON(); err == nil && len(data) > size {
				path, largest, size = f.sources[i], d.Name(), len(data)
			}
		}
		f.diags = append(f.diags, wrong(path, "make several components of it",
			"the manifests have %d bytes together, and a release holds %d; the largest is %s with %d", len(state), sdk.MaxRelease, largest, size))
		return sdk.Release{}, f.diags, nil
	}
	digest, err := f.release.Digest()
	if err != nil {
		return sdk.Release{}, f.diags, &sdk.Error{Code: sdk.Internal, Reason: sdk.ReasonPluginBug, Message: "resolve", Err: err}
	}
	return sdk.Release{
		Version: release.Version, State: state, Digest: digest, Revision: f.target.Version, View: f.release.View(),
	}, f.diags, nil
}

// place says where a workload is, for messages.
func (f *resolution) where() string { return fmt.Sprintf("namespace %q", f.Namespace) }
