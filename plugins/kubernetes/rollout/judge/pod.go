package judge

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// findPod says what stands in the way of one pod.
func (c *court) findPod(l *lawsuit, p *picture.Pod) []finding {
	if p.Phase == "Succeeded" {
		return nil
	}
	var found []finding
	add := func(f finding, is bool) bool {
		if is {
			f.pod = p
			f.resource = orElse(f.resource, ID(p.Ref))
			found = append(found, f)
		}
		return is
	}
	switch {
	case p.Phase == "Failed":
		add(thrownOut(l, p))
		return found
	case add(c.onDeadNode(p)):
		return found
	case add(c.unscheduled(l, p)):
		return found
	}
	for i := range p.Containers {
		k := &p.Containers[i]
		if f, is := c.findContainer(l, p, k); is {
			f.container = k
			f.resource = ContainerID(p.Ref, k.Name)
			add(f, true)
		}
	}
	if len(found) > 0 {
		return found
	}
	if !add(c.unmounted(l, p)) && !add(c.sandboxed(p)) && !p.Ready {
		add(c.unready(l, p), true)
	}
	return found
}

// thrownOut is a pod that ended without its containers' doing: evicted, preempted, refused
// by its node. Another one replaces it, so it is no verdict by itself; of a pod by itself
// every end but a good one is.
func thrownOut(l *lawsuit, p *picture.Pod) (finding, bool) {
	alone := kindOf(l.Ref) == kindPod
	if p.Reason == "" {
		f := finding{code: sdk.CodeExited, sure: true, what: fmt.Sprintf("pod %s has failed", place(p.Ref)), todo: "read its last lines"}
		for i := range p.Containers {
			if k := &p.Containers[i]; k.State.Kind == terminated && k.State.ExitCode != 0 {
				f.container, f.resource = k, ContainerID(p.Ref, k.Name)
				f.what += fmt.Sprintf(": container %s ended with %s", k.Name, exit(k.State))
				break
			}
		}
		return f, alone
	}
	return finding{
		code: sdk.CodePlatformDown, environment: true, sure: alone,
		what: fmt.Sprintf("pod %s was ended by the cluster: %s", place(p.Ref), join(p.Reason, p.Message)),
		todo: "see what its node " + p.Node + " lacks: kubectl describe node " + p.Node,
	}, true
}

// onDeadNode is a pod whose node does not answer.
func (c *court) onDeadNode(p *picture.Pod) (finding, bool) {
	n, known := c.nodes[p.Node]
	if p.Node == "" || !known || n.Ready || p.Ready {
		return finding{}, false
	}
	return finding{
		code: sdk.CodePlatformDown, environment: true, sure: true,
		what: fmt.Sprintf("node %s of pod %s is not ready: %s", n.Name, place(p.Ref), join(n.Reason, n.Message)),
		todo: fmt.Sprintf("bring the node back (kubectl describe node %s), or kubectl delete pod %s -n %s to have it made elsewhere", n.Name, p.Name, p.Namespace),
	}, true
}

// findContainer says what stands in the way of one container.
func (c *court) findContainer(l *lawsuit, p *picture.Pod, k *picture.Container) (finding, bool) {
	if k.Ready && k.State.Kind == running && !c.failingAgain(p, k) {
		return finding{}, false
	}
	if k.State.Kind == waiting {
		switch k.State.Reason {
		case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable":
			return c.unpulled(l, p, k), true
		case "CreateContainerConfigError", "CreateContainerError", "PreCreateHookError", "PreStartHookError", "PostStartHookError":
			return c.unmade(p, k), true
		}
	}
	// What was ready since it started again has another trouble than its exits.
	if ready, found := condition(p.Conditions, "Ready"); found && k.State.Kind == running && ready.Status != "True" && ready.Since.After(k.State.Since) {
		return finding{}, false
	}
	return c.ended(l, p, k)
}

// unmounted is a pod that waits for a volume.
func (c *court) unmounted(l *lawsuit, p *picture.Pod) (finding, bool) {
	if !creating(p) {
		return finding{}, false
	}
	for _, m := range c.Missing {
		if m.By.Name != l.Name || m.By.Kind != l.Kind || m.Object.Kind == "ServiceAccount" || strings.Contains(m.Where, "imagePullSecrets") {
			continue
		}
		what := fmt.Sprintf("%s %s is not there, and pod %s needs it%s", m.Object.Kind, place(m.Object), place(p.Ref), at(m.Where))
		return c.missing(p, what, m.Object.Kind), true
	}
	e, found := lastEvent(p, "FailedMount", "FailedAttachVolume", "FailedMapVolume")
	if !found {
		return finding{}, false
	}
	what := fmt.Sprintf("pod %s gets no volume: %s", place(p.Ref), e.Message)
	switch {
	case strings.Contains(e.Message, "not found") || strings.Contains(e.Message, "references non-existent"):
		return c.missing(p, what, "object"), true
	case strings.Contains(e.Message, "Multi-Attach"):
		return finding{
			code: sdk.CodeOther, what: what,
			todo: "the volume is used by a pod on another node: a rolling update with it needs strategy Recreate, or a volume that many may use",
		}, true
	default:
		return finding{code: sdk.CodeOther, what: what, todo: "kubectl describe pod " + p.Name + " -n " + p.Namespace}, true
	}
}

