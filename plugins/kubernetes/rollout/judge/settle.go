package judge

import (
	"fmt"
	"strings"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// unsettled says why pods that are ready are not believed yet: what has just started
// without a probe, has just started again, or fails its liveness probe right now.
func (c *court) unsettled(l *lawsuit) string {
	for i := range l.Pods {
		p := &l.Pods[i]
		if !p.Newest || !alive(p) {
			continue
		}
		for j := range p.Containers {
			if until, why := c.settles(p, &p.Containers[j]); until.After(c.At) {
				l.again = until
				return why
			}
		}
	}
	return ""
}

// settles says until when a container that runs is not believed, and why.
func (c *court) settles(p *picture.Pod, k *picture.Container) (until time.Time, why string) {
	if k.Init && !k.Sidecar || k.State.Kind != running {
		return time.Time{}, ""
	}
	switch probed := k.Probes.Readiness || k.Probes.Startup; {
	case k.Restarts > 0:
		until, why = k.State.Since.Add(c.policy.Settle), "has started again and must run for a while"
	case !probed:
		until, why = k.State.Since.Add(c.policy.Unprobed), "has no readiness probe and must run for a while"
	}
	if e, failing := probeFailure(p, k, "Liveness"); failing && !e.At.Before(k.State.Since) {
		if at := e.At.Add(c.policy.Settle); at.After(until) {
			until, why = at, "fails its liveness probe: "+told(e.Message)
		}
	}
	return until, fmt.Sprintf("container %s of pod %s %s", k.Name, p.Name, why)
}

const running, waiting, terminated = "running", "waiting", "terminated"

// probeFailure is the newest event of a failing probe of a container: Startup, Readiness
// or Liveness. One that does not say of which container is about each that has such a
// probe.
func probeFailure(p *picture.Pod, k *picture.Container, probe string) (picture.Event, bool) {
	has := map[string]bool{"Startup": k.Probes.Startup, "Readiness": k.Probes.Readiness, "Liveness": k.Probes.Liveness}
	if !has[probe] {
		return picture.Event{}, false
	}
	for i := len(p.Events) - 1; i >= 0; i-- {
		e := p.Events[i]
		if e.Reason == "Unhealthy" && about(e, k) && strings.HasPrefix(e.Message, probe+" probe") {
			return e, true
		}
	}
	return picture.Event{}, false
}

// killedByProbe says that kubelet ended the container for a probe, and which one: liveness
// or startup.
func killedByProbe(p *picture.Pod, k *picture.Container) (probe string, killed bool) {
	for i := len(p.Events) - 1; i >= 0; i-- {
		e := p.Events[i]
		if e.Reason != "Killing" || !about(e, k) || !strings.HasPrefix(e.Message, "Container "+k.Name+" failed ") {
			continue
		}
		for _, probe := range []string{"liveness", "startup"} {
			if strings.Contains(e.Message, " failed "+probe+" probe") {
				return probe, true
			}
		}
	}
	return "", false
}

// about says whether an event may be about a container.
func about(e picture.Event, k *picture.Container) bool {
	return e.Container == "" || e.Container == k.Name
}
