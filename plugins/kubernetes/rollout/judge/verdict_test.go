package judge_test

import (
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/judge"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

const (
	notFound = `failed to pull and unpack image "registry.example/api:2": failed to resolve reference "registry.example/api:2": registry.example/api:2: not found`
	refused  = `failed to do request: Head "https://registry.example/v2/api/manifests/2": dial tcp 10.9.9.9:443: connect: connection refused`
	nowhere  = `failed to do request: Head "https://registry.example/v2/api/manifests/2": dial tcp: lookup registry.example on 10.0.0.10:53: no such host`
)

// judged is what a case wants.
type judged struct {
	picture picture.Picture
	kind    judge.Kind
	code    string // of the failure, or of the suspect while it goes on
	what    string // part of the verdict's message
}

func check(t *testing.T, cases map[string]judged) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := judge.Judge(c.picture, judge.Policy{})
			v := j.Verdict
			if v.Kind != c.kind || !strings.Contains(v.Message, c.what) {
				t.Errorf("it is %s: %q, want %s with %q", v.Kind, v.Message, c.kind, c.what)
			}
			told := v.Failure
			if v.Kind == judge.GoingOn {
				told = v.Suspect
			}
			switch code := ""; {
			case told != nil && told.Code != c.code, told == nil && c.code != "":
				if told != nil {
					code = told.Code
				}
				t.Errorf("the code is %q, want %q", code, c.code)
			case told != nil && (told.Message == "" || told.Suggestion == "" || told.Resource == ""):
				t.Errorf("it does not say what, where and what to do: %+v", told)
			case told != nil && v.Kind != judge.GoingOn && told.Environment != (v.Kind == judge.Environment):
				t.Errorf("it is %s and says environment %t", v.Kind, told.Environment)
			}
			if (v.Failure != nil) != (v.Kind == judge.Failed || v.Kind == judge.Environment) {
				t.Errorf("it is %s with the failure %+v", v.Kind, v.Failure)
			}
			if (j.Progress.Fraction == 1) != (v.Kind == judge.Done) {
				t.Errorf("it is %s at %v", v.Kind, j.Progress.Fraction)
			}
			passes(t, c.picture)
		})
	}
}

