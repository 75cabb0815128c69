package judge_test

import (
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/judge"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// changed is a workload with one thing about it otherwise.
func changed(w picture.Workload, change func(*picture.Workload)) picture.Workload {
	change(&w)
	return w
}

// TestFalseGreens are pictures that a hasty look takes for done.
func TestFalseGreens(t *testing.T) {
	t.Parallel()
	good := func() picture.Workload { return deployment(2, pod("api-2-a"), pod("api-2-bb")) }
	minute := func(w ...picture.Workload) picture.Picture { return drawn(time.Minute, w...) }
	generic := func(version, kind, status string) picture.Workload {
		return picture.Workload{Ref: ref(version, kind, "api"), Generation: 2, ObservedGeneration: 2, Generic: &picture.Generic{Status: status}}
	}
	alone := func(p picture.Pod) picture.Workload {
		w := picture.Workload{Ref: p.Ref, Desired: 1, Updated: 1, Pods: []picture.Pod{p}}
		if p.Ready {
			w.Ready, w.Available = 1, 1
		}
		return w
	}
	set := func(pods ...picture.Pod) picture.Workload {
		w := deployment(2, pods...)
		w.Kind, w.Revisions = "ReplicaSet", nil
		return w
	}
	check(t, map[string]judged{
		"good":                {minute(good()), judge.Done, "", "2 of 2 pods are ready"},
		"nothing is there":    {minute(), judge.GoingOn, "", "nothing of it is there"},
		"generation not seen": {minute(changed(good(), func(w *picture.Workload) { w.Generation = 3 })), judge.GoingOn, "", "has seen generation 2, not yet 3"},
		"a failure of the generation before": {
			minute(changed(deployment(2, pod("api-2-a", waits("ErrImagePull", notFound))), func(w *picture.Workload) { w.Generation = 3 })),
			judge.GoingOn, "", "generation",
		},
		"never observed":            {minute(changed(good(), func(w *picture.Workload) { w.ObservedGeneration = 0 })), judge.GoingOn, "", "generation"},
		"merely applied":            {minute(deployment(2)), judge.GoingOn, "", "0 of 2 pods"},
		"status ahead of the pods":  {minute(changed(deployment(2, pod("api-2-a")), func(w *picture.Workload) { w.Updated, w.Ready, w.Available = 2, 2, 2 })), judge.GoingOn, "", "1 of 2 pods were seen ready"},
		"pods ahead of the status":  {minute(changed(good(), func(w *picture.Workload) { w.Ready = 1 })), judge.GoingOn, "", "its controller counts 1 of 2"},
		"not ready for long enough": {minute(changed(good(), func(w *picture.Workload) { w.Available = 1 })), judge.GoingOn, "", "1 of 2 pods are available"},
		"pods were not to be seen": {func() picture.Picture {
			p := minute(changed(deployment(2), func(w *picture.Workload) { w.Updated, w.Ready, w.Available = 2, 2, 2 }))
			p.Blind = []string{"list pods in shop: forbidden"}
			return p
		}(), judge.GoingOn, "", "could not look: list pods in shop: forbidden"},
		"events were not to be seen": {func() picture.Picture {
			p := minute(good())
			p.Blind = []string{"list events in shop: forbidden"}
			return p
		}(), judge.Done, "", ""},
		"an old pod is left":          {minute(deployment(2, pod("api-2-a"), pod("api-2-bb"), pod("api-1-a", old))), judge.GoingOn, "", "1 old pods have not gone"},
		"an old pod is wanted":        {minute(changed(good(), func(w *picture.Workload) { w.Revisions[1].Desired = 1 })), judge.GoingOn, "", "old"},
		"an old pod is on its way":    {minute(deployment(2, pod("api-2-a"), pod("api-2-bb"), pod("api-1-a", old, going))), judge.Done, "", ""},
		"one pod more is not ready":   {minute(deployment(2, pod("api-2-a"), pod("api-2-bb"), pod("api-2-ccc", unready))), judge.GoingOn, sdk.CodeProgressDeadline, "pod api-2-ccc is not ready"},
		"scaled to nothing":           {minute(deployment(0)), judge.Done, "", "scaled to 0: nothing runs"},
		"paused after all":            {minute(changed(good(), func(w *picture.Workload) { w.Paused = true })), judge.Done, "", "paused"},
		"has just started again":      {minute(deployment(1, pod("api-2-a", func(p *picture.Pod) { p.Containers[0].Restarts, p.Containers[0].State.Since = 1, after(50*time.Second) }))), judge.GoingOn, "", "has started again"},
		"runs since it started again": {minute(deployment(1, pod("api-2-a", func(p *picture.Pod) { p.Containers[0].Restarts, p.Containers[0].State.Since = 1, after(40*time.Second) }))), judge.Done, "", ""},
		"no probe, just started":      {drawn(5*time.Second, deployment(1, pod("api-2-a", probes(false, false, false)))), judge.GoingOn, "", "no readiness probe"},
		"no probe, runs":              {drawn(7*time.Second, deployment(1, pod("api-2-a", probes(false, false, false)))), judge.Done, "", ""},
		"ready and fails its liveness probe": {
			drawn(12*time.Second, deployment(1, pod("api-2-a", event("Warning", "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500")))),
			judge.GoingOn, "", "fails its liveness probe: HTTP probe failed with statuscode: 500",
		},
		"ready and fails again the probe that ended it": {
			drawn(14*time.Second, deployment(1, pod("api-2-a", event("Normal", "Killing", "Container app failed liveness probe, will be restarted"), event("Warning", "Unhealthy", "Liveness probe failed: 500"), func(p *picture.Pod) {
				p.Events[0].Count, p.Events[1].At = 2, after(13*time.Second)
				p.Containers[0].Restarts, p.Containers[0].State.Since = 2, after(12*time.Second)
				p.Containers[0].Last = picture.ContainerState{Kind: "terminated", ExitCode: 143, Since: after(8 * time.Second), Ended: after(11 * time.Second)}
			}))),
			judge.Failed, sdk.CodeProbeFailing, "was ended by kubelet twice, since its livenessProbe fails: 500",
		},
		"one of two workloads": {minute(good(), changed(deployment(2), func(w *picture.Workload) { w.Name = "web" })), judge.GoingOn, "", "Deployment shop/web"},

		"kstatus: current":                  {minute(generic("example.org/v1", "Database", "Current")), judge.Done, "", ""},
		"kstatus: in progress":              {minute(generic("example.org/v1", "Database", "InProgress")), judge.GoingOn, "", ""},
		"kstatus: failed":                   {minute(generic("example.org/v1", "Database", "Failed")), judge.Failed, sdk.CodeOther, "has failed"},
		"kstatus: being deleted":            {minute(generic("example.org/v1", "Database", "Terminating")), judge.GoingOn, "", "deleted"},
		"kstatus: nobody knows":             {minute(generic("example.org/v1", "Database", "Unknown")), judge.GoingOn, "", ""},
		"kstatus: current, not observed":    {minute(changed(generic("example.org/v1", "Database", "Current"), func(w *picture.Workload) { w.Generation = 3 })), judge.GoingOn, "", "generation"},
		"a kind without any status":         {minute(changed(generic("example.org/v1", "Database", ""), func(w *picture.Workload) { w.Generic = nil })), judge.GoingOn, "", "no status"},
		"VirtualService is always current":  {minute(generic("networking.istio.io/v1", "VirtualService", "Current")), judge.Done, "", "no status that says whether it works"},
		"a pod by itself":                   {minute(alone(pod("api"))), judge.Done, "", "1 of 1"},
		"a pod by itself that pulls":        {minute(alone(pod("api", waits("ImagePullBackOff", notFound)))), judge.Failed, sdk.CodeImageNotFound, ""},
		"a pod by itself that waits":        {minute(alone(pod("api", unready))), judge.GoingOn, sdk.CodeProgressDeadline, ""},
		"a pod by itself, its work is done": {minute(alone(pod("api", unready, func(p *picture.Pod) { p.Phase = "Succeeded" }))), judge.Done, "", "has done its work"},
		"a pod by itself has ended badly": {minute(alone(pod("api", unready, func(p *picture.Pod) {
			p.Phase, p.Containers[0].State = "Failed", picture.ContainerState{Kind: "terminated", ExitCode: 3, Reason: "Error"}
		}))), judge.Failed, sdk.CodeExited, "exit code 3"},
		"a pod by itself was evicted":     {minute(alone(pod("api", unready, func(p *picture.Pod) { p.Phase, p.Reason = "Failed", "Evicted" }))), judge.Environment, sdk.CodePlatformDown, "Evicted"},
		"a ReplicaSet by itself":          {minute(set(pod("api-a"), pod("api-bb"))), judge.Done, "", "2 of 2"},
		"a ReplicaSet by itself, wanting": {minute(set(pod("api-a"))), judge.GoingOn, "", "1 of 2"},
	})
}

// TestKinds are the workloads that are no Deployment.
func TestKinds(t *testing.T) {
	t.Parallel()
	minute := func(w ...picture.Workload) picture.Picture { return drawn(time.Minute, w...) }
	set := func(pods ...picture.Pod) picture.Workload {
		return as(deployment(3, pods...), "apps/v1", "StatefulSet")
	}
	partition := func(n int32, w picture.Workload) picture.Workload {
		w.Partition = n
		return w
	}
	onDelete := func(w picture.Workload) picture.Workload { w.OnDelete = true; return w }
	daemon := func(desired int, pods ...picture.Pod) picture.Workload {
		return as(deployment(desired, pods...), "apps/v1", "DaemonSet")
	}
	rollout := func(conditions []picture.Condition, pods ...picture.Pod) picture.Workload {
		w := deployment(2, pods...)
		w.APIVersion, w.Kind, w.Conditions = "argoproj.io/v1alpha1", "Rollout", conditions
		return w
	}
	says := func(pairs ...string) (conditions []picture.Condition) {
		for i := 0; i < len(pairs); i += 3 {
			conditions = append(conditions, picture.Condition{Type: pairs[i], Status: pairs[i+1], Reason: pairs[i+2], Message: "argo says so", Since: after(40 * time.Second)})
		}
		return conditions
	}
	a, b, c := pod("api-0"), pod("api-1"), pod("api-2")
	oldA, oldB, oldC := pod("api-0", old), pod("api-1", old), pod("api-2", old)
	cron := picture.Workload{Ref: ref("batch/v1", "CronJob", "tick"), Generation: 2, ObservedGeneration: 2}
	check(t, map[string]judged{
		"StatefulSet":          {minute(set(a, b, c)), judge.Done, "", "3 of 3"},
		"StatefulSet half way": {minute(set(oldA, oldB, c)), judge.GoingOn, "", "1 of 3 pods are of the newest revision"},
		"StatefulSet: all counted, one pod still old": {minute(changed(set(oldA, b, c), func(w *picture.Workload) { w.Updated = 3 })), judge.GoingOn, "", ""},
		"StatefulSet stuck on its last pod":           {minute(set(oldA, oldB, pod("api-2", waits("ErrImagePull", notFound)))), judge.Failed, sdk.CodeImageNotFound, ""},
		"StatefulSet has lost a pod":                  {minute(changed(set(a, b), func(w *picture.Workload) { w.Updated = 3 })), judge.GoingOn, "", "2 of 3"},
		"partition reached":                           {minute(partition(2, set(oldA, oldB, c))), judge.Done, "", "2 of 3 pods stay old (partition 2)"},
		"partition, its pod is not ready":             {minute(partition(2, set(oldA, oldB, pod("api-2", unready)))), judge.GoingOn, sdk.CodeProgressDeadline, "api-2 is not ready"},
		"partition, a pod that stays is not ready":    {minute(partition(2, set(pod("api-0", old, unready), oldB, c))), judge.GoingOn, "", "api-0 is not ready"},
		"partition, the wrong pod is new":             {minute(partition(2, set(a, oldB, oldC))), judge.GoingOn, "", ""},
		"partition beyond all":                        {minute(partition(5, set(oldA, oldB, oldC))), judge.Done, "", "3 of 3 pods stay old"},
		"OnDelete":                                    {minute(onDelete(set(oldA, oldB, c))), judge.Done, "", "2 of 3 pods stay old until somebody deletes them"},
		"OnDelete, a pod is not ready":                {minute(onDelete(set(oldA, oldB, pod("api-2", unready)))), judge.GoingOn, sdk.CodeProgressDeadline, "api-2"},

		"DaemonSet":                      {minute(daemon(2, a, b)), judge.Done, "", ""},
		"DaemonSet half way":             {minute(daemon(2, a, oldB)), judge.GoingOn, "", "1 of 2"},
		"DaemonSet on no node":           {minute(daemon(0)), judge.Done, "", "no node is chosen"},
		"DaemonSet OnDelete":             {minute(onDelete(daemon(2, oldA, oldB))), judge.Done, "", "stay old"},
		"DaemonSet with a missing image": {minute(daemon(2, oldA, pod("api-1", waits("ErrImagePull", notFound)))), judge.Failed, sdk.CodeImageNotFound, ""},
		"CronJob":                        {minute(cron), judge.Done, "", "by its schedule"},
		"CronJob suspended":              {minute(changed(cron, func(w *picture.Workload) { w.Paused = true })), judge.Done, "", "suspended"},
		"CronJob not observed":           {minute(changed(cron, func(w *picture.Workload) { w.ObservedGeneration = 1 })), judge.GoingOn, "", ""},

		"Rollout healthy":                        {minute(rollout(says("Healthy", "True", "RolloutHealthy", "Available", "True", ""), a, b)), judge.Done, "", ""},
		"Rollout ready but not healthy":          {minute(rollout(says("Healthy", "False", "RolloutHealthy", "Available", "True", ""), a, b)), judge.GoingOn, "", "does not call it healthy"},
		"Rollout of an older controller":         {minute(rollout(says("Available", "True", "", "Progressing", "True", "NewReplicaSetAvailable"), a, b)), judge.Done, "", ""},
		"Rollout keeps its old pods for a while": {minute(rollout(says("Healthy", "True", ""), a, b, pod("api-1-a", old))), judge.Done, "", ""},
		"Rollout paused at a step": {
			minute(changed(rollout(says("Healthy", "False", "", "Paused", "True", "CanaryPauseStep"), a, oldB), func(w *picture.Workload) { w.Paused = true })),
			judge.GoingOn, "", "paused",
		},
		"Rollout paused before its promotion": {
			minute(changed(rollout(says("Healthy", "False", "", "Paused", "True", "BlueGreenPause"), a, b), func(w *picture.Workload) { w.Paused = true })),
			judge.GoingOn, "", "kubectl argo rollouts promote api -n shop",
		},
		"Rollout aborted":  {minute(rollout(says("Progressing", "False", "RolloutAborted"), a, oldB)), judge.Failed, sdk.CodeOther, "was aborted by Argo Rollouts: argo says so"},
		"Rollout invalid":  {minute(rollout(says("InvalidSpec", "True", "InvalidSpec"), oldA, oldB)), judge.Failed, sdk.CodeOther, "invalid spec: argo says so"},
		"Rollout too late": {minute(rollout(says("Progressing", "False", "ProgressDeadlineExceeded"), pod("api-0", unready), oldB)), judge.Failed, sdk.CodeProgressDeadline, "made no progress"},
		"Rollout degraded, which kstatus calls current": {
			minute(changed(rollout(says("Available", "True", ""), pod("api-0", ends(2, 3, "Error")), oldB), func(w *picture.Workload) { w.Generic = &picture.Generic{Status: "Current"} })),
			judge.Failed, sdk.CodeCrashLoop, "",
		},
		"Rollout degraded, all pods ready": {
			minute(changed(rollout(says("Healthy", "True", ""), a, b), func(w *picture.Workload) { w.Generic = &picture.Generic{Status: "Failed", Message: "analysis failed"} })),
			judge.Failed, sdk.CodeOther, "is degraded: analysis failed",
		},
		"Rollout with a missing image": {minute(rollout(says("Healthy", "False", ""), oldA, pod("api-1", waits("ErrImagePull", notFound)))), judge.Failed, sdk.CodeImageNotFound, ""},
	})
}

// TestServices asks whether what is ready is reached.
func TestServices(t *testing.T) {
	t.Parallel()
	a, b, v1 := pod("api-2-a"), pod("api-2-bb"), pod("api-1-a", old)
	with := func(at time.Duration, s ...picture.Service) picture.Picture {
		p := drawn(at, deployment(2, a, b, pod("api-1-a", old, going)))
		p.Services = s
		return p
	}
	missing := func(at time.Duration) picture.Picture {
		p := with(at)
		p.Missing = []picture.Missing{{Object: ref("v1", "Service", "web")}}
		return p
	}
	blind := func(p picture.Picture) picture.Picture {
		p.Blind = []string{"list endpointslices in shop: forbidden"}
		return p
	}
	external := service("web")
	external.External = true
	anonymous := picture.Service{Ref: ref("v1", "Service", "web"), Endpoints: []picture.Endpoint{{IP: "192.0.2.1", Ready: true}}}
	byAddress := picture.Service{Ref: ref("v1", "Service", "web"), Endpoints: []picture.Endpoint{{IP: a.IP, Ready: true}}}
	check(t, map[string]judged{
		"reached":                        {with(10*time.Second, service("web", a, b)), judge.Done, "", ""},
		"one pod is reached":             {with(10*time.Second, service("web", a)), judge.Done, "", ""},
		"reached by address":             {with(10*time.Second, byAddress), judge.Done, "", ""},
		"not yet":                        {with(10*time.Second, service("web", v1)), judge.GoingOn, sdk.CodeOther, "1 of old pods"},
		"only old pods":                  {with(time.Minute, service("web", v1)), judge.Failed, sdk.CodeOther, "Service shop/web has no ready address of the new pods"},
		"no address, a selector wrong":   {with(time.Minute, service("web")), judge.Failed, sdk.CodeOther, "it has none at all"},
		"somebody else's pods":           {with(time.Minute, service("web", pod("other-pod"))), judge.Failed, sdk.CodeOther, "1 of pods that are not of this component"},
		"none ready":                     {with(time.Minute, service("web", pod("api-2-a", unready))), judge.Failed, sdk.CodeOther, "1 that are not ready"},
		"one of two":                     {with(time.Minute, service("web", a), service("admin")), judge.Failed, sdk.CodeOther, "Service shop/admin"},
		"no pods behind it by intention": {with(time.Minute, external), judge.Done, "", ""},
		"addresses that nobody explains": {with(time.Minute, anonymous), judge.Done, "", ""},
		"could not be looked at":         {blind(with(time.Hour, service("web"))), judge.GoingOn, sdk.CodeOther, "could not look"},
		"not there yet":                  {missing(10 * time.Second), judge.GoingOn, sdk.CodeConfigMissing, ""},
		"not there":                      {missing(time.Minute), judge.Failed, sdk.CodeConfigMissing, "Service shop/web is not there"},
		"no pods, no addresses": {
			func() picture.Picture {
				p := drawn(time.Hour, deployment(0))
				p.Services = []picture.Service{service("web")}
				return p
			}(),
			judge.Done, "", "",
		},
		"old pods that are to stay": {
			func() picture.Picture {
				w := as(deployment(1, v1), "apps/v1", "StatefulSet")
				w.OnDelete = true
				p := drawn(time.Hour, w)
				p.Services = []picture.Service{service("web", v1)}
				return p
			}(),
			judge.Done, "", "",
		},
	})
}

// TestMesh asks whether the rules of a mesh lead to what is ready.
func TestMesh(t *testing.T) {
	t.Parallel()
	route := func(change func(*picture.Route)) picture.Route {
		r := picture.Route{
			By: ref("networking.istio.io/v1", "VirtualService", "web"), Where: "spec.http[0].route[0]", Host: "web", Subset: "v2", Weight: 100,
			Service: ref("v1", "Service", "web"), Pods: []string{"api-2-a"},
		}
		change(&r)
		return r
	}
	with := func(at time.Duration, routes ...picture.Route) picture.Picture {
		p := drawn(at, deployment(1, pod("api-2-a")))
		p.Routes = routes
		return p
	}
	right := route(func(*picture.Route) {})
	nowhere := route(func(r *picture.Route) { r.Service.Name = "" })
	undefined := route(func(r *picture.Route) { r.Undefined, r.Pods = true, nil })
	empty := route(func(r *picture.Route) { r.Pods = []string{"gone"} })
	unused := route(func(r *picture.Route) { r.Weight, r.Undefined = 0, true })
	cases := map[string]judged{
		"leads there":      {with(time.Minute, right), judge.Done, "", ""},
		"host unknown":     {with(time.Minute, right, nowhere), judge.Failed, sdk.CodeConfigMissing, "VirtualService shop/web at spec.http[0].route[0] sends to host web, which is no Service"},
		"subset undefined": {with(time.Minute, undefined), judge.Failed, sdk.CodeConfigMissing, "subset v2 of host web, which no DestinationRule defines"},
		"no ready pod":     {with(time.Minute, empty), judge.Failed, sdk.CodeOther, "none of 1 pods is ready"},
		"not yet":          {with(10*time.Second, empty), judge.GoingOn, sdk.CodeOther, "none of 1 pods"},
		"without weight":   {with(time.Minute, right, unused), judge.Done, "", ""},
	}
	check(t, cases)
	for name, c := range cases {
		want := sdk.CheckHealthy
		if c.code != "" {
			want = sdk.CheckUnhealthy
		}
		got, there := asked(c.picture)["routes of virtualservice/web"]
		if !there || got.Status != want || got.Type != "mesh" || got.Resource != "VirtualService.networking.istio.io shop/web" {
			t.Errorf("%s: the check is %+v, want %s", name, got, answers[want])
		}
	}
}
