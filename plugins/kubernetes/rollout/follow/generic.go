package follow

import (
	"strconv"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// generic is an object of a kind that we know nothing of.
func (r *reader) generic(u *unstructured.Unstructured) *workloadRecord {
	if u.GroupVersionKind().Group == "argoproj.io" && u.GetKind() == "Rollout" {
		return r.argo(u)
	}
	record := r.dynamic(u)
	record.workload.Generic = r.kstatus(u)
	return record
}

// dynamic is what many kinds have in common.
func (r *reader) dynamic(u *unstructured.Unstructured) *workloadRecord {
	h := head{name: u.GetName(), uid: string(u.GetUID()), version: u.GetResourceVersion()}
	if owner := metav1.GetControllerOf(u); owner != nil {
		h.parent = parent{kind: r.one(owner.Kind), name: r.one(owner.Name), uid: r.one(string(owner.UID))}
	}
	w := picture.Workload{
		Ref: picture.Ref{
			APIVersion: r.one(u.GetAPIVersion()), Kind: r.one(u.GetKind()), Namespace: r.one(u.GetNamespace()),
			Name: u.GetName(), UID: string(u.GetUID()),
		},
		Generation: u.GetGeneration(), ObservedGeneration: u.GetGeneration(),
		Desired: integer(u, "spec", "replicas"), Updated: integer(u, "status", "updatedReplicas"),
		Ready: integer(u, "status", "readyReplicas"), Available: integer(u, "status", "availableReplicas"),
		Conditions: r.conditions(u),
	}
	// Some kinds write it as a string, some write no number, most write none at all.
	switch observed, _, _ := unstructured.NestedFieldNoCopy(u.Object, "status", "observedGeneration"); observed := observed.(type) {
	case int64:
		w.ObservedGeneration = observed
	case float64:
		w.ObservedGeneration = int64(observed)
	case string:
		if number, err := strconv.ParseInt(observed, 10, 64); err == nil {
			w.ObservedGeneration = number
		}
	}
	return &workloadRecord{head: h, workload: w, created: u.GetCreationTimestamp().Time}
}

// kstatus knows the conventions of status; where an object follows none it would say that
// all is well, so what says plainly that it is not comes first.
func (r *reader) kstatus(u *unstructured.Unstructured) *picture.Generic {
	phase, _, _ := unstructured.NestedString(u.Object, "status", "phase")
	switch phase {
	case "Failed", "Error", "Degraded":
		message, _, _ := unstructured.NestedString(u.Object, "status", "message")
		if message == "" {
			message = "status.phase is " + phase
		}
		return &picture.Generic{Status: status.FailedStatus.String(), Message: message}
	}
	bare := u
	if _, isText, _ := unstructured.NestedString(u.Object, "status", "observedGeneration"); isText {
		bare = u.DeepCopy()
		unstructured.RemoveNestedField(bare.Object, "status", "observedGeneration")
	}
	result, err := status.Compute(bare)
	if err != nil {
		return &picture.Generic{Status: status.UnknownStatus.String(), Message: err.Error()}
	}
	generic := &picture.Generic{Status: r.one(result.Status.String()), Message: r.one(result.Message)}
	if observed := r.dynamic(u).workload.ObservedGeneration; observed < u.GetGeneration() && generic.Status == status.CurrentStatus.String() {
		generic.Status, generic.Message = status.InProgressStatus.String(), "its controller has not seen the newest generation"
	}
	return generic
}

func (r *reader) conditions(u *unstructured.Unstructured) []picture.Condition {
	list, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	var conditions []picture.Condition
	for _, item := range list {
		c, ok := item.(map[string]any)
		if !ok {
			continue
		}
		text := func(key string) string { s, _ := c[key].(string); return s }
		since, err := time.Parse(time.RFC3339, text("lastTransitionTime"))
		if err != nil {
			since = time.Time{}
		}
		conditions = append(conditions, r.condition(text("type"), text("status"), text("reason"), text("message"), since))
	}
	return conditions
}

func integer(u *unstructured.Unstructured, path ...string) int32 {
	switch n, _, _ := unstructured.NestedFieldNoCopy(u.Object, path...); n := n.(type) {
	case int64:
		return int32(n)
	case float64:
		return int32(n)
	}
	return 0
}
