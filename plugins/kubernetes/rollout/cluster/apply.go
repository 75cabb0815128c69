package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/apm-deploy/apm/sdk"
)

// Manager is our field manager.
const Manager = "apm"

// attempts is how often a change is tried again because the object's status moved
// between the look and the change.
const attempts = 10

// ApplyOptions say how to apply.
type ApplyOptions struct {
	// Stamp is written on the object; nil leaves it unstamped. An object that a later
	// owner of the component has stamped is not touched: STALE_EPOCH.
	Stamp *Stamp
	// Expect is what the live object must still be, else ABORTED ([IsConflict]).
	Expect Expect
	// Force takes fields that other managers own. Without it they are ABORTED, naming
	// fields and managers ([ConflictsOf]); fields that only we have written, by whatever
	// means, are taken in any case.
	Force bool
	// Autoscaled are workloads whose spec.replicas stays as it is live, whatever the
	// object says, as does that of one that an autoscaler has scaled already.
	Autoscaled Autoscaled
	DryRun     bool   // the cluster says what would be there, and changes nothing
	Manager    string // [Manager] if ""
}

// Applied is what an apply did.
type Applied struct {
	Object *unstructured.Unstructured // as it is now
	Before *unstructured.Unstructured // nil: it was created
}

// Created says whether the object was not there before.
func (a Applied) Created() bool { return a.Before == nil }

// Changed says whether the desired state is another now.
func (a Applied) Changed() bool { return a.Before == nil || Digest(a.Before) != Digest(a.Object) }

// Apply has the API server bring an object about by server-side apply: fields that are
// not in it and that we applied before are removed, all others stay. The object is not
// changed. It may be one that was read: what the API server keeps for itself is left out,
// and so is what the cluster had chosen for it (a Service's address, a Job's selector).
func (c *Cluster) Apply(ctx context.Context, o *unstructured.Unstructured, options ApplyOptions) (Applied, error) {
	k := KeyOf(o)
	kind, resource, err := c.resource(ctx, k)
	if err != nil {
		return Applied{}, err
	}
	call := CallOf("patch", kind.Resource, k.Namespace, k.Name)
	for attempt := 1; ; attempt++ {
		before, err := c.Find(ctx, k)
		if err == nil {
			err = options.met(k, before)
		}
		if err != nil {
			return Applied{}, err
		}
		text, err := options.body(o, before)
		if err != nil {
			return Applied{}, err
		}
		after, err := options.patch(ctx, resource, call, k.Name, text)
		if err == nil {
			return Applied{Object: after, Before: before}, nil
		}
		// Its status was written, or it came or went, since we looked.
		if !moved(err) || options.Expect.ResourceVersion != "" || attempt == attempts {
			return Applied{}, err
		}
	}
}

// moved says whether an apply failed because the object is not what was looked at, and
// not because somebody else owns its fields.
func moved(err error) bool { return IsConflict(err) && len(ConflictsOf(err)) == 0 }

// met says why an object may not be touched.
func (options ApplyOptions) met(k Key, live *unstructured.Unstructured) error {
	want := options.Expect
	switch {
	case live == nil && (want.UID != "" || want.ResourceVersion != ""):
		return sdk.Errorf(sdk.Aborted, sdk.ReasonConflict, "apply %s: it is gone", k.Short())
	case live == nil:
		return nil
	case want.UID != "" && want.UID != live.GetUID():
		return sdk.Errorf(sdk.Aborted, sdk.ReasonConflict, "apply %s: it was deleted and made anew meanwhile", k.Short())
	case want.ResourceVersion != "" && want.ResourceVersion != live.GetResourceVersion():
		return sdk.Errorf(sdk.Aborted, sdk.ReasonConflict, "apply %s: it was changed meanwhile", k.Short())
	case options.Stamp != nil:
		return fence(live, *options.Stamp)
	default:
		return nil
	}
}

// body is what is sent. The version of the live object makes the API server refuse if
// anybody, a later owner above all, was there since it was looked at.
func (options ApplyOptions) body(o, live *unstructured.Unstructured) ([]byte, error) {
	o = applicable(o)
	if options.Stamp != nil {
		stamp := *options.Stamp
		stamp.Created = stamp.Operation
		if live != nil {
			was, _ := StampOf(live)
			stamp.Created = was.Created
		}
		stamp.Put(o)
	}
	if live != nil && (options.Autoscaled.Has(KeyOf(live)) || scaledByItself(live)) {
		keepReplicas(o, live)
	}
	if live != nil {
		o.SetUID(live.GetUID())
		o.SetResourceVersion(live.GetResourceVersion())
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", KeyOf(o).Short(), err)
	}
	return text, nil
}

