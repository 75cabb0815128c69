package cluster

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/apm-deploy/apm/sdk"
)

// Expect is what an object must still be when it is changed. What is empty is not looked
// at.
type Expect struct {
	UID             types.UID
	ResourceVersion string
}

// ExpectOf expects an object as it is.
func ExpectOf(o *unstructured.Unstructured) Expect {
	return Expect{UID: o.GetUID(), ResourceVersion: o.GetResourceVersion()}
}

// Get returns an object, or NOT_FOUND ([IsGone]).
func (c *Cluster) Get(ctx context.Context, k Key) (*unstructured.Unstructured, error) {
	kind, resource, err := c.resource(ctx, k)
	if err != nil {
		return nil, err
	}
	o, err := resource.Get(ctx, k.Name, metav1.GetOptions{})
	if err != nil {
		return nil, Answer(CallOf("get", kind.Resource, k.Namespace, k.Name), err)
	}
	return o, nil
}

// Find is Get, with nil for an object that is not there.
func (c *Cluster) Find(ctx context.Context, k Key) (*unstructured.Unstructured, error) {
	o, err := c.Get(ctx, k)
	if IsGone(err) {
		return nil, nil //nolint:nilnil // nothing is there, and that is no mistake
	}
	return o, err
}

// DeleteOptions say how to delete.
type DeleteOptions struct {
	Expect Expect
	DryRun bool
	// Orphan leaves what the object owns; else that goes in the background.
	Orphan bool
}

// Delete deletes an object. One that is gone already is no error; one that is no longer
// as expected is ABORTED ([IsConflict]).
func (c *Cluster) Delete(ctx context.Context, k Key, options DeleteOptions) error {
	kind, resource, err := c.resource(ctx, k)
	if err != nil {
		return err
	}
	policy := metav1.DeletePropagationBackground
	if options.Orphan {
		policy = metav1.DeletePropagationOrphan
	}
	request := metav1.DeleteOptions{PropagationPolicy: &policy, Preconditions: &metav1.Preconditions{}}
	if options.Expect.UID != "" {
		request.Preconditions.UID = &options.Expect.UID
	}
	if options.Expect.ResourceVersion != "" {
		request.Preconditions.ResourceVersion = &options.Expect.ResourceVersion
	}
	if options.DryRun {
		request.DryRun = []string{metav1.DryRunAll}
	}
	err = Answer(CallOf("delete", kind.Resource, k.Namespace, k.Name), resource.Delete(ctx, k.Name, request))
	if IsGone(err) {
		return nil
	}
	return err
}

// fence refuses to touch an object that a later owner of the component has stamped.
func fence(o *unstructured.Unstructured, s Stamp) error {
	live, ok := StampOf(o)
	if ok && live.Identity == s.Identity && live.Epoch > s.Epoch {
		return sdk.StaleEpoch(sdk.Operation{ID: s.Operation, Epoch: s.Epoch}, live.Epoch)
	}
	return nil
}
