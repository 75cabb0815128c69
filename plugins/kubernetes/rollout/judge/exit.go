package judge

import (
	"fmt"
	"strings"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

const oomKilled = "OOMKilled"

// ranWell says that the instance ran for long before it ended. What could not be started
// has a start in 1970.
func ranWell(last picture.ContainerState) bool {
	return last.Since.Unix() > 0 && last.Ended.Sub(last.Since) >= forgiven
}

// forgiven is how long a container must have run for kubelet to forget its exits.
const forgiven = 10 * time.Minute

// ended is a container that ends again and again. Its own exits and those that a probe
// caused are counted apart: each needs its number to be a verdict.
func (c *court) ended(l *lawsuit, p *picture.Pod, k *picture.Container) (finding, bool) {
	last, is := ending(k)
	n := exits(k)
	if !is || n == 0 || k.State.Kind == terminated && k.Init && !k.Sidecar && k.State.ExitCode == 0 {
		return finding{}, false
	}
	probe, kills := killedByProbe(p, k)
	kills = min(kills, n)
	own := n - kills
	f := finding{}
	switch {
	case last.Reason == oomKilled || k.Last.Reason == oomKilled:
		f.code = sdk.CodeOOMKilled
		f.what = fmt.Sprintf("%s was killed %s for using more memory than it may (%s)", c.name(p, k), times(own), size(k))
		f.todo = "raise resources.limits.memory of container " + k.Name + ", or make it need less"
	case notStarted(last):
		f.code = sdk.CodeConfigMissing
		f.what = fmt.Sprintf("%s cannot be started: %s", c.name(p, k), startError(last.Message))
		f.todo = "check command and args of container " + k.Name + ": the program must be in the image, executable, and made for the node's architecture"
	case kills > own, maybeKilled(k, last):
		f.code = sdk.CodeProbeFailing
		if own = kills; maybeKilled(k, last) {
			own = n // events come late, and some never
		}
		f.what, f.todo = c.probed(p, k, last, probe, own, kills > 0)
	default:
		f.code = sdk.CodeExited
		f.what = fmt.Sprintf("%s ended %s, last with %s", c.name(p, k), times(max(1, own)), exit(last))
		f.todo = "read its last lines; it is started again"
		if own >= c.policy.Exits {
			f.code = sdk.CodeCrashLoop
			f.todo = "read its last lines, mend what makes it end, then deploy again"
			if last.ExitCode == 0 {
				f.todo = "a container of a " + l.Workload.Kind + " must go on running: what ends by itself belongs into a Job"
			}
		}
	}
	// A Job is given as many attempts as its backoffLimit says. What ran well before it
	// ended is no loop.
	f.sure = own >= c.policy.Exits && kindOf(l.Ref) != kindJob && !ranWell(last)
	return f, true
}

// name is a container with its place.
func (c *court) name(p *picture.Pod, k *picture.Container) string {
	name := "container " + k.Name + " of pod " + place(p.Ref)
	if k.Init && !k.Sidecar {
		return "init " + name
	}
	return name
}

// probed says which probe ended the container.
func (c *court) probed(p *picture.Pod, k *picture.Container, last picture.ContainerState, probe string, n int, known bool) (what, todo string) {
	path := "livenessProbe"
	if probe == "startup" || probe == "" && k.Probes.Startup && !k.Probes.Liveness {
		path = "startupProbe"
	}
	what = fmt.Sprintf("%s was ended by kubelet %s, since its %s fails", c.name(p, k), times(n), path)
	if !known {
		what = fmt.Sprintf("%s was ended %s with %s, as kubelet does when the %s fails", c.name(p, k), times(n), exit(last), path)
	}
	if e, found := probeFailure(p, k, strings.ToUpper(path[:1])+strings.TrimSuffix(path[1:], "Probe")); found {
		what += ": " + told(e.Message)
	}
	if path == "startupProbe" {
		return what, "read its last lines; a start that takes longer needs a larger failureThreshold of the startupProbe"
	}
	return what, "read its last lines; check that the livenessProbe asks the right path and port; a slow start needs a startupProbe"
}

// exits is how often instances of the container have ended.
func exits(k *picture.Container) int {
	n := int(k.Restarts)
	if k.State.Kind == terminated || k.State.Kind == waiting && k.Last.Kind == terminated {
		n++
	}
	return n
}

// ending is how the newest instance that ended did.
func ending(k *picture.Container) (picture.ContainerState, bool) {
	switch {
	case k.State.Kind == terminated:
		return k.State, true
	case k.Last.Kind == terminated:
		return k.Last, true
	default:
		return picture.ContainerState{}, false
	}
}

// exit is an ending in words.
func exit(s picture.ContainerState) string {
	text := fmt.Sprintf("exit code %d", s.ExitCode)
	if s.Signal != 0 {
		text = fmt.Sprintf("signal %d", s.Signal)
	}
	if s.Reason != "" && s.Reason != "Error" && s.Reason != "Completed" {
		text += " (" + s.Reason + ")"
	}
	if s.Message != "" {
		text += ": " + strings.TrimSpace(s.Message)
	}
	return text
}

// notStarted says that the program itself could not be run.
func notStarted(s picture.ContainerState) bool {
	switch s.Reason {
	case "StartError", "ContainerCannotRun", "RunContainerError":
		return true
	default:
		return false
	}
}

// startError is the end of a runtime's message, where the reason is.
func startError(message string) string {
	if i := strings.LastIndex(message, "exec: "); i >= 0 {
		message = message[i:]
	}
	return strings.TrimSuffix(strings.TrimSpace(message), ": unknown")
}

// maybeKilled says that it ended as a container does that kubelet stops, though no event
// tells so: events may be dropped or late.
func maybeKilled(k *picture.Container, last picture.ContainerState) bool {
	if k.Init && !k.Sidecar || !k.Probes.Liveness && !k.Probes.Startup {
		return false
	}
	return last.ExitCode == 0 || last.ExitCode == 143 || last.ExitCode == 137 && last.Reason != oomKilled
}

// failingAgain says that a container that is ready fails the liveness probe that ended it
// before.
func (c *court) failingAgain(p *picture.Pod, k *picture.Container) bool {
	probe, kills := killedByProbe(p, k)
	e, failing := probeFailure(p, k, "Liveness")
	return kills >= c.policy.Exits && probe == "liveness" && failing && e.At.After(k.State.Since)
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	default:
		return fmt.Sprintf("%d times", n)
	}
}
