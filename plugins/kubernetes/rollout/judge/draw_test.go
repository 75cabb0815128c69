package judge_test

import (
	"fmt"
	"strconv"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// began is when the change of the tests' pictures was made.
var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return began.Add(d) }

func ref(version, kind, name string) picture.Ref {
	return picture.Ref{APIVersion: version, Kind: kind, Namespace: "shop", Name: name}
}

// a pod of the newest revision that runs well since 5 s after the change.
func pod(name string, with ...func(*picture.Pod)) picture.Pod {
	p := picture.Pod{
		Ref: ref("v1", "Pod", name), Revision: "api-2", Newest: true, Phase: "Running", Node: "node-1", IP: "10.0.0." + strconv.Itoa(len(name)), Ready: true,
		Created: after(time.Second), Conditions: []picture.Condition{{Type: "Ready", Status: "True", Since: after(5 * time.Second)}},
		Containers: []picture.Container{{
			Name: "app", Image: "registry.example/api:2", Ready: true, Started: true, State: picture.ContainerState{Kind: "running", Since: after(3 * time.Second)},
			Probes: picture.Probes{Readiness: true, Liveness: true}, Limits: map[string]string{"memory": "64Mi"}, Requests: map[string]string{"cpu": "1"},
		}},
	}
	for _, change := range with {
		change(&p)
	}
	return p
}

// old makes it a pod of the revision before, up since an hour.
func old(p *picture.Pod) {
	p.Newest, p.Revision, p.Created = false, "api-1", began.Add(-time.Hour)
	p.Conditions[0].Since = began.Add(-59 * time.Minute)
	p.Containers[0].State.Since = began.Add(-time.Hour)
	p.Containers[0].Image = "registry.example/api:1"
}

// unready makes it one that runs and is not ready.
func unready(p *picture.Pod) {
	p.Ready, p.Containers[0].Ready = false, false
	p.Conditions[0] = picture.Condition{Type: "Ready", Status: "False", Reason: "ContainersNotReady", Since: p.Created}
}

// waits makes its container wait.
func waits(reason, message string) func(*picture.Pod) {
	return func(p *picture.Pod) {
		unready(p)
		p.Phase, p.Containers[0].Started = "Pending", false
		p.Containers[0].State = picture.ContainerState{Kind: "waiting", Reason: reason, Message: message}
	}
}

// ends makes its container one that has ended n times with a code.
func ends(n int, code int32, reason string) func(*picture.Pod) {
	return func(p *picture.Pod) {
		waits("CrashLoopBackOff", "back-off 10s restarting failed container=app")(p)
		p.Phase = "Running"
		p.Containers[0].Restarts = int32(n - 1)
		p.Containers[0].Last = picture.ContainerState{Kind: "terminated", Reason: reason, ExitCode: code, Since: after(8 * time.Second), Ended: after(9 * time.Second)}
		p.Containers[0].LastLines = []picture.Line{{Text: "no database"}}
	}
}

// homeless makes it one for which the scheduler finds no node.
func homeless(message string) func(*picture.Pod) {
	return func(p *picture.Pod) {
		unready(p)
		p.Phase, p.Node, p.IP = "Pending", "", ""
		p.Containers[0].State, p.Containers[0].Started = picture.ContainerState{}, false
		p.Conditions = []picture.Condition{{Type: "PodScheduled", Status: "False", Reason: "Unschedulable", Message: message, Since: p.Created}}
	}
}

// event adds one, 10 s after the change.
func event(kind, reason, message string) func(*picture.Pod) {
	return func(p *picture.Pod) {
		p.Events = append(p.Events, picture.Event{At: after(10 * time.Second), Type: kind, Reason: reason, Message: message, Count: 1, Object: p.Ref})
	}
}

func going(p *picture.Pod) { p.Deleted = after(6 * time.Second) }

// probes sets those of its container.
func probes(startup, readiness, liveness bool) func(*picture.Pod) {
	return func(p *picture.Pod) {
		p.Containers[0].Probes = picture.Probes{Startup: startup, Readiness: readiness, Liveness: liveness}
	}
}

// deployment counts pods as its controller would.
func deployment(desired int, pods ...picture.Pod) picture.Workload {
	w := picture.Workload{
		Ref: ref("apps/v1", "Deployment", "api"), Generation: 2, ObservedGeneration: 2, Desired: int32(desired), Revision: "2",
		ProgressDeadline: 10 * time.Minute, Pods: pods,
		Conditions: []picture.Condition{{Type: "Progressing", Status: "True", Reason: "ReplicaSetUpdated", Since: after(2 * time.Second)}},
		Revisions: []picture.Revision{
			{Ref: ref("apps/v1", "ReplicaSet", "api-2"), Number: "2", Newest: true},
			{Ref: ref("apps/v1", "ReplicaSet", "api-1"), Number: "1"},
		},
	}
	for _, p := range pods {
		if !p.Deleted.IsZero() || p.Phase == "Failed" {
			continue
		}
		r := 1
		if p.Newest {
			w.Updated, r = w.Updated+1, 0
		}
		w.Revisions[r].Desired++
		if p.Ready {
			w.Revisions[r].Ready++
			w.Ready, w.Available = w.Ready+1, w.Available+1
		}
	}
	return w
}

// as makes it another kind.
func as(w picture.Workload, version, kind string) picture.Workload {
	w.APIVersion, w.Kind, w.ProgressDeadline, w.Conditions = version, kind, 0, nil
	for i := range w.Revisions {
		w.Revisions[i].Kind = "ControllerRevision"
		w.Revisions[i].Desired = 0
	}
	return w
}

// drawn is the picture of workloads some time after the change.
func drawn(at time.Duration, workloads ...picture.Workload) picture.Picture {
	return picture.Picture{At: after(at), Workloads: workloads, Nodes: []picture.Node{{Name: "node-1", Ready: true}}}
}

// service leads to pods.
func service(name string, pods ...picture.Pod) picture.Service {
	s := picture.Service{Ref: ref("v1", "Service", name)}
	for _, p := range pods {
		s.Endpoints = append(s.Endpoints, picture.Endpoint{IP: p.IP, Pod: p.Name, Ready: p.Ready})
	}
	return s
}

func names(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s-%d", prefix, i)
	}
	return all
}
