package cluster

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// kept is what the API server keeps for itself in every object.
var kept = []string{
	"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds",
}

// Anew is an object that was read, as it can be created again once it is gone.
func Anew(o *unstructured.Unstructured) *unstructured.Unstructured {
	o = applicable(o)
	o.SetOwnerReferences(nil)
	return o
}

// applicable turns an object, which may have been read from a cluster, into one that may
// be applied: without what the API server keeps for itself, and without what the cluster
// has chosen for it and would choose otherwise for another.
func applicable(o *unstructured.Unstructured) *unstructured.Unstructured {
	read := o
	o = o.DeepCopy()
	if spec := sub(o.Object, "spec"); spec != nil && read.GetUID() != "" {
		forgetChosen(read, spec)
	}
	if read.GroupVersionKind().GroupKind().String() == "Job.batch" {
		forgetLabels(sub(o.Object, "metadata"))
	}
	for _, field := range kept {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	delete(o.Object, "status")
	Strip(o)
	return o
}

// forgetChosen removes what the cluster chose, from a copy of the spec of an object that
// was read. What somebody has written himself is his.
func forgetChosen(read *unstructured.Unstructured, spec map[string]any) {
	switch gk := read.GroupVersionKind().GroupKind().String(); gk {
	case "Service":
		if spec["clusterIP"] == "None" || wrote(read, "f:spec", "f:clusterIP") {
			return
		}
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
	case "PersistentVolumeClaim":
		if !wrote(read, "f:spec", "f:volumeName") {
			delete(spec, "volumeName")
		}
	case "Job.batch":
		forgetSelector(spec)
	}
}

// jobLabels are those that the cluster makes for a Job: for its pods, and where the Job
// had none for itself too.
var jobLabels = []string{"controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"}

func forgetLabels(metadata map[string]any) {
	labels := sub(metadata, "labels")
	for _, key := range jobLabels {
		delete(labels, key)
	}
	if len(labels) == 0 {
		delete(metadata, "labels")
	}
}

// forgetSelector removes the selector that the cluster makes from a Job's uid.
func forgetSelector(spec map[string]any) {
	if spec["manualSelector"] == true {
		return
	}
	delete(spec, "selector")
	forgetLabels(sub(sub(spec, "template"), "metadata"))
}

// wrote says whether somebody has written a field of an object himself.
func wrote(o *unstructured.Unstructured, path ...string) bool { return wroteBy(o, "", path...) }

// wroteBy says whether a manager has, or with "" any.
func wroteBy(o *unstructured.Unstructured, manager string, path ...string) bool {
	for _, e := range entries(o) {
		var fields map[string]any
		if manager != "" && e.Manager != manager || json.Unmarshal(e.Fields, &fields) != nil {
			continue
		}
		if _, ok, _ := unstructured.NestedFieldNoCopy(fields, path...); ok {
			return true
		}
	}
	return false
}
