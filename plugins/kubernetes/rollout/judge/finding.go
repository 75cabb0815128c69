package judge

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// A finding is something that stands in the way.
type finding struct {
	code        string
	resource    string // id
	what        string // what, where, why
	todo        string // what to do
	environment bool
	// sure says that it is a verdict from since on; else it is a suspicion until the
	// rollout's time is over.
	sure  bool
	since time.Time

	workload  *picture.Workload
	pod       *picture.Pod
	container *picture.Container
}

// due says whether it is a verdict by now.
func (f *finding) due(now time.Time) bool { return f.sure && !f.since.After(now) }

// after makes it a verdict once it has lasted from a moment on. A moment that nobody
// recorded is long ago.
func (f finding) after(from time.Time, wait time.Duration) finding {
	f.sure, f.since = true, from
	if !from.IsZero() {
		f.since = from.Add(wait)
	}
	return f
}

// rank orders findings by how much they explain: what is known beyond doubt first.
var rank = map[string]int{
	sdk.CodeImageNotFound: 1, sdk.CodeImagePullDenied: 1, sdk.CodeConfigMissing: 1,
	sdk.CodeQuotaExceeded: 2, sdk.CodeUnschedulable: 2, sdk.CodePermissionDenied: 2,
	sdk.CodeOOMKilled: 3, sdk.CodeCrashLoop: 3, sdk.CodeExited: 3, sdk.CodeProbeFailing: 4,
	sdk.CodeRegistryUnreachable: 5, sdk.CodePlatformDown: 5, sdk.CodeDependencyDown: 5,
	sdk.CodeOther: 6, sdk.CodeProgressDeadline: 7,
}

// worst is the finding to tell: what is due before what is not, the change's own before
// the environment's, then by rank and place. It is nil of none.
func worst(findings []finding, now time.Time) *finding {
	if len(findings) == 0 {
		return nil
	}
	least := slices.MinFunc(findings, func(a, b finding) int {
		return cmp.Or(
			first(a.due(now), b.due(now)), first(!a.environment, !b.environment),
			rank[a.code]-rank[b.code], first(a.sure, b.sure), a.since.Compare(b.since), strings.Compare(a.resource, b.resource),
		)
	})
	return &least
}

// first orders what is true before what is not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

// failure is the finding as the contract has it, with its evidence.
func (f *finding) failure() *sdk.Failure {
	if f == nil {
		return nil
	}
	failure := &sdk.Failure{
		Code: f.code, Resource: f.resource, Message: f.what, Suggestion: f.todo, Environment: f.environment,
		Events: events(f.workload, f.pod),
	}
	if f.container != nil {
		lines := f.container.LastLines
		for _, line := range lines[max(0, len(lines)-sdk.MaxFailureLogs):] {
			failure.Logs = append(failure.Logs, sdk.LogLine{
				Resource: ContainerID(f.pod.Ref, f.container.Name), Line: line.Text, Time: line.At, Previous: true,
			})
		}
	}
	return failure
}

// mostEvents is how many events a failure has.
const mostEvents = 20

// events are those of a pod and the warnings of its workload, newest last.
func events(w *picture.Workload, pod *picture.Pod) []string {
	var all []picture.Event
	if pod != nil {
		all = append(all, pod.Events...)
	}
	if w != nil {
		for _, e := range w.Events {
			if e.Type == warning {
				all = append(all, e)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b picture.Event) int { return a.At.Compare(b.At) })
	var lines []string
	for _, e := range all[max(0, len(all)-mostEvents):] {
		line := fmt.Sprintf("%s %s %s", e.At.UTC().Format(time.RFC3339), e.Type, e.Reason)
		if e.Object.Name != "" {
			line += " " + e.Object.Kind + " " + place(e.Object)
		}
		if e.Count > 1 {
			line += fmt.Sprintf(" (%d times)", e.Count)
		}
		lines = append(lines, line+": "+e.Message)
	}
	return lines
}

const warning = "Warning"

// size is what a container asks for and may have: "requests cpu 1m, memory 16Mi; limits
// memory 64Mi".
func size(c *picture.Container) string {
	amounts := func(of map[string]string) string {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(of)) {
			parts = append(parts, name+" "+of[name])
		}
		return cmp.Or(strings.Join(parts, ", "), "none")
	}
	return "requests " + amounts(c.Requests) + "; limits " + amounts(c.Limits)
}
