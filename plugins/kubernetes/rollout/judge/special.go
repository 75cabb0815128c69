package judge

import (
	"fmt"
	"strings"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

func reachJob(w *picture.Workload, g goal) goal {
	g.counted, g.desired = true, max(1, int(w.Desired))
	for i := range w.Pods {
		if w.Pods[i].Phase == "Succeeded" {
			g.ready++
		}
		if w.Pods[i].Phase != "Failed" {
			g.updated++
		}
	}
	g.ready = max(g.ready, int(w.Available)) // pods that have done their work may be gone
	g.updated, g.ready = min(g.updated, g.desired), min(g.ready, g.desired)
	g.free = g.ready
	switch {
	case isTrue(w.Conditions, "Complete"):
		g.complete, g.why = true, "the job is complete"
		g.updated, g.ready, g.free = g.desired, g.desired, g.desired
	case w.Paused:
		g.why = "the job is suspended: it starts no pod until somebody resumes it"
	default:
		g.why = fmt.Sprintf("%d of %d pods have done their work", g.ready, g.desired)
	}
	return g
}

// stateless are the groups whose objects have no status that says whether they work;
// kstatus calls them Current as soon as they are there.
var stateless = map[string]bool{"networking.istio.io": true, "security.istio.io": true}

func reachGeneric(w *picture.Workload, g goal) goal {
	if w.Generic == nil {
		g.why = "its kind has no status that is known here"
		return g
	}
	group, _, _ := strings.Cut(w.APIVersion, "/")
	switch w.Generic.Status {
	case "Current":
		g.complete, g.why = true, orElse(w.Generic.Message, "its status says that it is as it should be")
		if stateless[group] {
			g.why = "it is applied; its kind has no status that says whether it works"
		}
		for i := range w.Pods { // a Pod of its own, or a ReplicaSet
			if p := &w.Pods[i]; alive(p) && !p.Ready {
				g.complete, g.why = false, fmt.Sprintf("pod %s is not ready", p.Name)
			}
		}
	case "Terminating":
		g.why = "it is being deleted"
	default:
		g.why = orElse(w.Generic.Message, "its status does not say yet that it is as it should be")
	}
	return g
}

// healthyRollout is what Argo's controller says. A Rollout that is Degraded is Current to
// kstatus, so its own conditions count alone; older controllers have no Healthy.
func healthyRollout(w *picture.Workload) bool {
	if w.Generic != nil && w.Generic.Status == "Failed" {
		return false
	}
	if _, knows := condition(w.Conditions, "Healthy"); knows {
		return isTrue(w.Conditions, "Healthy")
	}
	return isTrue(w.Conditions, "Completed") || isTrue(w.Conditions, "Available") && !w.Paused && reasonOf(w, "Progressing") == "NewReplicaSetAvailable"
}

func waitingRollout(w *picture.Workload) string {
	if c, found := condition(w.Conditions, "Paused"); w.Paused || found && c.Status == "True" {
		return fmt.Sprintf("it is paused at a step (%s); `kubectl argo rollouts promote %s -n %s` goes on", orElse(c.Reason, "paused"), w.Name, w.Namespace)
	}
	return "Argo Rollouts does not call it healthy yet"
}

func reasonOf(w *picture.Workload, name string) string {
	c, _ := condition(w.Conditions, name)
	return c.Reason
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
