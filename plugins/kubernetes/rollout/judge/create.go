package judge

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// uncreated is a workload whose pods may not be made.
func (c *court) uncreated(l *lawsuit) (finding, bool) {
	said, since := refusal(l)
	if said == "" {
		return finding{}, false
	}
	f := finding{
		code: sdk.CodeOther, what: fmt.Sprintf("%s cannot make its pods: %s", l.id, forbidden.ReplaceAllString(said, "")),
		todo: "kubectl describe " + short(l.Ref) + " -n " + l.Namespace,
	}
	switch {
	case strings.Contains(said, "exceeded quota"), strings.Contains(said, "failed quota"):
		f.code = sdk.CodeQuotaExceeded
		f.what += asks(l)
		f.todo = "raise the quota of namespace " + l.Namespace + " (kubectl describe quota -n " + l.Namespace + "), ask for less, or set maxSurge 0 so that old pods go first"
	case strings.Contains(said, "serviceaccount") && strings.Contains(said, "not found"):
		f.code = sdk.CodeConfigMissing
		f.todo = "create the ServiceAccount in namespace " + l.Namespace + ", or correct spec.serviceAccountName"
	case strings.Contains(said, "failed calling webhook"):
		f.code, f.environment = sdk.CodeDependencyDown, true
		f.todo = "bring the admission webhook back; the controller tries again by itself"
	case strings.Contains(said, "forbidden"), strings.Contains(said, "denied"):
		f.code = sdk.CodePermissionDenied
		f.what += asks(l)
		f.todo = "an admission rule of the cluster refuses these pods: change them as it says"
	}
	from, resting := atRest(l)
	if !resting && !f.environment {
		return f, true // what moves may make room
	}
	if from.After(since) {
		since = from
	}
	return f.after(since, c.policy.Create), true
}

// forbidden is what comes before the reason.
var forbidden = regexp.MustCompile(`^pods "[^"]*" is forbidden: `)

// refusal is what the API server said when a pod was to be made, and since when it does.
func refusal(l *lawsuit) (said string, since time.Time) {
	for _, r := range l.Revisions {
		if r.Newest && r.Failure != "" {
			said = r.Failure
		}
	}
	if c, found := condition(l.Conditions, "ReplicaFailure"); found && c.Status == "True" {
		return orElse(said, c.Message), c.Since
	}
	if said != "" {
		return said, time.Time{}
	}
	if l.goal.updated >= l.goal.desired && kindOf(l.Ref) != kindJob || kindOf(l.Ref) == kindJob && len(l.Pods) > 0 {
		return "", time.Time{} // those that were refused were made in the end
	}
	for i := len(l.Events) - 1; i >= 0; i-- {
		if e := l.Events[i]; e.Reason == "FailedCreate" && e.Type == warning {
			if i := strings.Index(e.Message, "pods \""); i >= 0 {
				e.Message = e.Message[i:]
			}
			if e.Count > 2 { // the controller does not give up: it is refused again and again
				return e.Message, time.Time{}
			}
			return e.Message, e.At
		}
	}
	return "", time.Time{}
}

// atRest says that no pod goes and all new ones are ready, and since when.
func atRest(l *lawsuit) (since time.Time, resting bool) {
	if moving(l) {
		return time.Time{}, false
	}
	for i := range l.Pods {
		p := &l.Pods[i]
		if !p.Newest || !alive(p) {
			continue
		}
		if !p.Ready {
			return time.Time{}, false
		}
		if c, found := condition(p.Conditions, "Ready"); found && c.Since.After(since) {
			since = c.Since
		}
	}
	return since, true
}

// asks is what one pod of the workload asks for, as far as a pod shows it.
func asks(l *lawsuit) string {
	var seen *picture.Pod
	for i := range l.Pods {
		if seen == nil || l.Pods[i].Newest {
			seen = &l.Pods[i]
		}
	}
	switch {
	case seen == nil:
		return ""
	case seen.Newest:
		return " (a pod asks for: " + wanted(seen) + ")"
	default:
		return " (an old pod asks for: " + wanted(seen) + ")"
	}
}
