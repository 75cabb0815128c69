package judge

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// unsettled says why pods that are ready are not believed yet: what has just started
// without a probe, has just started again, or fails its liveness probe right now. In all
// cases but one time alone settles it.
func (c *court) unsettled(l *lawsuit) (why string, byTime bool) {
	until := time.Time{}
	for i := range l.Pods {
		p := &l.Pods[i]
		if !p.Newest || !alive(p) {
			continue
		}
		for j := range p.Containers {
			k := &p.Containers[j]
			if c.failingAgain(p, k) {
				return fmt.Sprintf("container %s of pod %s fails the liveness probe that has ended it before", k.Name, p.Name), false
			}
			if at, reason := c.settles(p, k); at.After(c.At) && (until.IsZero() || at.Before(until)) {
				until, why = at, reason
			}
		}
	}
	l.again = until
	return why, why != ""
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
		if e.Reason == "Unhealthy" && about(p, e, k) && strings.HasPrefix(e.Message, probe+" probe") {
			return e, true
		}
	}
	return picture.Event{}, false
}

// killedByProbe is how often kubelet ended the container for a probe, and for which one the
// last time: liveness or startup.
func killedByProbe(p *picture.Pod, k *picture.Container) (probe string, kills int) {
	for _, e := range p.Events {
		if e.Reason != "Killing" || !about(p, e, k) || !strings.HasPrefix(e.Message, "Container "+k.Name+" failed ") {
			continue
		}
		for _, name := range []string{"liveness", "startup"} {
			if strings.Contains(e.Message, " failed "+name+" probe") {
				probe, kills = name, kills+max(1, int(e.Count))
			}
		}
	}
	return probe, kills
}

// about says whether an event may be about a container of this very pod.
func about(p *picture.Pod, e picture.Event, k *picture.Container) bool {
	return of(p, e) && (e.Container == "" || e.Container == k.Name)
}

// of says that an event is about this pod, and not about an earlier one of the same name,
// as StatefulSets have them.
func of(p *picture.Pod, e picture.Event) bool {
	if e.Object.UID != "" && p.UID != "" {
		return e.Object.UID == p.UID
	}
	return !e.At.Before(p.Created)
}

// prefix is what kubelet puts before the answer of a probe.
var prefix = regexp.MustCompile(`^(Startup|Readiness|Liveness) probe (failed|errored)[^:]*: `)

// told is what a probe was answered.
func told(message string) string {
	return strings.TrimSpace(prefix.ReplaceAllString(message, ""))
}