// TestEarlyVerdicts are the failures that a pod shows long before a deadline.
func TestEarlyVerdicts(t *testing.T) {
	t.Parallel()
	v1, v1b := pod("api-1-a", old), pod("api-1-b", old)
	one := func(at time.Duration, with ...func(*picture.Pod)) picture.Picture {
		return drawn(at, deployment(2, v1, v1b, pod("api-2-a", with...)))
	}
	check(t, map[string]judged{
		"image missing": {one(2*time.Second, waits("ErrImagePull", notFound)), judge.Failed, sdk.CodeImageNotFound, "registry.example/api:2: not found"},
		"image missing, waiting for the next try, the reason in the message": {
			one(9*time.Second, waits("ImagePullBackOff", `Back-off pulling image "registry.example/api:2": ErrImagePull: `+notFound)),
			judge.Failed, sdk.CodeImageNotFound, "cannot be found: registry.example/api:2: not found",
		},
		"image missing, the reason in the event alone": {
			one(9*time.Second, waits("ImagePullBackOff", `Back-off pulling image "registry.example/api:2"`), event("Warning", "Failed", `Failed to pull image "registry.example/api:2": rpc error: code = NotFound desc = `+notFound)),
			judge.Failed, sdk.CodeImageNotFound, "not found",
		},
		"image of another architecture": {one(2*time.Second, waits("ErrImagePull", `failed to resolve reference "registry.example/api:2": no match for platform in manifest: not found`)), judge.Failed, sdk.CodeImageNotFound, "not built for the platform of node node-1"},
		"image never to be pulled":      {one(2*time.Second, waits("ErrImageNeverPull", "")), judge.Failed, sdk.CodeImageNotFound, "imagePullPolicy Never"},
		"manifest unknown":              {one(2*time.Second, waits("ErrImagePull", "manifest unknown: manifest tagged by 2 is not found")), judge.Failed, sdk.CodeImageNotFound, ""},
		"pull denied":                   {one(2*time.Second, waits("ErrImagePull", "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed")), judge.Failed, sdk.CodeImagePullDenied, "may not be pulled"},
		"pull denied, the secret for it is late": {
			one(5*time.Second, waits("ErrImagePull", "401 Unauthorized"), event("Warning", "FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (registry); attempting to pull the image may not succeed.")),
			judge.GoingOn, sdk.CodeImagePullDenied, "",
		},
		"registry down":                             {one(2*time.Second, waits("ErrImagePull", refused)), judge.Environment, sdk.CodeRegistryUnreachable, "connection refused"},
		"registry answers 503":                      {one(2*time.Second, waits("ErrImagePull", "unexpected status from HEAD request to https://registry.example/v2/api/manifests/2: 503 Service Unavailable")), judge.Environment, sdk.CodeRegistryUnreachable, ""},
		"registry limits its pulls":                 {one(2*time.Second, waits("ErrImagePull", "429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit")), judge.Environment, sdk.CodeRegistryUnreachable, ""},
		"no token in time is no denial":             {one(2*time.Second, waits("ErrImagePull", `failed to authorize: failed to fetch anonymous token: Get "https://auth.example/token": dial tcp 10.9.9.9:443: i/o timeout`)), judge.Environment, sdk.CodeRegistryUnreachable, ""},
		"registry of the old pods too not resolved": {one(time.Hour, waits("ErrImagePull", nowhere)), judge.Environment, sdk.CodeRegistryUnreachable, "no such host"},
		"registry that only the change names": {
			one(time.Hour, waits("ErrImagePull", nowhere), func(p *picture.Pod) { p.Containers[0].Image = "regitsry.example/api:2" }),
			judge.Failed, sdk.CodeRegistryUnreachable, "no such host",
		},
		"a pull that fails for a reason of its own": {one(10*time.Second, waits("ErrImagePull", "layers from manifest don't match image configuration")), judge.GoingOn, sdk.CodeOther, ""},
		"the same for long":                         {one(time.Minute, waits("ErrImagePull", "layers from manifest don't match image configuration")), judge.Failed, sdk.CodeOther, "don't match"},

		"one exit is none":      {one(10*time.Second, ends(1, 3, "Error")), judge.GoingOn, sdk.CodeExited, "ended once"},
		"crash loop":            {one(10*time.Second, ends(2, 3, "Error")), judge.Failed, sdk.CodeCrashLoop, "ended twice, last with exit code 3"},
		"a server that returns": {one(10*time.Second, ends(2, 0, "Completed"), probes(false, true, false)), judge.Failed, sdk.CodeCrashLoop, "exit code 0"},
		"a crash without a readiness probe, up for a moment": {
			one(12*time.Second, ends(2, 3, "Error"), probes(false, false, false), func(p *picture.Pod) {
				p.Ready, p.Containers[0].Ready, p.Containers[0].State = true, true, picture.ContainerState{Kind: "running", Since: after(11 * time.Second)}
			}),
			judge.GoingOn, "", "",
		},
		"it ran for an hour before it ended twice": {
			one(10*time.Second, ends(2, 3, "Error"), func(p *picture.Pod) { p.Containers[0].Last.Since = began.Add(-time.Hour) }),
			judge.GoingOn, sdk.CodeCrashLoop, "",
		},
		"it was ready again after two exits": {
			one(time.Minute, ends(2, 3, "Error"), func(p *picture.Pod) {
				p.Containers[0].State = picture.ContainerState{Kind: "running", Since: after(20 * time.Second)}
				p.Conditions[0].Since = after(50 * time.Second)
			}),
			judge.GoingOn, sdk.CodeProgressDeadline, "runs and is not ready",
		},
		"a readiness gate": {
			one(time.Minute, func(p *picture.Pod) {
				p.Ready = false
				p.Conditions = append(p.Conditions, picture.Condition{Type: "target-health.example/api", Status: "False", Reason: "Initial", Message: "Target registration is in progress"})
			}),
			judge.GoingOn, sdk.CodeProgressDeadline, "readiness gate target-health.example/api (Initial: Target registration",
		},
		"OOM":                          {one(10*time.Second, ends(2, 137, "OOMKilled")), judge.Failed, sdk.CodeOOMKilled, "limits memory 64Mi"},
		"one OOM is none":              {one(10*time.Second, ends(1, 137, "OOMKilled")), judge.GoingOn, sdk.CodeOOMKilled, ""},
		"no such program":              {one(10*time.Second, ends(2, 128, "StartError")), judge.Failed, sdk.CodeConfigMissing, "cannot be started"},
		"ended by its liveness probe":  {one(time.Minute, ends(2, 143, "Error"), event("Warning", "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500"), event("Normal", "Killing", "Container app failed liveness probe, will be restarted")), judge.Failed, sdk.CodeProbeFailing, "statuscode: 500"},
		"the same where no event came": {one(time.Minute, ends(2, 143, "Error")), judge.Failed, sdk.CodeProbeFailing, "as kubelet does when the livenessProbe fails"},
		"ended by its startup probe":   {one(time.Minute, ends(2, 137, "Error"), probes(true, true, true), event("Normal", "Killing", "Container app failed startup probe, will be restarted")), judge.Failed, sdk.CodeProbeFailing, "startupProbe"},
		"an exit of its own and one by a probe": {
			one(time.Minute, ends(2, 3, "Error"), event("Normal", "Killing", "Container app failed liveness probe, will be restarted")),
			judge.GoingOn, sdk.CodeExited, "ended once",
		},
		"events of an earlier pod of that name": {
			one(time.Minute, unready, func(p *picture.Pod) {
				p.Events = []picture.Event{{At: began, Reason: "Unhealthy", Message: "Readiness probe failed: of the pod before"}}
			}),
			judge.GoingOn, sdk.CodeProgressDeadline, "runs and is not ready",
		},

		"unschedulable for a moment":                 {one(5*time.Second, homeless("0/1 nodes are available: 1 Insufficient cpu. preemption: none")), judge.GoingOn, sdk.CodeUnschedulable, ""},
		"unschedulable by cpu":                       {one(time.Minute, homeless("0/1 nodes are available: 1 Insufficient cpu. preemption: none")), judge.Failed, sdk.CodeUnschedulable, "1 Insufficient cpu (container app: requests cpu 1; limits memory 64Mi)"},
		"unschedulable by selector":                  {one(time.Minute, homeless("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.")), judge.Failed, sdk.CodeUnschedulable, "affinity/selector"},
		"unschedulable by taint":                     {one(time.Minute, homeless("0/3 nodes are available: 3 node(s) had untolerated taint {gpu: true}.")), judge.Failed, sdk.CodeUnschedulable, "taint {gpu: true}"},
		"unschedulable by a taint that is not named": {one(time.Minute, homeless("0/1 nodes are available: 1 node(s) had untolerated taint(s).")), judge.Failed, sdk.CodeUnschedulable, "untolerated taint(s)"},
		"unschedulable while pods go":                {drawn(time.Minute, deployment(2, v1, pod("api-1-b", old, going), pod("api-2-a", homeless("0/1 nodes are available: 1 Insufficient memory.")))), judge.GoingOn, sdk.CodeUnschedulable, ""},
		"unschedulable while a node is added":        {one(5*time.Minute, homeless("0/1 nodes are available: 1 Insufficient cpu."), event("Normal", "TriggeredScaleUp", "pod triggered scale-up: [{group 1->2 (max: 3)}]")), judge.GoingOn, sdk.CodeUnschedulable, "triggered scale-up"},
		"a node is added in vain":                    {one(11*time.Minute, homeless("0/1 nodes are available: 1 Insufficient cpu."), event("Normal", "TriggeredScaleUp", "pod triggered scale-up")), judge.Failed, sdk.CodeUnschedulable, ""},
		"a claim that is not there":                  {one(time.Minute, homeless(`0/1 nodes are available: persistentvolumeclaim "data" not found. not found`)), judge.Failed, sdk.CodeConfigMissing, `"data" not found`},

		"ConfigMap missing for a moment": {one(5*time.Second, waits("CreateContainerConfigError", `configmap "settings" not found`)), judge.GoingOn, sdk.CodeConfigMissing, ""},
		"ConfigMap missing":              {one(12*time.Second, waits("CreateContainerConfigError", `configmap "settings" not found`)), judge.Failed, sdk.CodeConfigMissing, `configmap "settings" not found`},
		"Secret missing":                 {one(12*time.Second, waits("CreateContainerConfigError", `secret "key" not found`)), judge.Failed, sdk.CodeConfigMissing, `secret "key"`},
		"key missing":                    {one(12*time.Second, waits("CreateContainerConfigError", "couldn't find key a in ConfigMap shop/settings")), judge.Failed, sdk.CodeConfigMissing, "key a"},
		"volume missing, seen in an event": {
			one(12*time.Second, waits("ContainerCreating", ""), event("Warning", "FailedMount", `MountVolume.SetUp failed for volume "v" : configmap "settings" not found`)),
			judge.Failed, sdk.CodeConfigMissing, "settings",
		},
		"a mount that fails for once is none": {
			one(time.Minute, waits("ContainerCreating", ""), event("Warning", "FailedMount", `MountVolume.SetUp failed for volume "kube-api-access" : failed to fetch token: serviceaccounts "default" is forbidden`)),
			judge.GoingOn, sdk.CodeOther, "",
		},
		"a node that makes no sandbox": {
			one(time.Minute, waits("ContainerCreating", ""), event("Warning", "FailedCreatePodSandBox", "plugin type=\"bridge\" failed: no IP addresses available")),
			judge.Environment, sdk.CodePlatformDown, "no IP addresses",
		},
		"root forbidden": {one(12*time.Second, waits("CreateContainerConfigError", "container has runAsNonRoot and image will run as root")), judge.Failed, sdk.CodeOther, "runAsNonRoot"},
	})
}

