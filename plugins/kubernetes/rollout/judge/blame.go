package judge

import (
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// shared are the failures that something which both versions stand on may cause.
var shared = map[string]bool{
	sdk.CodeCrashLoop: true, sdk.CodeExited: true, sdk.CodeOOMKilled: true,
	sdk.CodeProbeFailing: true, sdk.CodeProgressDeadline: true,
}

// blameless gives the environment the blame for what the old pods suffer from too.
func (c *court) blameless(l *lawsuit, found []finding) []finding {
	old := c.oldSick(l)
	if old == "" {
		return found
	}
	for i := range found {
		if f := &found[i]; shared[f.code] {
			f.environment = true
			f.what = "the old pods are unhealthy too (" + old + "): " + f.what
			f.todo = "look for what both versions need: a database, a service, the network, the node; then at the log of the pods"
		}
	}
	return found
}

// oldSick says what is wrong with the old pods when none of them is ready though one was;
// "" otherwise.
func (c *court) oldSick(l *lawsuit) string {
	if !hasRevisions(l.Workload) {
		return ""
	}
	sick := ""
	for i := range l.Pods {
		p := &l.Pods[i]
		if p.Newest || !alive(p) {
			continue
		}
		if p.Ready {
			return ""
		}
		if c.lostReady(p) && sick == "" {
			sick = "pod " + place(p.Ref) + " is not ready any more"
			if e, found := lastEvent(p, "Unhealthy"); found {
				sick += ": " + e.Message
			} else if last, ended := worstEnding(p); ended {
				sick += ": it ended with " + exit(last)
			}
		}
	}
	return sick
}

// grace is how long after a pod's creation its condition Ready is set to False for the
// first time, generously.
const grace = 10 * time.Second

// lostReady says that a pod was ready once and is not: a pod that never was tells nothing
// about what both versions need.
func (c *court) lostReady(p *picture.Pod) bool {
	ready, found := condition(p.Conditions, "Ready")
	if !found || ready.Status == "True" {
		return false
	}
	if n, known := c.nodes[p.Node]; known && !n.Ready {
		return true
	}
	for i := range p.Containers {
		k := &p.Containers[i]
		if k.Init && !k.Sidecar {
			continue
		}
		// How long ago the first instance started is not known of those that came later.
		first := p.Created.Add(grace)
		switch {
		case k.Restarts > 0:
		case k.State.Kind == running, k.State.Kind == terminated:
			first = k.State.Since
		case k.Last.Kind == terminated:
			first = k.Last.Since
		default:
			continue
		}
		if ready.Since.After(first) {
			return true
		}
	}
	return false
}

func worstEnding(p *picture.Pod) (picture.ContainerState, bool) {
	for i := range p.Containers {
		if last, ended := ending(&p.Containers[i]); ended && !p.Containers[i].Ready {
			return last, true
		}
	}
	return picture.ContainerState{}, false
}
