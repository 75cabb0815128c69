package judge

import (
	"fmt"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// find says what stands in the way of a workload that is not complete.
func (c *court) find(l *lawsuit) []finding {
	var found []finding
	add := func(f finding, is bool) {
		if is {
			f.workload = l.Workload
			if f.resource == "" {
				f.resource = l.id
			}
			found = append(found, f)
		}
	}
	if kindOf(l.Ref) == kindCronJob {
		return nil
	}
	add(c.uncreated(l))
	add(c.paused(l))
	for i := range l.Pods {
		if p := &l.Pods[i]; (p.Newest || !hasRevisions(l.Workload)) && p.Deleted.IsZero() {
			for _, f := range c.findPod(l, p) {
				add(f, true)
			}
		}
	}
	found = c.blameless(l, found)
	add(c.conclude(l, found))
	return found
}

// hasRevisions says whether pods are told apart by revision.
func hasRevisions(w *picture.Workload) bool {
	switch kindOf(w.Ref) {
	case kindDeployment, kindStatefulSet, kindDaemonSet, kindRollout:
		return true
	default:
		return false
	}
}

// paused is a Deployment with a change that nobody rolls out. A Rollout of Argo pauses by
// plan, a suspended Job waits for a queue.
func (c *court) paused(l *lawsuit) (finding, bool) {
	if kindOf(l.Ref) != kindDeployment || !l.Paused || l.goal.updated >= l.goal.desired {
		return finding{}, false
	}
	since := time.Time{}
	if progressing, found := condition(l.Conditions, "Progressing"); found && progressing.Reason == "DeploymentPaused" {
		since = progressing.Since
	}
	return finding{
		code: sdk.CodeOther,
		what: fmt.Sprintf("%s is paused: its newest revision is not rolled out, %d of %d pods have it", l.id, l.goal.updated, l.goal.desired),
		todo: fmt.Sprintf("kubectl rollout resume %s -n %s, and take spec.paused out of its manifest", short(l.Ref), l.Namespace),
	}.after(since, c.policy.Paused), true
}

// conclude is the verdict of the workload's own controller: it gave up, or its time is
// over. What was found before explains it.
func (c *court) conclude(l *lawsuit, found []finding) (finding, bool) {
	switch kindOf(l.Ref) {
	case kindDeployment, kindRollout:
		if progressing, there := condition(l.Conditions, "Progressing"); there && progressing.Status == "False" &&
			progressing.Reason == "ProgressDeadlineExceeded" && !stale(l.Workload, progressing) {
			return explained(finding{
				code: sdk.CodeProgressDeadline, sure: true,
				what: fmt.Sprintf("%s made no progress for %s: %s", l.id, orDefault(l.ProgressDeadline), l.goal.why),
				todo: "look at its pods and events: kubectl describe " + short(l.Ref) + " -n " + l.Namespace + "; a slow start needs a larger spec.progressDeadlineSeconds",
			}, found, c.At), true
		}
		if f, is := abortedRollout(l); is {
			return explained(f, found, c.At), true
		}
		return finding{}, false
	case kindJob:
		failed, there := condition(l.Conditions, "Failed")
		if !there || failed.Status != "True" {
			return finding{}, false
		}
		return c.failedJob(l, failed), true
	case kindOther:
		if l.Generic == nil || l.Generic.Status != "Failed" {
			return finding{}, false
		}
		return finding{
			code: sdk.CodeOther, sure: true,
			what: l.id + " has failed: " + orElse(l.Generic.Message, "its status says no more"),
			todo: "kubectl describe " + short(l.Ref) + " -n " + l.Namespace,
		}, true
	default:
		return finding{}, false
	}
}

// stale says that a condition is older than the newest revision's pods: it is about the
// rollout before.
func stale(w *picture.Workload, c picture.Condition) bool {
	var oldest time.Time
	for i := range w.Pods {
		if p := &w.Pods[i]; p.Newest && (oldest.IsZero() || p.Created.Before(oldest)) {
			oldest = p.Created
		}
	}
	return !c.Since.IsZero() && !oldest.IsZero() && c.Since.Before(oldest)
}

// orDefault is a progress deadline in words; 0 is the default of Kubernetes.
func orDefault(d time.Duration) time.Duration {
	if d == 0 {
		return 10 * time.Minute
	}
	return d
}

// explained gives a verdict of the controller the reason that was found for it, if any.
func explained(f finding, found []finding, now time.Time) finding {
	cause := worst(found, now)
	if cause == nil {
		return f
	}
	reason := *cause
	reason.what += "; " + f.what
	reason.sure, reason.since = true, f.since
	return reason
}

func only(all []finding, keep func(finding) bool) []finding {
	var kept []finding
	for _, f := range all {
		if keep(f) {
			kept = append(kept, f)
		}
	}
	return kept
}

// abortedRollout is a Rollout that Argo gave up, or cannot read.
func abortedRollout(l *lawsuit) (finding, bool) {
	if kindOf(l.Ref) != kindRollout {
		return finding{}, false
	}
	if c, found := condition(l.Conditions, "InvalidSpec"); found && c.Status == "True" {
		return finding{
			code: sdk.CodeOther, sure: true,
			what: l.id + " has an invalid spec: " + c.Message,
			todo: "correct the manifest: kubectl argo rollouts get rollout " + l.Name + " -n " + l.Namespace,
		}, true
	}
	if c, found := condition(l.Conditions, "Progressing"); found && c.Status == "False" && c.Reason == "RolloutAborted" && !stale(l.Workload, c) {
		return finding{
			code: sdk.CodeOther, sure: true,
			what: l.id + " was aborted by Argo Rollouts: " + c.Message,
			todo: "look at its analysis runs: kubectl argo rollouts get rollout " + l.Name + " -n " + l.Namespace,
		}, true
	}
	if l.Generic != nil && l.Generic.Status == "Failed" {
		return finding{
			code: sdk.CodeOther, sure: true,
			what: l.id + " is degraded: " + orElse(l.Generic.Message, "Argo Rollouts says no more"),
			todo: "kubectl argo rollouts get rollout " + l.Name + " -n " + l.Namespace,
		}, true
	}
	return finding{}, false
}

// failedJob is a Job that its controller gave up, with what its last pod said.
func (c *court) failedJob(l *lawsuit, failed picture.Condition) finding {
	f := finding{
		code: sdk.CodeExited, sure: true,
		what: fmt.Sprintf("%s has failed: %s", l.id, orElse(failed.Message, failed.Reason)),
		todo: "read the last lines of its pod, mend what makes it end, then deploy again",
	}
	if failed.Reason == "DeadlineExceeded" {
		f.code, f.todo = sdk.CodeProgressDeadline, "a job that takes longer needs a larger spec.activeDeadlineSeconds"
	}
	for i := len(l.Pods) - 1; i >= 0; i-- {
		p := &l.Pods[i]
		for j := range p.Containers {
			k := &p.Containers[j]
			last, ended := ending(k)
			if !ended || last.ExitCode == 0 {
				continue
			}
			f.pod, f.container, f.resource = p, k, ContainerID(p.Ref, k.Name)
			f.what += fmt.Sprintf("; container %s of pod %s ended with %s", k.Name, place(p.Ref), exit(last))
			if last.Reason == oomKilled {
				f.code = sdk.CodeOOMKilled
				f.what += " (" + size(k) + ")"
				f.todo = "raise resources.limits.memory of container " + k.Name + ", or make it need less"
			}
			return f
		}
	}
	return f
}
