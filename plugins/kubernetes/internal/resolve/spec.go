package resolve

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/image"
	"github.com/apm-deploy/apm/plugins/kubernetes/internal/manifest"
	"github.com/apm-deploy/apm/sdk/diag"
)

// Spec is the spec block of a component.
type Spec struct {
	_           struct{}          `doc:"A component that runs on Kubernetes: manifests to apply, images for a workload that is there, or only its name, and then the rollout that somebody else makes of it is followed, judged and rolled back."`
	Manifests   []string          `apm:"manifests,path" doc:"Files with manifests in YAML or JSON, and directories, of which all files that end in .yaml, .yml or .json are read, but not those of directories below. They are read when the deployment is accepted."`
	Manifest    string            `apm:"manifest,sensitive" doc:"Manifests as text, beside those of the files."`
	Image       map[string]string `apm:"image" doc:"Images by container, of the workload that is named. A tag is looked up in its registry when the deployment is accepted, if that can be asked, and stays what it was then."`
	Deployment  string            `apm:"deployment_name" doc:"Name of the Deployment that the component is. That of the component, if no workload is named and there are no manifests."`
	StatefulSet string            `apm:"statefulset_name" doc:"Name of the StatefulSet that it is instead."`
	DaemonSet   string            `apm:"daemonset_name" doc:"Name of the DaemonSet that it is instead."`
	Job         string            `apm:"job_name" doc:"Name of the Job that it is instead."`
	CronJob     string            `apm:"cronjob_name" doc:"Name of the CronJob that it is instead."`
	Rollout     string            `apm:"rollout_name" doc:"Name of the Argo Rollout that it is instead."`
	Service     string            `apm:"service_name" doc:"Name of the Service in front of it: it is healthy when the Service has ready endpoints of the new revision."`
	Labels      map[string]string `apm:"labels" doc:"Labels that the workload or its pods must have to be the one that is meant. A version that stands here may still be to come, where somebody else rolls it out."`
}

// workloadKind is a kind that a key of the spec names.
type workloadKind struct {
	key, apiVersion, kind string
	name                  func(*Spec) string
}

var workloadKinds = []workloadKind{
	{"deployment_name", "apps/v1", "Deployment", func(s *Spec) string { return s.Deployment }},
	{"statefulset_name", "apps/v1", "StatefulSet", func(s *Spec) string { return s.StatefulSet }},
	{"daemonset_name", "apps/v1", "DaemonSet", func(s *Spec) string { return s.DaemonSet }},
	{"job_name", "batch/v1", "Job", func(s *Spec) string { return s.Job }},
	{"cronjob_name", "batch/v1", "CronJob", func(s *Spec) string { return s.CronJob }},
	{"rollout_name", "argoproj.io/v1alpha1", "Rollout", func(s *Spec) string { return s.Rollout }},
}

// inline names the text of the spec in messages.
const inline = "manifest"

// versionLabels are those that say which version runs.
var versionLabels = []string{"version", "app.kubernetes.io/version"}

// Check says what is wrong with a spec that fits the schema, without a look at a file
// or a cluster.
func (s *Spec) Check() (diags diag.Diagnostics) {
	named := ""
	for _, k := range workloadKinds {
		name := k.name(s)
		if name == "" {
			continue
		}
		if named != "" {
			diags = append(diags, wrong([]string{k.key}, "leave one of them out", "%s and %s are both given, and a component is one workload", named, k.key))
		}
		named = k.key
		diags = append(diags, checkName(k.key, name)...)
	}
	if s.Service != "" {
		diags = append(diags, checkName("service_name", s.Service)...)
	}
	for i, file := range s.Manifests {
		if !filepath.IsAbs(file) {
			diags = append(diags, wrong([]string{"manifests", strconv.Itoa(i)}, "give the whole path", "the path %q is not absolute", file))
		}
	}
	if s.Manifest != "" {
		documents, problems := manifest.Parse(inline, []byte(s.Manifest))
		diags = append(diags, told([]string{"manifest"}, append(problems, manifest.Twice(documents, "")...))...)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		path := []string{"labels", name}
		if problems := validation.IsQualifiedName(name); len(problems) > 0 {
			diags = append(diags, wrong(path, "rename it", "%q is no name of a label: %s", name, problems[0]))
		}
		if problem := manifest.Label(s.Labels[name]); problem != "" {
			diags = append(diags, wrong(path, "correct it, or leave the label out", "%s", problem))
		}
	}
	return append(diags, s.checkImages()...)
}

func (s *Spec) checkImages() (diags diag.Diagnostics) {
	for _, container := range slices.Sorted(maps.Keys(s.Image)) {
		path := []string{"image", container}
		if problems := validation.IsDNS1123Label(container); len(problems) > 0 {
			diags = append(diags, wrong(path, "name a container of the workload", "%q is no name of a container: %s", container, problems[0]))
		}
		if err := image.Check(s.Image[container]); err != nil {
			diags = append(diags, wrong(path, "write REGISTRY/NAME:TAG", "%v", err))
		}
	}
	if len(s.Image) > 0 && s.Job != "" && len(s.Manifests) == 0 && s.Manifest == "" {
		diags = append(diags, wrong([]string{"image"}, "give the manifest of the Job instead", "the pods of a Job cannot be changed, so that it cannot get another image"))
	}
	return diags
}

// checkName checks the name of an object.
func checkName(key, name string) diag.Diagnostics {
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return diag.Diagnostics{wrong([]string{key}, "write the name as the cluster has it", "%q is no name of an object: lower case letters, digits, '-' and '.' are allowed", name)}
	}
	return nil
}

// wrong is an error about a value of the spec, with what to do.
func wrong(path []string, remedy, format string, args ...any) diag.Diagnostic {
	return diag.Diagnostic{Severity: diag.Error, Summary: fmt.Sprintf(format, args...), Detail: remedy, Path: path}
}

func doubtful(path []string, remedy, format string, args ...any) diag.Diagnostic {
	d := wrong(path, remedy, format, args...)
	d.Severity = diag.Warning
	return d
}

// told makes diagnostics of what is wrong with manifests.
func told(path []string, problems []manifest.Problem) (diags diag.Diagnostics) {
	for _, p := range problems {
		d := wrong(path, p.Remedy, "%s", p.String())
		if p.Warning {
			d.Severity = diag.Warning
		}
		diags = append(diags, d)
	}
	return diags
}
