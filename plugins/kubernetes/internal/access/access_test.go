package access_test

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorization "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttest "k8s.io/client-go/testing"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/access"
	"github.com/apm-deploy/apm/sdk"
)

// TestRightsAreGranted compares what the plugin needs with what the manifest grants:
// neither has more than the other.
func TestRightsAreGranted(t *testing.T) {
	t.Parallel()
	file, err := os.Open("../../../../deploy/kubernetes/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var granted []string
	decoder := yaml.NewYAMLOrJSONDecoder(file, 4096)
	for {
		var role rbac.ClusterRole
		if err := decoder.Decode(&role); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					granted = append(granted, role.Kind+" "+access.Right{Verb: verb, Group: rule.APIGroups[0], Resource: resource}.String())
				}
			}
		}
	}
	var needed []string
	for _, right := range access.Rights() {
		kind := "Role"
		if right.Cluster {
			kind = "ClusterRole"
		}
		needed = append(needed, kind+" "+right.String())
	}
	slices.Sort(granted)
	slices.Sort(needed)
	if diff := cmp.Diff(needed, granted); diff != "" {
		t.Errorf("needed - granted +:\n%s", diff)
	}
}

// account is a cluster that grants some rights by rules that it lists, and others
// that it does not.
func account(listed []authorization.ResourceRule, silent ...string) (*fake.Clientset, *[]string) {
	client := fake.NewClientset()
	var asked []string
	client.PrependReactor("create", "selfsubjectrulesreviews", func(clienttest.Action) (bool, runtime.Object, error) {
		return true, &authorization.SelfSubjectRulesReview{Status: authorization.SubjectRulesReviewStatus{ResourceRules: listed}}, nil
	})
	client.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttest.Action) (bool, runtime.Object, error) {
		review := action.(clienttest.CreateAction).GetObject().(*authorization.SelfSubjectAccessReview)
		a := review.Spec.ResourceAttributes
		text := strings.TrimSuffix(strings.Join([]string{a.Namespace, a.Verb, a.Group, a.Resource, a.Subresource}, "/"), "/")
		asked = append(asked, text)
		return true, &authorization.SelfSubjectAccessReview{Status: authorization.SubjectAccessReviewStatus{Allowed: slices.Contains(silent, text)}}, nil
	})
	return client, &asked
}

func TestMissing(t *testing.T) {
	t.Parallel()
	rights := []access.Right{
		{Verb: "get", Resource: "pods"},
		{Verb: "get", Resource: "pods/log"},
		{Verb: "watch", Resource: "pods"},
		{Verb: "patch", Group: "apps", Resource: "deployments"},
		{Verb: "update", Group: "apps", Resource: "deployments"},
		{Verb: "list", Resource: "nodes", Cluster: true},
		{Verb: "watch", Resource: "nodes", Cluster: true},
	}
	client, asked := account([]authorization.ResourceRule{
		{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods", "*/log"}},
		{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"nodes"}}, // of a namespace, and nodes have none
		{Verbs: []string{"patch"}, APIGroups: []string{"apps"}, Resources: []string{"*"}, ResourceNames: []string{"one"}},
	}, "shop/watch//pods", "/list//nodes")
	missing, err := access.Missing(t.Context(), client, "shop", rights)
	if err != nil {
		t.Fatal(err)
	}
	want := `in namespace "shop": patch, update deployments.apps; in the whole cluster: watch nodes`
	if got := access.Sentence(missing, "shop"); got != want {
		t.Errorf("missing %s\nwant %s", got, want)
	}
	slices.Sort(*asked)
	if diff := cmp.Diff([]string{"/list//nodes", "/watch//nodes", "shop/patch/apps/deployments", "shop/update/apps/deployments", "shop/watch//pods"}, *asked); diff != "" {
		t.Error(diff)
	}
}

func TestNamespace(t *testing.T) {
	t.Parallel()
	namespace := func(name string, phase corev1.NamespacePhase) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NamespaceStatus{Phase: phase}}
	}
	client := fake.NewClientset(namespace("shop", corev1.NamespaceActive), namespace("old", corev1.NamespaceTerminating))
	for name, want := range map[string]struct {
		text string
		code sdk.Code
	}{
		"shop":   {"", ""},
		"shpo":   {`the cluster has no namespace "shpo": did you mean "shop"? Else create it, or correct namespace in the platform's block`, sdk.NotFound},
		"zebras": {`the cluster has no namespace "zebras": there are old, shop; create it, or correct namespace in the platform's block`, sdk.NotFound},
		"old":    {`the namespace "old" is being deleted: wait until it is gone and create it anew, or correct namespace in the platform's block`, sdk.FailedPrecondition},
	} {
		err := access.Namespace(t.Context(), client, name)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want.text || sdk.CodeOf(err) != want.code {
			t.Errorf("%s: %s %s\nwant %s", name, sdk.CodeOf(err), got, want.text)
		}
	}
}

func TestExpired(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	// {"exp":1700000000}
	const token = "e30.eyJleHAiOjE3MDAwMDAwMDB9.c2ln"
	for want, config := range map[string]*rest.Config{
		"the token expired at 2023-11-14T22:13:20Z": {BearerToken: token},
		"": {BearerToken: "opaque"},
	} {
		if got := access.Expired(config, now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := access.Expired(&rest.Config{BearerToken: token}, time.Unix(1_600_000_000, 0)); got != "" {
		t.Errorf("before its end: %q", got)
	}
}
