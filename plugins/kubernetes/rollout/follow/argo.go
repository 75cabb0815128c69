package follow

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// argo is a Rollout of Argo Rollouts. Its own word, status.phase, is translated to those
// of kstatus: kstatus itself fails on it, or calls a degraded one current.
func (r *reader) argo(u *unstructured.Unstructured) *workloadRecord {
	record := r.dynamic(u)
	w := &record.workload
	if _, ok, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "replicas"); !ok {
		w.Desired = 1
	}
	if _, ok, _ := unstructured.NestedFieldNoCopy(u.Object, "status", "observedGeneration"); !ok {
		w.ObservedGeneration = 0
	}
	w.Revision = r.one(u.GetAnnotations()["rollout.argoproj.io/revision"])
	w.ProgressDeadline = 10 * time.Minute
	if seconds := integer(u, "spec", "progressDeadlineSeconds"); seconds > 0 {
		w.ProgressDeadline = time.Duration(seconds) * time.Second
	}
	hash, _, _ := unstructured.NestedString(u.Object, "status", "currentPodHash")
	record.newest = r.one(hash)

	asked, _, _ := unstructured.NestedBool(u.Object, "spec", "paused")
	pauses, _, _ := unstructured.NestedSlice(u.Object, "status", "pauseConditions")
	phase, _, _ := unstructured.NestedString(u.Object, "status", "phase")
	w.Paused = asked || len(pauses) > 0 || phase == "Paused"
	aborted, _, _ := unstructured.NestedBool(u.Object, "status", "abort")
	message, _, _ := unstructured.NestedString(u.Object, "status", "message")

	w.Generic = &picture.Generic{Status: status.InProgressStatus.String(), Message: r.one(message)}
	switch {
	case w.ObservedGeneration < w.Generation:
	case phase == "Healthy":
		w.Generic.Status = status.CurrentStatus.String()
	case phase == "Degraded" || aborted:
		w.Generic.Status = status.FailedStatus.String()
	case phase == "":
		w.Generic.Status = status.UnknownStatus.String()
	}
	if message == "" {
		w.Generic.Message = r.one(strings.TrimSpace("the rollout is " + phase))
	}
	// A Rollout may leave its template to a Deployment, by spec.workloadRef.
	if raw, ok, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "template", "spec"); ok {
		var spec corev1.PodSpec
		if encoded, err := json.Marshal(raw); err == nil && json.Unmarshal(encoded, &spec) == nil {
			record.refers = r.references("spec.template.spec", &spec)
		}
	}
	return record
}
