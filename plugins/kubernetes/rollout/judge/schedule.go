package judge

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// unscheduled is a pod for which there is no node.
func (c *court) unscheduled(l *lawsuit, p *picture.Pod) (finding, bool) {
	s, found := condition(p.Conditions, "PodScheduled")
	if !found || s.Status != "False" || p.Node != "" {
		return finding{}, false
	}
	if s.Reason == "SchedulingGated" {
		return finding{
			code: sdk.CodeUnschedulable, what: fmt.Sprintf("pod %s is held back by a scheduling gate: %s", place(p.Ref), s.Message),
			todo: "whoever set spec.schedulingGates must take them away",
		}, true
	}
	said := constraint(s.Message)
	what := fmt.Sprintf("pod %s finds no node: %s", place(p.Ref), said)
	if strings.Contains(said, "persistentvolumeclaim") && strings.Contains(said, "not found") {
		return c.missing(p, what, "PersistentVolumeClaim"), true
	}
	f := finding{code: sdk.CodeUnschedulable, what: what, todo: "kubectl describe pod " + p.Name + " -n " + p.Namespace}
	for _, k := range constraints {
		if strings.Contains(said, k.said) {
			f.todo = k.todo
			break
		}
	}
	if strings.Contains(said, "Insufficient") {
		f.what += " (" + wanted(p) + ")"
	}
	wait := c.policy.Unschedulable
	if e, grows := lastEvent(p, "TriggeredScaleUp", "Nominated"); grows {
		wait = c.policy.ScaleUp
		f.what += "; " + e.Message
	}
	switch nodes := c.nodesAway(); {
	case nodes != "" && away.MatchString(said):
		f.environment = true
		f.what += "; " + nodes
		f.todo = "bring the nodes back: kubectl get nodes; kubectl uncordon NODE"
	case moving(l):
		return f, true // what goes makes room
	}
	return f.after(c.sinceNodes(s.Since), wait), true
}

// sinceNodes is the later one of a moment and the last one at which a node came back: the
// scheduler needs its time to see it.
func (c *court) sinceNodes(since time.Time) time.Time {
	for _, n := range c.Nodes {
		if n.Ready && n.Since.After(since) && !since.IsZero() {
			since = n.Since
		}
	}
	return since
}

// constraint is the scheduler's message without what it says about preemption.
func constraint(message string) string {
	for _, end := range []string{" no new claims to deallocate", " preemption:"} {
		if i := strings.Index(message, end); i >= 0 {
			message = message[:i]
		}
	}
	message = strings.ReplaceAll(message, "not found. not found", "not found")
	return strings.TrimRight(message, " ,.")
}

// constraints are the words of the scheduler with what to do, first match counts.
var constraints = []struct{ said, todo string }{
	{"node affinity/selector", "no node has the labels that nodeSelector or nodeAffinity ask for: correct them, or label a node (kubectl label node NODE KEY=VALUE)"},
	{"untolerated taint", "see what the nodes are tainted with (kubectl describe nodes); add a toleration for that taint, or take it from a node (kubectl taint node NODE KEY-)"},
	{"pod affinity rules", "no node has the pods that podAffinity asks for: correct it, or deploy those first"},
	{"anti-affinity rules", "podAntiAffinity allows no more pods on these nodes: add nodes, or prefer instead of require it"},
	{"topology spread", "topologySpreadConstraints allow it on no node: correct them, or set whenUnsatisfiable ScheduleAnyway"},
	{"free ports", "hostPort is taken on every node: leave it out, or have fewer pods than nodes and maxSurge 0"},
	{"volume node affinity", "its volume is bound to a node or zone that does not fit: correct the claim, or add a node there"},
	{"unbound immediate PersistentVolumeClaims", "its volume claim is not bound: check the storage class and the provisioner (kubectl get pvc)"},
	{"Insufficient", "ask for less in resources.requests, make room, or add a node"},
	{"Too many pods", "every node has as many pods as it may: add a node"},
}

// away matches what the scheduler says of nodes that are down or cordoned. Newer ones do
// not say which taint it is.
var away = regexp.MustCompile(`untolerated taint\(s\)|node\.kubernetes\.io/(not-ready|unreachable|unschedulable|network-unavailable|memory-pressure|disk-pressure|pid-pressure)|node\(s\) were unschedulable|no nodes available`)

// nodesAway names the nodes that are down or cordoned.
func (c *court) nodesAway() string {
	var names []string
	for _, n := range c.Nodes {
		switch {
		case !n.Ready:
			names = append(names, fmt.Sprintf("node %s is not ready (%s)", n.Name, join(n.Reason, n.Message)))
		case n.Unschedulable:
			names = append(names, "node "+n.Name+" is cordoned")
		}
	}
	return strings.Join(names, ", ")
}

// moving says that pods of the workload are on their way out.
func moving(l *lawsuit) bool {
	for i := range l.Pods {
		if !l.Pods[i].Deleted.IsZero() {
			return true
		}
	}
	return false
}

// wanted is what the containers of a pod ask for.
func wanted(p *picture.Pod) string {
	var parts []string
	for i := range p.Containers {
		if k := &p.Containers[i]; !k.Init || k.Sidecar {
			parts = append(parts, fmt.Sprintf("container %s: %s", k.Name, size(k)))
		}
	}
	return strings.Join(parts, "; ")
}
