package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	authorization "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
)

const atOnce = 8

// Missing returns those of the rights that the account does not have in a namespace,
// or in the cluster where they are of it. One request is made for all that are there,
// and one for each that seems to be missing: the rules that a cluster lists need not be
// all.
func Missing(ctx context.Context, client kubernetes.Interface, namespace string, rights []Right) ([]Right, error) {
	granted, err := rulesOf(ctx, client, namespace)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var missing []Right
	var failed error
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, right := range rights {
		if !right.Cluster && covered(granted, right) {
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			allowed, err := review(ctx, client, namespace, right)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				failed = err
			case !allowed:
				missing = append(missing, right)
			}
		})
	}
	wg.Wait()
	slices.SortFunc(missing, compare)
	return missing, failed
}

func rulesOf(ctx context.Context, client kubernetes.Interface, namespace string) ([]authorization.ResourceRule, error) {
	review, err := client.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx, &authorization.SelfSubjectRulesReview{
		Spec: authorization.SelfSubjectRulesReviewSpec{Namespace: namespace},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, cluster.Answer(cluster.Call{Verb: "create", Resource: "selfsubjectrulesreviews.authorization.k8s.io"}, err)
	}
	return review.Status.ResourceRules, nil
}

func review(ctx context.Context, client kubernetes.Interface, namespace string, right Right) (allowed bool, err error) {
	resource, part, _ := strings.Cut(right.Resource, "/")
	attributes := authorization.ResourceAttributes{
		Namespace: namespace, Verb: right.Verb, Group: right.Group, Resource: resource, Subresource: part,
	}
	switch {
	case right.Cluster:
		attributes.Namespace = ""
	case right.Group == "" && resource == "namespaces":
		attributes.Name = namespace
	}
	answer, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorization.SelfSubjectAccessReview{
		Spec: authorization.SelfSubjectAccessReviewSpec{ResourceAttributes: &attributes},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, cluster.Answer(cluster.Call{Verb: "create", Resource: "selfsubjectaccessreviews.authorization.k8s.io"}, err)
	}
	return answer.Status.Allowed, nil
}

// covered says whether a rule without names of objects grants a right.
func covered(rules []authorization.ResourceRule, right Right) bool {
	has := func(list []string, want string) bool {
		return slices.Contains(list, want) || slices.Contains(list, "*")
	}
	_, part, _ := strings.Cut(right.Resource, "/")
	for _, rule := range rules {
		if len(rule.ResourceNames) == 0 && has(rule.Verbs, right.Verb) && has(rule.APIGroups, right.Group) &&
			(has(rule.Resources, right.Resource) || part != "" && slices.Contains(rule.Resources, "*/"+part)) {
			return true
		}
	}
	return false
}

// Sentence says which rights are missing, and where, for people: the verbs of a
// resource together.
func Sentence(missing []Right, namespace string) string {
	type place struct {
		what    string
		cluster bool
	}
	var order []place
	verbs := map[place][]string{}
	for _, right := range missing {
		_, what, _ := strings.Cut(right.String(), " ")
		at := place{what, right.Cluster}
		if len(verbs[at]) == 0 {
			order = append(order, at)
		}
		verbs[at] = append(verbs[at], right.Verb)
	}
	var here, everywhere []string
	for _, at := range order {
		text := strings.Join(verbs[at], ", ") + " " + at.what
		if at.cluster {
			everywhere = append(everywhere, text)
		} else {
			here = append(here, text)
		}
	}
	var parts []string
	if len(here) > 0 {
		parts = append(parts, fmt.Sprintf("in namespace %q: %s", namespace, strings.Join(here, "; ")))
	}
	if len(everywhere) > 0 {
		parts = append(parts, "in the whole cluster: "+strings.Join(everywhere, "; "))
	}
	return strings.Join(parts, "; ")
}
