package platform

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/near"
	"github.com/apm-deploy/apm/sdk/diag"
)

// way is the way to a cluster.
type way struct {
	config    *rest.Config
	namespace string
	source    string // where it comes from: `user "admin" of context "prod" in /etc/…`
}

// accountNamespace is where a pod finds the name of its namespace.
const accountNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// way finds the way to the cluster without going it.
func (c Config) way() (way, diag.Diagnostics) {
	var diags diag.Diagnostics
	path := []string{"kubeconfig"}
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: c.Kubeconfig}
	name := c.Kubeconfig
	if c.Kubeconfig == "" {
		if rules.Precedence = filepath.SplitList(os.Getenv(clientcmd.RecommendedConfigPathEnvVar)); len(rules.Precedence) == 0 {
			return c.within()
		}
		name = "$" + clientcmd.RecommendedConfigPathEnvVar + " (" + strings.Join(rules.Precedence, ", ") + ")"
	}
	loaded, err := rules.Load()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		diags.Errorf(path, "there is no file %s; correct kubeconfig, or leave it out within a cluster", name)
	case errors.Is(err, fs.ErrPermission):
		diags.Errorf(path, "%s cannot be read: %v; let the host's user read it", name, err)
	case err != nil:
		diags.Errorf(path, "%s is no kubeconfig: %v; correct it", name, err)
	case len(loaded.Contexts) == 0 && len(loaded.Clusters) == 0:
		diags.Errorf(path, "%s has no context; name the file that kubectl uses", name)
	}
	if diags.HasErrors() {
		return way{}, diags
	}
	current, problem := c.context(loaded, name)
	if problem != nil {
		return way{}, diag.Diagnostics{*problem}
	}
	of := loaded.Contexts[current]
	w := way{
		namespace: cmp.Or(c.Namespace, of.Namespace, "default"),
		source:    fmt.Sprintf("user %q of context %q in %s", of.AuthInfo, current, name),
	}
	config := clientcmd.NewNonInteractiveClientConfig(*loaded, current, &clientcmd.ConfigOverrides{}, rules)
	if w.config, err = config.ClientConfig(); err != nil {
		diags.Errorf(path, "context %q of %s cannot be used: %v; correct it", current, name, err)
		return way{}, diags
	}
	return w, runnable(w, of.AuthInfo, name)
}

// context finds the context that is meant, and whether what it refers to is there.
func (c Config) context(loaded *api.Config, name string) (string, *diag.Diagnostic) {
	path := []string{"context"}
	wrong := func(format string, args ...any) (string, *diag.Diagnostic) {
		return "", &diag.Diagnostic{Severity: diag.Error, Summary: fmt.Sprintf(format, args...), Path: path}
	}
	names := slices.Sorted(maps.Keys(loaded.Contexts))
	current := c.Context
	if current == "" {
		path = []string{"kubeconfig"}
		if current = loaded.CurrentContext; current == "" {
			return wrong("%s has no current context; set context: %s", name, near.Hint("", names))
		}
	}
	of := loaded.Contexts[current]
	if of == nil {
		return wrong("%s has no context %q; %s", name, current, near.Remedy(current, names, "correct it"))
	}
	if loaded.Clusters[of.Cluster] == nil {
		return wrong("context %q of %s refers to cluster %q, which is not in it; %s",
			current, name, of.Cluster, near.Remedy(of.Cluster, slices.Sorted(maps.Keys(loaded.Clusters)), "add it"))
	}
	if of.AuthInfo != "" && loaded.AuthInfos[of.AuthInfo] == nil {
		return wrong("context %q of %s refers to user %q, who is not in it; %s",
			current, name, of.AuthInfo, near.Remedy(of.AuthInfo, slices.Sorted(maps.Keys(loaded.AuthInfos)), "add it"))
	}
	return current, nil
}

// within is the way of a pod to its own cluster.
func (c Config) within() (way, diag.Diagnostics) {
	config, err := rest.InClusterConfig()
	if err != nil {
		var diags diag.Diagnostics
		what := "this is not a pod of a cluster"
		if !errors.Is(err, rest.ErrNotInCluster) {
			what = "the service account of this pod cannot be used: " + err.Error()
		}
		diags.Errorf([]string{"kubeconfig"},
			"no kubeconfig is given, and %s; set kubeconfig, such as \"~/.kube/config\", or let the plugin have the variable KUBECONFIG", what)
		return way{}, diags
	}
	namespace := c.Namespace
	if namespace == "" {
		data, _ := os.ReadFile(accountNamespace)
		namespace = cmp.Or(strings.TrimSpace(string(data)), "default")
	}
	return way{config: config, namespace: namespace, source: "the service account of this pod"}, nil
}

// runnable says whether a program that hands out credentials is there: the plugin has
// no more than PATH of the host's environment.
func runnable(w way, user, name string) (diags diag.Diagnostics) {
	if w.config.ExecProvider == nil {
		return nil
	}
	program := w.config.ExecProvider.Command
	if _, err := exec.LookPath(program); err != nil {
		diags.Errorf([]string{"kubeconfig"},
			"user %q of %s gets credentials from the program %q, which cannot be run: %v; install it, or add its directory to the PATH of the host",
			user, name, program, err)
	}
	return diags
}
