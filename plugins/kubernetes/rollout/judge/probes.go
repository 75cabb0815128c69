package judge

import (
	"fmt"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// probeChecks are readiness, liveness and startup of each container of the newest
// revision's pods. An answer is that of the worst pod, and names it.
func (c *court) probeChecks(l *lawsuit) []sdk.Check {
	pods := c.judged(l)
	var names []string
	probes := make(map[string]picture.Probes)
	for _, p := range pods {
		for i := range p.Containers {
			k := &p.Containers[i]
			if k.Init && !k.Sidecar {
				continue
			}
			if _, known := probes[k.Name]; !known {
				names = append(names, k.Name)
			}
			probes[k.Name] = k.Probes
		}
	}
	var all []sdk.Check
	for _, name := range names {
		all = append(all, c.tally(l, pods, name, "readiness", c.readiness))
		if probes[name].Liveness {
			all = append(all, c.tally(l, pods, name, "liveness", c.liveness))
		}
		if probes[name].Startup {
			all = append(all, c.tally(l, pods, name, "startup", c.startup))
		}
	}
	return all
}

// judged are the pods whose containers are asked: those of the newest revision, or, while
// it has none, all.
func (c *court) judged(l *lawsuit) []*picture.Pod {
	var newest, all []*picture.Pod
	for i := range l.Pods {
		p := &l.Pods[i]
		if !alive(p) {
			continue
		}
		all = append(all, p)
		if p.Newest {
			newest = append(newest, p)
		}
	}
	if len(newest) == 0 || l.OnDelete || l.Partition > 0 {
		return all
	}
	return newest
}

// an answer is that of one container of one pod.
type answer struct {
	status sdk.CheckStatus
	says   string
}

// tally asks one container of all pods.
func (c *court) tally(l *lawsuit, pods []*picture.Pod, name, probe string, ask func(*lawsuit, *picture.Pod, *picture.Container) answer) sdk.Check {
	check := sdk.Check{Name: fmt.Sprintf("%s of %s/%s", probe, short(l.Ref), name), Type: probe, Resource: l.id, Status: sdk.CheckHealthy}
	asked, well, hopeless := 0, 0, false
	says := ""
	for _, p := range pods {
		for i := range p.Containers {
			k := &p.Containers[i]
			if k.Name != name {
				continue
			}
			asked++
			a := ask(l, p, k)
			switch {
			case a.status == sdk.CheckHealthy:
				well++
				continue
			case a.status == sdk.CheckUnhealthy && !hopeless, says == "":
				says, check.Resource = a.says, ContainerID(p.Ref, k.Name)
			}
			hopeless = hopeless || a.status == sdk.CheckUnhealthy
		}
	}
	check.Message = fmt.Sprintf("%d of %d well", well, asked)
	switch {
	case well == asked:
		return check
	case hopeless:
		check.Status = sdk.CheckUnhealthy
	default:
		check.Status = sdk.CheckDegraded
	}
	check.Message += ": " + says
	return check
}

// readiness is unhealthy where a verdict says that it will not be ready, or where a pod
// that was ready is not.
func (c *court) readiness(l *lawsuit, p *picture.Pod, k *picture.Container) answer {
	if k.Ready {
		return answer{status: sdk.CheckHealthy}
	}
	status, says := sdk.CheckDegraded, fmt.Sprintf("container %s of pod %s %s", k.Name, p.Name, doing(k))
	if e, failing := probeFailure(p, k, "Readiness"); failing {
		says += ", its readinessProbe fails: " + told(e.Message)
	}
	f := reasonFor(l.findings, c.At, func(f finding) bool { return f.pod == p && (f.container == nil || f.container == k) })
	switch {
	case f != nil && f.due(c.At):
		says = f.what
		if !f.environment {
			status = sdk.CheckUnhealthy
		}
	case c.oldSick(l) == "" && c.alone(l, p) && c.lostReady(p) && !c.onDown(p):
		status = sdk.CheckUnhealthy
	}
	return answer{status, says}
}

// alone says that no other pod of the workload is ready.
func (c *court) alone(l *lawsuit, p *picture.Pod) bool {
	for i := range l.Pods {
		if other := &l.Pods[i]; other != p && alive(other) && other.Ready {
			return false
		}
	}
	return true
}

// onDown says that the pod's node does not answer.
func (c *court) onDown(p *picture.Pod) bool {
	n, known := c.nodes[p.Node]
	return known && !n.Ready
}

// liveness is unhealthy once the probe has ended the container as often as the policy says
// and it does not run well since.
func (c *court) liveness(_ *lawsuit, p *picture.Pod, k *picture.Container) answer {
	probe, kills := killedByProbe(p, k)
	e, failing := probeFailure(p, k, "Liveness")
	until, why := c.settles(p, k)
	unsettled := k.State.Kind != running || until.After(c.At)
	switch {
	case kills >= c.policy.Exits && probe == "liveness" && unsettled:
		says := fmt.Sprintf("kubelet ended container %s of pod %s %s, since its liveness probe fails", k.Name, p.Name, times(kills))
		if failing {
			says += ": " + told(e.Message)
		}
		return answer{sdk.CheckUnhealthy, says}
	case k.State.Kind != running:
		return answer{sdk.CheckDegraded, fmt.Sprintf("container %s of pod %s does not run (%s)", k.Name, p.Name, orElse(k.State.Reason, "it has not started"))}
	case until.After(c.At):
		return answer{sdk.CheckDegraded, why}
	default:
		return answer{status: sdk.CheckHealthy}
	}
}

func (c *court) startup(_ *lawsuit, p *picture.Pod, k *picture.Container) answer {
	if k.Started {
		return answer{status: sdk.CheckHealthy}
	}
	says := fmt.Sprintf("container %s of pod %s has not started up yet", k.Name, p.Name)
	if e, failing := probeFailure(p, k, "Startup"); failing {
		says += ": " + told(e.Message)
	}
	if probe, kills := killedByProbe(p, k); kills >= c.policy.Exits && probe == "startup" {
		return answer{sdk.CheckUnhealthy, fmt.Sprintf("kubelet ended container %s of pod %s %s before it had started up", k.Name, p.Name, times(kills))}
	}
	return answer{sdk.CheckDegraded, says}
}
