package access

import (
	"cmp"
	"slices"
)

// Right is to do something with a resource.
type Right struct {
	Verb     string
	Group    string // "" for the core of Kubernetes
	Resource string // pods, pods/log
	Cluster  bool   // of the whole cluster, not of one namespace
	// Needed: without it nothing works. Without another something does not, which a
	// call says that meets it.
	Needed bool
}

// String is the right as people grant it: "patch deployments.apps".
func (r Right) String() string {
	if r.Group == "" {
		return r.Verb + " " + r.Resource
	}
	return r.Verb + " " + r.Resource + "." + r.Group
}

func compare(a, b Right) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Verb, b.Verb))
}

// What is done with resources.
var (
	look   = []string{"get", "list", "watch"}
	manage = []string{"get", "list", "watch", "create", "patch", "update", "delete"}
)

// rules are the rights by resource. deploy/kubernetes/rbac.yaml grants them.
var rules = []struct {
	group     string
	resources []string
	verbs     []string
	needed    []string // of the verbs
	cluster   bool
}{
	{"", []string{"namespaces"}, []string{"get"}, nil, false},
	// A pod of a StatefulSet that is stuck on a bad image stands in the way of a good one.
	{"", []string{"pods"}, append([]string{"delete"}, look...), look, false},
	{"", []string{"pods/log"}, []string{"get"}, nil, false},
	{"", []string{"events"}, look, nil, false},
	// What is under way is written into Secrets, and a way back needs those that are
	// referred to.
	{"", []string{"secrets"}, manage, []string{"get", "list", "create", "update", "delete"}, false},
	{"", []string{"configmaps", "services", "serviceaccounts", "persistentvolumeclaims"}, manage, nil, false},
	{"apps", []string{"deployments"}, manage, look, false},
	{"apps", []string{"statefulsets", "daemonsets"}, manage, nil, false},
	{"apps", []string{"replicasets"}, look, look, false},
	{"apps", []string{"controllerrevisions"}, look, nil, false},
	{"batch", []string{"jobs", "cronjobs"}, manage, nil, false},
	{"autoscaling", []string{"horizontalpodautoscalers"}, manage, nil, false},
	{"policy", []string{"poddisruptionbudgets"}, manage, nil, false},
	{"networking.k8s.io", []string{"ingresses", "networkpolicies"}, manage, nil, false},
	{"discovery.k8s.io", []string{"endpointslices"}, look, nil, false},
	{"", []string{"nodes"}, look, nil, true},
}

// Rights are all that the plugin uses for kinds of Kubernetes itself.
func Rights() []Right {
	var all []Right
	for _, rule := range rules {
		for _, resource := range rule.resources {
			for _, verb := range rule.verbs {
				all = append(all, Right{
					Verb: verb, Group: rule.group, Resource: resource, Cluster: rule.cluster, Needed: slices.Contains(rule.needed, verb),
				})
			}
		}
	}
	return all
}