// TestControllersWord are the verdicts that the workload itself gives.
func TestControllersWord(t *testing.T) {
	t.Parallel()
	v1, v1b := pod("api-1-a", old), pod("api-1-b", old)
	with := func(w picture.Workload, kind, status, reason, message string, since time.Duration) picture.Workload {
		w.Conditions = []picture.Condition{{Type: kind, Status: status, Reason: reason, Message: message, Since: after(since)}}
		return w
	}
	refusing := func(message string, pods ...picture.Pod) picture.Workload {
		w := with(deployment(2, pods...), "ReplicaFailure", "True", "FailedCreate", message, 2*time.Second)
		w.Revisions[0].Failure = message
		return w
	}
	paused := with(deployment(2, v1, v1b), "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", time.Second)
	paused.Paused = true
	const quota = `pods "api-2-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2`
	late := func(since time.Duration, p picture.Pod) picture.Workload {
		return with(deployment(2, v1, v1b, p), "Progressing", "False", "ProgressDeadlineExceeded", `ReplicaSet "api-2" has timed out progressing.`, since)
	}
	job := func(pods []picture.Pod, conditions ...picture.Condition) picture.Workload {
		return picture.Workload{Ref: ref("batch/v1", "Job", "migrate"), Generation: 1, ObservedGeneration: 1, Desired: 1, Pods: pods, Conditions: conditions}
	}
	ended := pod("migrate-a", ends(1, 3, "Error"), func(p *picture.Pod) {
		p.Phase = "Failed"
		p.Containers[0].State, p.Containers[0].Last = p.Containers[0].Last, picture.ContainerState{}
	})
	check(t, map[string]judged{
		"paused for a moment":              {drawn(5*time.Second, paused), judge.GoingOn, sdk.CodeOther, "paused"},
		"paused":                           {drawn(time.Minute, paused), judge.Failed, sdk.CodeOther, "is paused: its newest revision is not rolled out"},
		"quota for a moment":               {drawn(5*time.Second, refusing(quota, v1, v1b)), judge.GoingOn, sdk.CodeQuotaExceeded, ""},
		"quota":                            {drawn(time.Minute, refusing(quota, v1, v1b)), judge.Failed, sdk.CodeQuotaExceeded, "exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2 (an old pod asks for"},
		"quota while pods come":            {drawn(time.Minute, refusing(quota, v1, pod("api-2-a", unready))), judge.GoingOn, sdk.CodeQuotaExceeded, ""},
		"quota while pods go":              {drawn(time.Minute, refusing(quota, v1, pod("api-1-b", old, going))), judge.GoingOn, sdk.CodeQuotaExceeded, ""},
		"account missing":                  {drawn(time.Minute, refusing(`pods "api-2-" is forbidden: error looking up service account shop/nobody: serviceaccount "nobody" not found`, v1, v1b)), judge.Failed, sdk.CodeConfigMissing, "nobody"},
		"admission":                        {drawn(time.Minute, refusing(`pods "api-2-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true`, v1, v1b)), judge.Failed, sdk.CodePermissionDenied, "PodSecurity"},
		"admission webhook down":           {drawn(time.Minute, refusing(`Internal error occurred: failed calling webhook "check.example": dial tcp 10.0.0.7:443: connect: connection refused`, v1, v1b)), judge.Environment, sdk.CodeDependencyDown, "webhook"},
		"no progress in its time":          {drawn(11*time.Minute, late(10*time.Minute, pod("api-2-a", unready))), judge.Failed, sdk.CodeProgressDeadline, "made no progress for 10m0s"},
		"no progress, and it says why":     {drawn(11*time.Minute, late(10*time.Minute, pod("api-2-a", unready, event("Warning", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")))), judge.Failed, sdk.CodeProbeFailing, "statuscode: 503; Deployment shop/api made no progress"},
		"the word about the change before": {drawn(5*time.Second, late(-time.Hour, pod("api-2-a", unready))), judge.GoingOn, sdk.CodeProgressDeadline, ""},
		"StatefulSet refused by a quota": {
			drawn(time.Minute, func() picture.Workload {
				w := as(deployment(2, pod("api-0", old)), "apps/v1", "StatefulSet")
				w.Events = []picture.Event{{At: after(5 * time.Second), Type: "Warning", Reason: "FailedCreate", Count: 4, Message: `create Pod api-1 in StatefulSet api failed error: pods "api-1" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1`}}
				return w
			}()),
			judge.Failed, sdk.CodeQuotaExceeded, "exceeded quota",
		},
		"DaemonSet refused again and again, a moment ago too": {
			drawn(time.Minute, func() picture.Workload {
				w := as(deployment(2, pod("api-0")), "apps/v1", "DaemonSet")
				w.Events = []picture.Event{{At: after(59 * time.Second), Type: "Warning", Reason: "FailedCreate", Count: 9, Message: `Error creating: pods "api-x" is forbidden: exceeded quota: small`}}
				return w
			}()),
			judge.Failed, sdk.CodeQuotaExceeded, "DaemonSet shop/api cannot make its pods: exceeded quota: small",
		},
		"DaemonSet refused once": {
			drawn(time.Minute, func() picture.Workload {
				w := as(deployment(2, pod("api-0")), "apps/v1", "DaemonSet")
				w.Events = []picture.Event{{At: after(59 * time.Second), Type: "Warning", Reason: "FailedCreate", Count: 1, Message: `Error creating: pods "api-x" is forbidden: exceeded quota: small`}}
				return w
			}()),
			judge.GoingOn, sdk.CodeQuotaExceeded, "",
		},
		"StatefulSet slow for 9 min":  {drawn(9*time.Minute, as(deployment(1, pod("api-0", unready)), "apps/v1", "StatefulSet")), judge.GoingOn, sdk.CodeProgressDeadline, ""},
		"StatefulSet slow for 11 min": {drawn(11*time.Minute, as(deployment(1, pod("api-0", unready)), "apps/v1", "StatefulSet")), judge.Failed, sdk.CodeProgressDeadline, "10m0s are given"},

		"job at work":     {drawn(time.Hour, job([]picture.Pod{pod("migrate-a")})), judge.GoingOn, "", "0 of 1"},
		"job suspended":   {drawn(time.Hour, func() picture.Workload { w := job(nil); w.Paused = true; return w }()), judge.GoingOn, "", "suspended"},
		"job tries again": {drawn(time.Hour, job([]picture.Pod{ended, pod("migrate-b")})), judge.GoingOn, "", ""},
		"job whose pod starts again and again has its own limit": {drawn(time.Hour, job([]picture.Pod{pod("migrate-a", ends(4, 3, "Error"))})), judge.GoingOn, sdk.CodeCrashLoop, ""},
		"job failed": {
			drawn(time.Minute, job([]picture.Pod{ended}, picture.Condition{Type: "Failed", Status: "True", Reason: "BackoffLimitExceeded", Message: "Job has reached the specified backoff limit"})),
			judge.Failed, sdk.CodeExited, "backoff limit; container app of pod shop/migrate-a ended with exit code 3",
		},
		"job took too long": {
			drawn(time.Minute, job(nil, picture.Condition{Type: "Failed", Status: "True", Reason: "DeadlineExceeded", Message: "Job was active longer than specified deadline"})),
			judge.Failed, sdk.CodeProgressDeadline, "longer than",
		},
		"job with a missing image": {drawn(time.Minute, job([]picture.Pod{pod("migrate-a", waits("ErrImagePull", notFound))})), judge.Failed, sdk.CodeImageNotFound, ""},
		"job complete":             {drawn(time.Minute, job(nil, picture.Condition{Type: "Complete", Status: "True"})), judge.Done, "", "complete"},
	})
}

// TestEnvironment holds what is no fault of the change.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	sick := func(p *picture.Pod) {
		old(p)
		p.Ready, p.Containers[0].Ready = false, false
		p.Conditions[0] = picture.Condition{Type: "Ready", Status: "False", Since: after(4 * time.Second)}
		p.Events = []picture.Event{{At: after(4 * time.Second), Type: "Warning", Reason: "Unhealthy", Message: "Readiness probe failed: the database does not answer"}}
	}
	crash, missing := pod("api-2-a", ends(2, 3, "Error")), pod("api-2-a", waits("ErrImagePull", notFound))
	neverReady := pod("api-1-a", old, unready)
	dead := func(p picture.Picture) picture.Picture {
		p.Nodes = append(p.Nodes, picture.Node{Name: "node-2", Reason: "NodeStatusUnknown", Message: "Kubelet stopped posting node status."})
		return p
	}
	back := func(p picture.Picture) picture.Picture {
		p.Nodes[0].Since = after(50 * time.Second)
		return p
	}
	cordoned := func(p picture.Picture) picture.Picture {
		p.Nodes[0].Unschedulable = true
		return p
	}
	onDead := func(p *picture.Pod) { unready(p); p.Node = "node-2" }
	check(t, map[string]judged{
		"old pods unhealthy too":               {drawn(time.Minute, deployment(2, pod("api-1-a", sick), crash)), judge.Environment, sdk.CodeCrashLoop, "the old pods are unhealthy too (pod shop/api-1-a is not ready any more: Readiness probe failed: the database does not answer): "},
		"one old pod is well":                  {drawn(time.Minute, deployment(2, pod("api-1-a", sick), pod("api-1-b", old), crash)), judge.Failed, sdk.CodeCrashLoop, ""},
		"an old pod that was never ready":      {drawn(time.Minute, deployment(2, neverReady, crash)), judge.Failed, sdk.CodeCrashLoop, ""},
		"old pods unhealthy and image missing": {drawn(time.Minute, deployment(2, pod("api-1-a", sick), missing)), judge.Failed, sdk.CodeImageNotFound, ""},
		"node down":                            {dead(drawn(time.Minute, deployment(2, pod("api-2-b"), pod("api-2-a", onDead)))), judge.Environment, sdk.CodePlatformDown, "node node-2 of pod shop/api-2-a is not ready: NodeStatusUnknown"},
		"node down and image missing":          {dead(drawn(time.Minute, deployment(2, missing, pod("api-2-b", onDead)))), judge.Failed, sdk.CodeImageNotFound, ""},
		"node down and no room":                {dead(drawn(time.Minute, deployment(2, pod("api-2-b"), pod("api-2-a", homeless("0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }."))))), judge.Environment, sdk.CodeUnschedulable, "node node-2 is not ready"},
		"node down, the taint is not named":    {dead(drawn(time.Minute, deployment(1, pod("api-2-a", homeless("0/1 nodes are available: 1 node(s) had untolerated taint(s). no new claims to deallocate, preemption: none"))))), judge.Environment, sdk.CodeUnschedulable, "node node-2 is not ready"},
		"a node has just come back":            {back(drawn(time.Minute, deployment(1, pod("api-2-a", homeless("0/1 nodes are available: 1 node(s) had untolerated taint(s)."))))), judge.GoingOn, sdk.CodeUnschedulable, ""},
		"cordoned":                             {cordoned(drawn(time.Minute, deployment(2, pod("api-2-b"), pod("api-2-a", homeless("0/1 nodes are available: 1 node(s) were unschedulable."))))), judge.Environment, sdk.CodeUnschedulable, "node node-1 is cordoned"},
		"evicted and made again": {drawn(time.Minute, deployment(2, pod("api-2-b"), pod("api-2-a", unready), pod("api-2-c", func(p *picture.Pod) {
			p.Phase, p.Reason, p.Message = "Failed", "Evicted", "The node was low on resource: memory."
		}))), judge.GoingOn, sdk.CodeProgressDeadline, ""},
		"its time is over, the registry was down": {
			drawn(20*time.Minute, func() picture.Workload {
				w := deployment(2, pod("api-1-a", old), pod("api-2-a", waits("ImagePullBackOff", refused)))
				w.Conditions = []picture.Condition{{Type: "Progressing", Status: "False", Reason: "ProgressDeadlineExceeded", Since: after(10 * time.Minute)}}
				return w
			}()),
			judge.Environment, sdk.CodeRegistryUnreachable, "connection refused",
		},
	})
}
