package platform

import (
	"context"
	"path/filepath"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/resolve"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Config is a platform block of the plugin "kubernetes".
type Config struct {
	_          struct{} `doc:"One namespace of a Kubernetes cluster."`
	Kubeconfig string   `apm:"kubeconfig,path" doc:"File that says where the cluster is and who we are. If not given, what $KUBECONFIG names where the plugin gets that variable, else the service account of the pod that the host runs in."`
	Context    string   `apm:"context" doc:"Context of the kubeconfig; its current context if not given."`
	Namespace  string   `apm:"namespace" doc:"Namespace of all components. That of the context, or within a cluster that of the pod, if not given; default if there is none."`
}

// Check says what is wrong with a platform block that fits the schema, without a look
// at the disk.
func (c Config) Check() (diags diag.Diagnostics) {
	if c.Kubeconfig != "" && !filepath.IsAbs(c.Kubeconfig) {
		diags.Errorf([]string{"kubeconfig"}, "kubeconfig %q is not absolute; give the whole path", c.Kubeconfig)
	}
	if c.Namespace != "" {
		if wrong := validation.IsDNS1123Label(c.Namespace); len(wrong) > 0 {
			diags.Errorf([]string{"namespace"}, "namespace %q is no name of a namespace: lower case letters, digits and '-' are allowed; correct it", c.Namespace)
		}
	}
	return diags
}

// Configure finds the way to the cluster. Whether it can be gone is for Health to say:
// a cluster that is down comes back.
func (p *Platform) Configure(_ context.Context, request sdk.ConfigureRequest) (diag.Diagnostics, error) {
	config, diags := schema.Read[Config](request.Config)
	if diags.HasErrors() {
		return diags, nil
	}
	w, found := config.way()
	if diags = append(diags, found...); diags.HasErrors() {
		return diags, nil
	}
	c, err := clusterOf(w)
	if err != nil { // files with certificates are read here
		diags.Errorf([]string{"kubeconfig"}, "%s cannot be used: %v; correct it", w.source, err)
		return diags, nil
	}
	var driver Driver = undriven{}
	if p.open != nil {
		driver, err = p.open(Options{Config: w.config, Namespace: w.namespace, InstallationID: request.InstallationID, Log: p.log})
		if err != nil {
			return diags, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.driver, p.way = driver, w
	p.resolver = &resolve.Resolver{Cluster: c, Namespace: w.namespace}
	p.log.Info("configured", "server", w.config.Host, "namespace", w.namespace, "source", w.source)
	return diags, nil
}

// Validate checks a configuration and a spec beyond their schemas.
func (p *Platform) Validate(_ context.Context, config, spec []byte) (diag.Diagnostics, error) {
	return schema.Check[Config, resolve.Spec](config, spec), nil
}