// sandboxed is a pod whose node cannot give it a network or a sandbox.
func (c *court) sandboxed(p *picture.Pod) (finding, bool) {
	e, found := lastEvent(p, "FailedCreatePodSandBox", "NetworkNotReady")
	if !found || !creating(p) {
		return finding{}, false
	}
	return finding{
		code: sdk.CodePlatformDown, environment: true,
		what: fmt.Sprintf("node %s cannot start pod %s: %s", p.Node, place(p.Ref), e.Message),
		todo: "look at the node's network plugin and container runtime: kubectl describe node " + p.Node,
	}.after(p.Created, c.policy.Missing), true
}

// unready is a pod that runs, or is being started, and is not ready: no sign of failure.
// Where no controller ends the wait, the policy does.
func (c *court) unready(l *lawsuit, p *picture.Pod) finding {
	f := finding{
		code: sdk.CodeProgressDeadline,
		what: fmt.Sprintf("pod %s is not ready", place(p.Ref)),
		todo: "kubectl describe pod " + p.Name + " -n " + p.Namespace + " shows what it waits for",
	}
	for _, gate := range p.Conditions {
		switch {
		case gate.Status == "True", ownConditions[gate.Type]:
		default:
			f.what += fmt.Sprintf(": it waits for its readiness gate %s (%s)", gate.Type, join(gate.Reason, gate.Message))
		}
	}
	from := p.Created
	for i := range p.Containers {
		k := &p.Containers[i]
		if k.Ready || k.Init && !k.Sidecar && k.State.Kind == terminated {
			continue
		}
		f.container, f.resource = k, ContainerID(p.Ref, k.Name)
		f.what = c.name(p, k) + " " + doing(k)
		if k.State.Kind == running && k.State.Since.After(from) {
			from = k.State.Since
		}
		probe, path := "Readiness", "readinessProbe"
		if k.Probes.Startup && !k.Started {
			probe, path = "Startup", "startupProbe"
		}
		if e, failing := probeFailure(p, k, probe); failing {
			f.code = sdk.CodeProbeFailing
			f.what += fmt.Sprintf(", its %s fails: %s", path, told(e.Message))
			f.todo = fmt.Sprintf("read its log; check that %s asks the right path and port; a slow start needs a startupProbe", path)
		}
		break
	}
	switch kindOf(l.Ref) {
	case kindDeployment, kindRollout, kindJob: // their controllers know a deadline
		return f
	default:
		limit := cmp.Or(l.ProgressDeadline, c.policy.Deadline)
		f.what += fmt.Sprintf(" (%s are given)", limit)
		return f.after(from, limit)
	}
}

// ownConditions are those of kubelet and scheduler; others are readiness gates.
var ownConditions = map[string]bool{
	"Ready": true, "ContainersReady": true, "Initialized": true, "PodScheduled": true, "PodReadyToStartContainers": true,
	"DisruptionTarget": true, "PodHasNetwork": true, "PodResizePending": true, "PodResizeInProgress": true,
}

// doing is what a container does that is not ready.
func doing(k *picture.Container) string {
	switch {
	case k.State.Kind == running && k.Probes.Startup && !k.Started:
		return "runs and has not started up yet"
	case k.State.Kind == running && k.Init && !k.Sidecar:
		return "runs: it must end before the others start"
	case k.State.Kind == running:
		return "runs and is not ready"
	case k.State.Reason != "":
		return "waits: " + join(k.State.Reason, k.State.Message)
	default:
		return "is not ready"
	}
}

// creating says whether a pod has a node and none of its containers could be made yet.
func creating(p *picture.Pod) bool {
	if p.Node == "" {
		return false
	}
	for i := range p.Containers {
		if k := &p.Containers[i]; k.State.Kind != waiting && k.State.Kind != "" || k.Restarts > 0 {
			return false
		}
	}
	return true
}

// lastEvent is the newest of some reasons.
func lastEvent(p *picture.Pod, reasons ...string) (picture.Event, bool) {
	for i := len(p.Events) - 1; i >= 0; i-- {
		for _, reason := range reasons {
			if p.Events[i].Reason == reason && of(p, p.Events[i]) {
				return p.Events[i], true
			}
		}
	}
	return picture.Event{}, false
}

// join is "reason: message", or what there is of it.
func join(reason, message string) string {
	switch {
	case reason == "":
		return orElse(message, "no reason is given")
	case message == "":
		return reason
	default:
		return reason + ": " + message
	}
}

// at is a path in words.
func at(where string) string {
	if where == "" {
		return ""
	}
	return " at " + where
}
