package cluster

import (
	"context"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Right is one that an account may have.
type Right struct {
	Verb        string
	Resource    schema.GroupResource
	Subresource string
	Namespace   string // "": in the whole cluster
}

// String is for sentences: `patch deployments.apps in namespace "shop"`.
func (r Right) String() string {
	resource := r.Resource.String()
	if r.Subresource != "" {
		resource += "/" + r.Subresource
	}
	return Call{Verb: r.Verb, Resource: resource, Namespace: r.Namespace}.String()
}

// Missing asks the cluster which of these rights our account lacks. It needs no right
// itself.
func (c *Cluster) Missing(ctx context.Context, rights ...Right) ([]Right, error) {
	var missing []Right
	for _, r := range rights {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: r.Namespace, Verb: r.Verb, Group: r.Resource.Group, Resource: r.Resource.Resource, Subresource: r.Subresource,
			},
		}}
		answer, err := c.typed.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return nil, Answer(Call{Verb: "create", Resource: "selfsubjectaccessreviews.authorization.k8s.io"}, err)
		}
		if !answer.Status.Allowed {
			missing = append(missing, r)
		}
	}
	return missing, nil
}
