package judge

import (
	"fmt"
	"strings"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// A goal is what a workload is to reach, and how far it is.
type goal struct {
	observed bool // its controller has looked at the newest generation
	complete bool
	settling bool // all that is missing is time
	counted  bool // it is made of pods whose number is known
	desired  int  // pods that are to be of the newest revision
	updated  int
	ready    int // of the newest revision, as the pods themselves say
	free     int // available
	old      int // that are to go and are there
	why      string
}

// reach says how far a workload is, by the rules of its kind.
func (c *court) reach(l *lawsuit) goal {
	w := l.Workload
	g := goal{observed: observed(w)}
	if !g.observed {
		g.why = fmt.Sprintf("its controller has seen generation %d, not yet %d", w.ObservedGeneration, w.Generation)
		return g
	}
	switch kindOf(w.Ref) {
	case kindDeployment, kindRollout, kindDaemonSet, kindStatefulSet, kindReplicaSet:
		return c.reachPods(l, g)
	case kindJob:
		return reachJob(w, g)
	case kindCronJob:
		g.complete, g.why = true, "it runs its jobs by its schedule"
		if w.Paused {
			g.why = "it is suspended: it starts no job"
		}
		return g
	case kindPod:
		if len(w.Pods) == 1 && w.Pods[0].Phase == "Succeeded" {
			g.complete, g.why = true, "it has done its work"
			return g
		}
		return c.reachPods(l, g)
	default:
		return reachGeneric(w, g)
	}
}

// observed says whether the status is about the newest generation. Kinds that do not say
// which one they saw have 0 there; only where that is the rule it means nothing.
func observed(w *picture.Workload) bool {
	if w.ObservedGeneration == 0 {
		switch kindOf(w.Ref) {
		case kindJob, kindCronJob, kindPod, kindOther:
			return true
		}
	}
	return w.ObservedGeneration >= w.Generation
}

type kind int

const (
	kindOther kind = iota
	kindDeployment
	kindStatefulSet
	kindDaemonSet
	kindJob
	kindCronJob
	kindRollout    // of Argo
	kindReplicaSet // by itself
	kindPod        // by itself
)

func kindOf(r picture.Ref) kind {
	group, _, _ := strings.Cut(r.APIVersion, "/")
	switch group + "/" + r.Kind {
	case "apps/Deployment":
		return kindDeployment
	case "apps/StatefulSet":
		return kindStatefulSet
	case "apps/DaemonSet":
		return kindDaemonSet
	case "batch/Job":
		return kindJob
	case "batch/CronJob":
		return kindCronJob
	case "apps/ReplicaSet":
		return kindReplicaSet
	case "v1/Pod":
		return kindPod
	case "argoproj.io/Rollout":
		return kindRollout
	default:
		return kindOther
	}
}

// reachPods is for workloads that keep a number of pods.
func (c *court) reachPods(l *lawsuit, g goal) goal {
	w := l.Workload
	total := int(w.Desired)
	g.counted, g.desired, g.updated, g.free = true, total, int(w.Updated), int(w.Available)
	kept := 0 // old pods that are to stay
	var unready []string
	active, ready := 0, 0
	for i := range w.Pods {
		p := &w.Pods[i]
		if !alive(p) {
			continue
		}
		active++
		switch {
		case p.Ready:
			ready++
		case p.Newest || stays(w, p):
			unready = append(unready, p.Name)
		}
		switch {
		case p.Newest && p.Ready:
			g.ready++
		case p.Newest:
		case stays(w, p):
			kept++
		default:
			g.old++
		}
	}
	if kindOf(w.Ref) == kindDeployment {
		g.old = max(g.old, wantedOld(w))
	}
	switch {
	case w.OnDelete:
		g.desired = 0
	case kindOf(w.Ref) == kindStatefulSet:
		g.desired = max(0, total-int(w.Partition))
	}
	seen := g.ready
	if w.OnDelete || w.Partition > 0 {
		seen = ready
	}
	switch {
	case g.updated < g.desired && w.Paused:
		g.why = "it is paused: its newest revision is not rolled out"
	case g.updated < g.desired:
		g.why = fmt.Sprintf("%d of %d pods are of the newest revision", g.updated, g.desired)
	case len(unready) > 0:
		g.why = fmt.Sprintf("pod %s is not ready", unready[0])
		if len(unready) > 1 {
			g.why = fmt.Sprintf("%d pods are not ready, %s among them", len(unready), unready[0])
		}
	case seen < total:
		g.why = fmt.Sprintf("%d of %d pods were seen ready", seen, total)
	case g.old > 0 && kindOf(w.Ref) != kindRollout:
		g.why = fmt.Sprintf("%d old pods have not gone yet", g.old)
	case int(w.Ready) < total:
		g.why = fmt.Sprintf("its controller counts %d of %d pods as ready", w.Ready, total)
	case g.free < total:
		g.why = fmt.Sprintf("%d of %d pods are available: the others are not ready for long enough", g.free, total)
	case kindOf(w.Ref) == kindRollout && !healthyRollout(w):
		g.why = waitingRollout(w)
	default:
		if why, byTime := c.unsettled(l); why != "" {
			g.why, g.settling = why, byTime
			return g
		}
		g.complete, g.why = true, remark(w, total, kept)
	}
	return g
}

// remark is what a person should know about what is complete.
func remark(w *picture.Workload, total, kept int) string {
	switch {
	case total == 0 && kindOf(w.Ref) == kindDaemonSet:
		return "no node is chosen by it: nothing runs"
	case total == 0:
		return "it is scaled to 0: nothing runs"
	case kept > 0 && w.OnDelete:
		return fmt.Sprintf("%d of %d pods stay old until somebody deletes them (updateStrategy OnDelete)", kept, total)
	case kept > 0:
		return fmt.Sprintf("%d of %d pods stay old (partition %d)", kept, total, w.Partition)
	case w.Paused:
		return "all pods are ready; it is paused: the next change will wait"
	default:
		return fmt.Sprintf("%d of %d pods are ready", total, total)
	}
}

// alive says whether a pod counts: it neither goes nor has ended.
func alive(p *picture.Pod) bool {
	return p.Deleted.IsZero() && p.Phase != "Failed" && p.Phase != "Succeeded"
}

// stays says whether the strategy lets an old pod be.
func stays(w *picture.Workload, p *picture.Pod) bool {
	if w.OnDelete {
		return true
	}
	return kindOf(w.Ref) == kindStatefulSet && ordinal(p.Name) < int(w.Partition)
}

// ordinal is that of a StatefulSet's pod.
func ordinal(name string) int {
	n := 0
	if _, err := fmt.Sscanf(name[strings.LastIndexByte(name, '-')+1:], "%d", &n); err != nil {
		return 0
	}
	return n
}

// wantedOld is how many pods old revisions are still to have.
func wantedOld(w *picture.Workload) int {
	n := 0
	for _, r := range w.Revisions {
		if !r.Newest {
			n += int(r.Desired)
		}
	}
	return n
}

// condition finds one by type.
func condition(conditions []picture.Condition, name string) (picture.Condition, bool) {
	for _, c := range conditions {
		if c.Type == name {
			return c, true
		}
	}
	return picture.Condition{}, false
}

// isTrue says whether a condition is there and True.
func isTrue(conditions []picture.Condition, name string) bool {
	c, found := condition(conditions, name)
	return found && c.Status == "True"
}
