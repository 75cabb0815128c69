package rollout

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
)

// parallel is how many objects are read at once.
const parallel = 8

// A scene is what is there of a component at one moment.
type scene struct {
	// objects that were asked for, or that those refer to, by key; none that is gone.
	objects map[cluster.Key]*unstructured.Unstructured
	// referred are ConfigMaps and Secrets that were not asked for.
	referred map[cluster.Key]bool
	scaled   cluster.Autoscaled
	blind    []error // of objects that are only referred to
}

// look reads objects, and the ConfigMaps and Secrets that their pods use.
func (p *Platform) look(ctx context.Context, keys []cluster.Key) (*scene, error) {
	s := &scene{objects: map[cluster.Key]*unstructured.Unstructured{}, referred: map[cluster.Key]bool{}, scaled: cluster.Autoscaled{}}
	if err := p.find(ctx, s, keys, false); err != nil {
		return nil, err
	}
	var more []cluster.Key
	namespaces := map[string]bool{}
	for k, o := range s.objects {
		if templateLabels(o) != nil || followed(k) {
			namespaces[k.Namespace] = true
		}
		for _, ref := range referred(o) {
			if s.objects[ref] == nil && !slices.Contains(more, ref) && !slices.Contains(keys, ref) {
				more = append(more, ref)
			}
		}
	}
	if err := p.find(ctx, s, more, true); err != nil {
		return nil, err
	}
	for namespace := range namespaces {
		found, err := p.cluster.Autoscaled(ctx, namespace)
		if err != nil && !cluster.IsForbidden(err) {
			return nil, err
		}
		for key, by := range found {
			s.scaled[key] = by
		}
	}
	return s, nil
}

func (p *Platform) find(ctx context.Context, s *scene, keys []cluster.Key, refers bool) error {
	var (
		mu    sync.Mutex
		group sync.WaitGroup
		first error
		slots = make(chan struct{}, parallel)
	)
	for _, k := range keys {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			o, err := p.cluster.Find(ctx, k)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil && refers && cluster.IsForbidden(err):
				s.blind = append(s.blind, err)
			case err != nil:
				first = cmp.Or(first, err)
			case o != nil && o.GetDeletionTimestamp() == nil:
				s.objects[k], s.referred[k] = o, refers
			}
		})
	}
	group.Wait()
	return first
}

// digest is that of the desired state of all that is there.
func (s *scene) digest() string {
	var all []*unstructured.Unstructured
	for k, o := range s.objects {
		if !s.referred[k] || !rotates(o) {
			all = append(all, unpinned(o))
		}
	}
	return s.scaled.Digest(all...)
}

// digests are short ones by key, of what was asked for.
func (s *scene) digests(keys []string) map[string]string {
	all := map[string]string{}
	for _, k := range parseKeys(keys) {
		if o := s.objects[k]; o != nil {
			all[k.String()] = s.digestOf(o)
		}
	}
	return all
}

func (s *scene) digestOf(o *unstructured.Unstructured) string {
	return short(s.scaled.Digest(unpinned(o)))
}

func short(digest string) string { return digest[:min(len(digest), len("sha256:")+16)] }

// contents are digests of what objects hold, without their labels and annotations.
func (s *scene) contents() map[string]string {
	all := map[string]string{}
	for k, o := range s.objects {
		if !s.referred[k] {
			all[k.String()] = s.contentOf(o)
		}
	}
	return all
}

func (s *scene) contentOf(o *unstructured.Unstructured) string {
	o = unpinned(o).DeepCopy()
	o.SetLabels(nil)
	o.SetAnnotations(nil)
	return short(s.scaled.Digest(o))
}

// rotates says whether a Secret or ConfigMap is kept by a controller that changes it in
// its own time, such as certificates: it is no part of what was deployed.
func rotates(o *unstructured.Unstructured) bool {
	kind, _, _ := unstructured.NestedString(o.Object, "type")
	return len(o.GetOwnerReferences()) > 0 || kind == "kubernetes.io/tls" || kind == "kubernetes.io/service-account-token"
}

// sorted are the keys of what is there, those in order first.
func (s *scene) sorted(order []cluster.Key) []cluster.Key {
	var rest []cluster.Key
	for k := range s.objects {
		if !slices.Contains(order, k) {
			rest = append(rest, k)
		}
	}
	slices.SortFunc(rest, cluster.Key.Compare)
	all := rest // what is only referred to comes first: workloads need it
	for _, k := range order {
		if s.objects[k] != nil {
			all = append(all, k)
		}
	}
	return all
}
