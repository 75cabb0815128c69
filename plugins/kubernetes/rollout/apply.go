package rollout

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/release"
	"github.com/apm-deploy/apm/sdk"
)

// desired are the objects that a release asks to apply, in order, and whether fields of
// others are taken: only where the release names just these.
func (p *Platform) desired(r *release.Release, seen *scene) (objects []*unstructured.Unstructured, force bool, err error) {
	if len(r.Images) == 0 {
		return r.Objects, false, nil
	}
	k, ok := p.workload(r)
	if !ok {
		return nil, false, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "images without the name of a workload")
	}
	live := seen.objects[k]
	if live == nil {
		return nil, false, sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "%s is not there: its images cannot be set", k.Short())
	}
	if err := kept(live); err != nil {
		return nil, false, err
	}
	o, err := withImages(live, r.Images)
	return append(slices.Clone(r.Objects), o), true, err
}

// workload is the one that a release names.
func (p *Platform) workload(r *release.Release) (cluster.Key, bool) {
	for _, k := range p.named(r) {
		if !isService(k) {
			return k, true
		}
	}
	return cluster.Key{}, false
}

// withImages is what we apply of a workload to have containers run other images: the
// fields that are ours already, and these.
func withImages(live *unstructured.Unstructured, images map[string]string) (*unstructured.Unstructured, error) {
	at := release.PodSpec(live)
	if at == nil {
		return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "%s has no pods of its own: no image can be set", cluster.KeyOf(live).Short())
	}
	whole := live.GroupVersionKind().Group == "argoproj.io" // its lists are replaced as a whole
	o := ownedBy(live, cluster.Manager)
	missing := map[string]bool{}
	for name := range images {
		missing[name] = true
	}
	for _, list := range []string{"initContainers", "containers"} {
		path := append(slices.Clone(at), list)
		running, _, err := unstructured.NestedSlice(live.Object, path...)
		if err != nil {
			return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "read %s: %w", cluster.KeyOf(live).Short(), err)
		}
		ours, _, _ := unstructured.NestedSlice(o.Object, path...)
		changed := false
		for _, one := range running {
			c, _ := one.(map[string]any)
			name, _ := c["name"].(string)
			image := images[name]
			if image == "" {
				if whole {
					ours = put(ours, c)
				}
				continue
			}
			delete(missing, name)
			changed = true
			fields := map[string]any{"name": name, "image": image}
			if whole {
				c["image"] = image
				fields = c
			}
			ours = put(ours, fields)
		}
		if changed {
			if err := unstructured.SetNestedSlice(o.Object, ours, path...); err != nil {
				return nil, sdk.Errorf(sdk.Internal, sdk.ReasonPluginBug, "set images of %s: %w", cluster.KeyOf(live).Short(), err)
			}
		}
	}
	for name := range missing {
		return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "%s has no container %q", cluster.KeyOf(live).Short(), name)
	}
	return o, nil
}

// put sets the fields of the element of that name, or adds it.
func put(list []any, fields map[string]any) []any {
	for _, one := range list {
		if c, ok := one.(map[string]any); ok && c["name"] == fields["name"] {
			for field, value := range fields {
				c[field] = value
			}
			return list
		}
	}
	return append(list, fields)
}

// takes says whether fields of others are taken: always where the release names just these,
// and of objects that an operation of ours has created, since what others wrote there was
// seen when this one was accepted. What is written after this one has applied is theirs.
func takes(live *unstructured.Unstructured, force bool, identity cluster.Identity, operation string) bool {
	if live == nil || force {
		return force
	}
	stamp, ok := cluster.StampOf(live)
	return ok && stamp.Identity == identity && stamp.Created != "" && stamp.Operation != operation
}

// rehearse has the cluster say whether it would take a release, and changes nothing. What
// needs a kind or a namespace that comes with the release itself cannot be rehearsed.
func (p *Platform) rehearse(ctx context.Context, r *release.Release, seen *scene, stamp cluster.Stamp) error {
	objects, force, err := p.desired(r, seen)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if live := seen.objects[cluster.KeyOf(o)]; live != nil && !force {
			if _, ours := cluster.StampOf(live); !ours {
				if err := kept(live); err != nil {
					return err
				}
			}
		}
		_, err := p.cluster.Apply(ctx, o, cluster.ApplyOptions{
			Stamp: &stamp, Force: takes(seen.objects[cluster.KeyOf(o)], force, stamp.Identity, stamp.Operation),
			Autoscaled: seen.scaled, DryRun: true,
		})
		if err != nil && !cluster.IsGone(err) {
			return err
		}
	}
	return nil
}
