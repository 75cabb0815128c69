// Package release is the frozen content of a component: what Resolve made of a spec, and
// all that Deploy needs. It is written as JSON into [sdk.Release], versioned, and the
// version before it stays readable.
//
// It must never read a file, a tag or a cluster: whoever freezes does that.
package release

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Version of the encoding.
const Version = 1

// Release is what is to run. What is applied is Objects, or Images, or Chart; with none
// of them the rollout that somebody else makes of Workload is tracked.
type Release struct {
	Objects []*unstructured.Unstructured `json:"objects,omitempty"` // in the order to be applied
	// Images by container of Workload: name@sha256:….
	Images map[string]string `json:"images,omitempty"`
	Chart  *Chart            `json:"chart,omitempty"`

	Workload *Workload         `json:"workload,omitempty"` // named by deployment_name and its like
	Service  string            `json:"service,omitempty"`  // service_name
	Labels   map[string]string `json:"labels,omitempty"`   // that the workload must have to be the one that is meant
	Version  string            `json:"version"`            // of the application
	// Written is how each image was written before its tag was looked up, for people.
	Written map[string]string `json:"written,omitempty"`
}

// Workload names one in the platform's namespace.
type Workload struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
}

// Chart is a Helm chart, packed, with its values.
type Chart struct {
	Release string          `json:"release"`
	Archive []byte          `json:"archive"` // .tgz
	Values  json.RawMessage `json:"values"`
}
