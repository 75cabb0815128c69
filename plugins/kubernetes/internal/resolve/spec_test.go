package resolve_test

import (
	"strings"
	"testing"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/resolve"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

func render(diags diag.Diagnostics) string {
	var lines []string
	for _, d := range diags {
		lines = append(lines, d.Severity.String()+" "+strings.Join(d.Path, ".")+": "+d.Summary+" → "+d.Detail)
	}
	return strings.Join(lines, "\n")
}

// The request of the product's description is a spec.
func TestProductRequest(t *testing.T) {
	t.Parallel()
	spec, diags := schema.Read[resolve.Spec]([]byte(`{
		"deployment_name": "my-app-deployment", "service_name": "my-app-service",
		"labels": {"app": "my-app", "version": "v2.0.0"}}`))
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if spec.Deployment != "my-app-deployment" || spec.Service != "my-app-service" || spec.Labels["version"] != "v2.0.0" {
		t.Errorf("%+v", spec)
	}
}

// TestBadSpecs has a line for each mistake that can be told without a file or a cluster.
func TestBadSpecs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ spec, want string }{
		"nothing":         {`{}`, ""},
		"unknown":         {`{"helm": {}}`, `error helm: unknown name "helm": known are manifests, manifest, image, deployment_name, statefulset_name, daemonset_name, job_name, cronjob_name, rollout_name, service_name, labels → `},
		"two workloads":   {`{"deployment_name": "a", "job_name": "b"}`, "error job_name: deployment_name and job_name are both given, and a component is one workload → leave one of them out"},
		"name":            {`{"deployment_name": "My_App"}`, `error deployment_name: "My_App" is no name of an object: lower case letters, digits, '-' and '.' are allowed → write the name as the cluster has it`},
		"service":         {`{"service_name": "a/b"}`, `error service_name: "a/b" is no name of an object: lower case letters, digits, '-' and '.' are allowed → write the name as the cluster has it`},
		"relative":        {`{"manifests": ["/a", "k8s/db.yaml"]}`, `error manifests.1: the path "k8s/db.yaml" is not absolute → give the whole path`},
		"version label":   {`{"labels": {"version": "v2.0.0+build 7"}}`, `error labels.version: "v2.0.0+build 7" is no value of a label: letters, digits, '-', '_' and '.' are allowed, with a letter or digit first and last → correct it, or leave the label out`},
		"name of a label": {`{"labels": {"a b": "c"}}`, `error labels.a b: "a b" is no name of a label: name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') → rename it`},
		"image":           {`{"image": {"app": "Not An Image"}}`, `error image.app: "Not An Image" is no name of an image → write REGISTRY/NAME:TAG`},
		"container":       {`{"image": {"My_App": "app:v1"}}`, `error image.My_App: "My_App" is no name of a container: a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?') → name a container of the workload`},
		"image of a Job":  {`{"job_name": "a", "image": {"app": "app:v1"}}`, "error image: the pods of a Job cannot be changed, so that it cannot get another image → give the manifest of the Job instead"},
		"inline":          {`{"manifest": "kind: A\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: 1}\n"}`, "error manifest: manifest:1: document 1: apiVersion is missing → begin with apiVersion, kind and metadata\nerror manifest: manifest:5: document 2, metadata.name: expected a string, got the number 1 → put it in quotes"},
		"inline twice":    {`{"manifest": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"}`, `error manifest: manifest:5: document 2: Pod "a" stands in document 1 (line 1) already → leave one of them out`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, diags := schema.Read[resolve.Spec]([]byte(tc.spec))
			if got := render(diags); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}
