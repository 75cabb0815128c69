package resolve

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-containerregistry/pkg/authn"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/image"
	"github.com/apm-deploy/apm/plugins/kubernetes/internal/manifest"
	"github.com/apm-deploy/apm/plugins/kubernetes/internal/near"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/release"
)

// setImages puts the images of the spec where they belong: into the manifests if the
// workload stands there, else beside them.
func (f *resolution) setImages(context.Context) error {
	if len(f.spec.Image) == 0 || f.workload == nil {
		return nil
	}
	var names []string
	release.EachContainer(f.workload, func(_ []any, container map[string]any) {
		name, _ := container["name"].(string)
		names = append(names, name)
		if set, ok := f.spec.Image[name]; ok && f.declared {
			container["image"] = set
		}
	})
	for _, container := range slices.Sorted(maps.Keys(f.spec.Image)) {
		if !slices.Contains(names, container) {
			f.diags = append(f.diags, wrong([]string{"image", container}, near.Remedy(container, names, "name a container of it"),
				"%s %q has no container %q", f.workload.GetKind(), f.workload.GetName(), container))
		}
	}
	if !f.declared {
		f.release.Images = maps.Clone(f.spec.Image)
	}
	return nil
}

// use is one place where an image stands.
type use struct {
	image string
	where string // for people: "Deployment/api/app"
	tell  func(remedy, format string, args ...any)
	set   func(image string)
}

// pin looks up what the tags stand for.
func (f *resolution) pin(ctx context.Context) error {
	uses := f.uses()
	images := make([]string, 0, len(uses))
	for _, u := range uses {
		images = append(images, u.image)
	}
	if len(images) == 0 {
		return nil
	}
	registries := f.Images
	if registries.Keychain == nil {
		registries.Keychain = authn.NewMultiKeychain(f.pullSecrets(ctx), authn.DefaultKeychain)
	}
	answers := registries.Pin(ctx, images)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, u := range uses {
		answer := answers[u.image]
		switch {
		case answer.Err == nil && answer.Pinned != u.image:
			if f.release.Written == nil {
				f.release.Written = map[string]string{}
			}
			f.release.Written[u.where] = u.image
			u.set(answer.Pinned)
		case errors.Is(answer.Err, image.ErrNotFound):
			u.tell("push it, or correct the image", "image %q of %s: %v: nodes will hardly find it", u.image, u.where, image.ErrNotFound)
		case answer.Err != nil:
			u.tell("name it by digest, or let this machine ask the registry", "image %q of %s stays a tag, which may move: %v", u.image, u.where, answer.Err)
		}
	}
	return nil
}

func (f *resolution) uses() []use {
	var uses []use
	for i, d := range f.documents {
		release.EachContainer(d.Object, func(path []any, container map[string]any) {
			at := manifest.Path(append(path, "image"))
			written, _ := container["image"].(string)
			name, _ := container["name"].(string)
			policy, _ := container["imagePullPolicy"].(string)
			switch {
			case written == "" || policy == "Never": // what the node has, no registry knows
				return
			case image.Check(written) != nil:
				f.problem(i, d.Problem(at, "write REGISTRY/NAME:TAG", "%v", image.Check(written)))
				return
			}
			uses = append(uses, use{
				image: written, where: fmt.Sprintf("%s/%s/%s", d.Object.GetKind(), d.Object.GetName(), name),
				set: func(image string) { container["image"] = image },
				tell: func(remedy, format string, args ...any) {
					f.problem(i, d.Warning(at, remedy, format, args...))
				},
			})
		})
	}
	for _, container := range slices.Sorted(maps.Keys(f.release.Images)) {
		uses = append(uses, use{
			image: f.release.Images[container], where: container,
			set: func(image string) { f.release.Images[container] = image },
			tell: func(remedy, format string, args ...any) {
				f.diags = append(f.diags, doubtful([]string{"image", container}, remedy, format, args...))
			},
		})
	}
	return uses
}

// pullSecrets are the credentials for registries that pods of the namespace use. What
// cannot be read is left out: the registry says what that leads to.
func (f *resolution) pullSecrets(ctx context.Context) image.Secrets {
	names := map[string]bool{}
	objects := make([]*unstructured.Unstructured, 0, len(f.documents)+1)
	own := map[string]*unstructured.Unstructured{}
	for _, d := range f.documents {
		objects = append(objects, d.Object)
		if d.Object.GetKind() == "Secret" {
			own[d.Object.GetName()] = d.Object
		}
	}
	if f.workload != nil && !f.declared {
		objects = append(objects, f.workload)
	}
	for _, object := range objects {
		steps := release.PodSpec(object)
		if steps == nil {
			continue
		}
		named, _, err := unstructured.NestedSlice(object.Object, append(slices.Clone(steps), "imagePullSecrets")...)
		if err != nil {
			continue
		}
		for _, one := range named {
			if reference, ok := one.(map[string]any); ok {
				if name, ok := reference["name"].(string); ok {
					names[name] = true
				}
			}
		}
	}
	all := image.Secrets{}
	for name := range names {
		object, err := own[name], error(nil)
		if object == nil {
			object, err = f.Cluster.Find(ctx, cluster.Key{APIVersion: "v1", Kind: "Secret", Namespace: f.Namespace, Name: name})
		}
		if err != nil || object == nil {
			continue
		}
		if secrets, err := image.ReadSecret(secretData(object)); err == nil {
			maps.Copy(all, secrets)
		}
	}
	return all
}
