package rollout

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/judge"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/release"
	"github.com/apm-deploy/apm/sdk"
)

// Deploy writes the operation down once nothing speaks against it, and drives it from
// then on. What the cluster would refuse is refused before anything is changed.
func (p *Platform) Deploy(ctx context.Context, request sdk.DeployRequest) (sdk.Handle, error) {
	r, err := decodeRelease(request.Release)
	if err != nil {
		return sdk.Handle{}, err
	}
	if request.Operation.Staged {
		return sdk.Handle{}, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "this platform brings no candidate up beside what runs")
	}
	n, err := p.outlineOf(ctx, r, request.Target)
	if err != nil {
		return sdk.Handle{}, err
	}
	raw, err := n.raw()
	if err != nil {
		return sdk.Handle{}, err
	}
	request.Operation.Kind = sdk.OperationDeploy
	entry := record.Entry{
		Goal: request.Release.State, Version: request.Target.Version, Revision: request.Release.Revision,
		Subject: n.main(), Retain: request.Retain, Notes: raw,
	}
	return p.journal(request.Target).Accept(ctx, request.Operation, entry, func(ctx context.Context, written *record.Record) (string, error) {
		seen, err := p.expect(ctx, written, n, request.ExpectedDigest)
		if err != nil {
			return "", err
		}
		if err := guard(seen, p.touched(r), p.identity(request.Target)); err != nil {
			return "", err
		}
		stamp := cluster.Stamp{
			Identity: p.identity(request.Target), Version: request.Target.Version,
			Operation: request.Operation.ID, Digest: request.Operation.RequestDigest, Epoch: request.Operation.Epoch,
		}
		return seen.digest(), p.rehearse(ctx, r, seen, stamp)
	})
}

func decodeRelease(r sdk.Release) (*release.Release, error) {
	decoded, err := release.Decode(r.Version, r.State)
	if err != nil {
		return nil, &sdk.Error{Code: sdk.InvalidArgument, Reason: sdk.ReasonInvalidSpec, Message: "the release cannot be read", Err: err}
	}
	if decoded.Chart != nil {
		return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "this platform applies no Helm chart")
	}
	return decoded, nil
}

// outlineOf a release: what it touches and what is followed. Objects get the namespace
// of the platform where they name none.
func (p *Platform) outlineOf(ctx context.Context, r *release.Release, t sdk.Target) (*notes, error) {
	if err := p.place(ctx, r.Objects); err != nil {
		return nil, err
	}
	n := outline(r.Objects, p.named(r)...)
	if !r.Tracked() {
		return n, nil
	}
	var err error
	n.Tracked, err = p.track(ctx, r, t.Version)
	return n, err
}

// place gives objects their namespace.
func (p *Platform) place(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, o := range objects {
		if o.GetNamespace() != "" {
			continue
		}
		kind, err := p.cluster.KindOf(ctx, o.GetAPIVersion(), o.GetKind())
		switch {
		case cluster.IsGone(err): // its definition is part of the same release
		case err != nil:
			return err
		case kind.Namespaced:
			o.SetNamespace(p.options.Namespace)
		}
	}
	return nil
}

// main is the resource that lines and failures without one are about.
func (n *notes) main() string {
	for _, r := range refs(n.Workloads) {
		return judge.ID(r)
	}
	for _, r := range refs(n.Keys) {
		return judge.ID(r)
	}
	return ""
}

// expect looks at the component and refuses if it is not as expected.
func (p *Platform) expect(ctx context.Context, r *record.Record, n *notes, expected string) (*scene, error) {
	before, err := notesOf(r)
	if err != nil {
		return nil, err
	}
	keys := before.keys()
	if n != nil {
		keys = union(keys, parseKeys(n.Keys))
	}
	seen, err := p.look(ctx, keys)
	if err != nil {
		return nil, err
	}
	if expected != "" && seen.digest() != expected {
		return nil, moved(seen, before, keys)
	}
	return seen, nil
}

func union(a, b []cluster.Key) []cluster.Key {
	seen := map[cluster.Key]bool{}
	var all []cluster.Key
	for _, list := range [][]cluster.Key{a, b} {
		for _, k := range list {
			if !seen[k] {
				seen[k] = true
				all = append(all, k)
			}
		}
	}
	return all
}

// touched are the objects that a release changes.
func (p *Platform) touched(r *release.Release) []cluster.Key {
	all := make([]cluster.Key, 0, len(r.Objects)+1)
	for _, o := range r.Objects {
		all = append(all, cluster.KeyOf(o))
	}
	if k, ok := p.workload(r); ok && len(r.Objects) == 0 {
		all = append(all, k)
	}
	return all
}

// guard refuses to touch what another component has.
func guard(seen *scene, keys []cluster.Key, identity cluster.Identity) error {
	for _, k := range keys {
		o := seen.objects[k]
		if o == nil {
			continue
		}
		if stamp, ok := cluster.StampOf(o); ok && stamp.Identity != identity {
			e := sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict,
				"%s is part of component %q of application %q in environment %q: an object belongs to one component",
				k.Short(), stamp.Component, stamp.Application, stamp.Environment)
			e.Resource, e.By = k.String(), "operation "+stamp.Operation
			return e
		}
	}
	return nil
}

// kept refuses what a tool keeps that would undo it.
func kept(o *unstructured.Unstructured) error {
	keeper, ok := cluster.KeeperOf(o)
	if !ok {
		return nil
	}
	k := cluster.KeyOf(o)
	e := sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict, "%s is kept by %s, which would undo a change", k.Short(), keeper)
	if keeper.Command != "" {
		e.Message += ": change it there (" + keeper.Command + ")"
	}
	e.Resource, e.By = k.String(), keeper.String()
	return e
}