// keepReplicas takes the number of the live object, where the object has one or we were the
// last to apply one: to leave the field out would reset it then. The same value is no
// conflict with the autoscaler.
func keepReplicas(o, live *unstructured.Unstructured) {
	n, ok, err := unstructured.NestedInt64(live.Object, "spec", "replicas")
	if !ok || err != nil {
		return
	}
	if _, has, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "replicas"); has || wroteBy(live, Manager, "f:spec", "f:replicas") {
		_ = unstructured.SetNestedField(o.Object, n, "spec", "replicas") // where spec is no map the API server says so
	}
}

// patch applies, and once more by force where the only conflicts are with ourselves.
func (options ApplyOptions) patch(
	ctx context.Context, resource dynamic.ResourceInterface, call Call, name string, text []byte,
) (*unstructured.Unstructured, error) {
	manager := cmp.Or(options.Manager, Manager)
	force := options.Force
	request := metav1.PatchOptions{FieldManager: manager, Force: &force}
	if options.DryRun {
		request.DryRun = []string{metav1.DryRunAll}
	}
	after, err := resource.Patch(ctx, name, types.ApplyPatchType, text, request)
	if err != nil && !force {
		if conflicts := ConflictsOf(err); len(conflicts) > 0 && allOurs(conflicts, manager) {
			force = true
			after, err = resource.Patch(ctx, name, types.ApplyPatchType, text, request)
		}
	}
	return after, Answer(call, err)
}

func allOurs(conflicts []Conflict, manager string) bool {
	for _, c := range conflicts {
		if c.Manager != manager && c.Manager != Manager {
			return false
		}
	}
	return true
}

// Mark stamps an object that is there and changes nothing else of it: for a rollout that
// somebody else makes. The generation of a Deployment rises by it, its revision does not.
// The stamp of a later owner is STALE_EPOCH.
func (c *Cluster) Mark(ctx context.Context, k Key, stamp Stamp) (*unstructured.Unstructured, error) {
	return c.mark(ctx, k, func(live *unstructured.Unstructured) (map[string]any, error) {
		if err := fence(live, stamp); err != nil {
			return nil, err
		}
		was, _ := StampOf(live)
		stamp.Created = was.Created
		return map[string]any{"labels": stamp.labels(), "annotations": stamp.annotations()}, nil
	})
}

// Unmark takes our stamps off an object; one that is gone, or of a later owner of the
// component, is left as it is.
func (c *Cluster) Unmark(ctx context.Context, k Key, stamp Stamp) error {
	_, err := c.mark(ctx, k, func(live *unstructured.Unstructured) (map[string]any, error) {
		labels, annotations := map[string]any{}, map[string]any{}
		if fence(live, stamp) == nil {
			gone(labels, live.GetLabels())
			gone(annotations, live.GetAnnotations())
		}
		return map[string]any{"labels": labels, "annotations": annotations}, nil
	})
	if IsGone(err) {
		return nil
	}
	return err
}

func gone(patch map[string]any, live map[string]string) {
	for key := range live {
		if _, left := without(map[string]string{key: ""})[key]; !left {
			patch[key] = nil
		}
	}
}

func (c *Cluster) mark(
	ctx context.Context, k Key, of func(live *unstructured.Unstructured) (map[string]any, error),
) (*unstructured.Unstructured, error) {
	kind, resource, err := c.resource(ctx, k)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		live, err := c.Get(ctx, k)
		if err != nil {
			return nil, err
		}
		metadata, err := of(live)
		if err != nil {
			return nil, err
		}
		metadata["resourceVersion"], metadata["uid"] = live.GetResourceVersion(), live.GetUID()
		text, err := json.Marshal(map[string]any{"metadata": metadata})
		if err != nil {
			return nil, fmt.Errorf("write stamp: %w", err)
		}
		after, err := resource.Patch(ctx, k.Name, types.MergePatchType, text, metav1.PatchOptions{FieldManager: Manager})
		if err = Answer(CallOf("patch", kind.Resource, k.Namespace, k.Name), err); !moved(err) || attempt == attempts {
			return after, err
		}
	}
}
