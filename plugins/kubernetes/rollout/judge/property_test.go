package judge_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/judge"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// horizon is the time of drawn pictures; nothing in them is later.
const horizon = 30 * time.Minute

// moment is some time before the picture.
func moment(t *rapid.T) time.Time {
	return began.Add(time.Duration(rapid.IntRange(-3600, int(horizon.Seconds())).Draw(t, "moment")) * time.Second)
}

func draw[T any](t *rapid.T, of ...T) T { return rapid.SampledFrom(of).Draw(t, "one of") }

func drawState(t *rapid.T) picture.ContainerState {
	switch rapid.IntRange(0, 4).Draw(t, "state") {
	case 0:
		return picture.ContainerState{}
	case 1:
		return picture.ContainerState{
			Kind:    "waiting",
			Reason:  draw(t, "ErrImagePull", "ImagePullBackOff", "CrashLoopBackOff", "CreateContainerConfigError", "ContainerCreating", "PodInitializing", "InvalidImageName", ""),
			Message: draw(t, "", notFound, refused, nowhere, "403 Forbidden", `configmap "settings" not found`, "something else"),
		}
	case 2:
		return picture.ContainerState{
			Kind: "terminated", Reason: draw(t, "Error", "Completed", "OOMKilled", "StartError"),
			ExitCode: draw[int32](t, 0, 1, 137, 143), Since: moment(t), Ended: moment(t),
		}
	default:
		return picture.ContainerState{Kind: "running", Since: moment(t)}
	}
}

func drawPod(t *rapid.T, name string) picture.Pod {
	p := picture.Pod{
		Ref: ref("v1", "Pod", name), Newest: rapid.Bool().Draw(t, "newest"), Phase: draw(t, "Running", "Running", "Pending", "Failed", "Succeeded"),
		Reason: draw(t, "", "", "Evicted"), Node: draw(t, "node-1", "node-1", "node-2", ""), Created: moment(t),
		Ready: rapid.Bool().Draw(t, "ready"),
	}
	p.Revision = map[bool]string{true: "api-2", false: "api-1"}[p.Newest]
	if rapid.IntRange(0, 4).Draw(t, "deleted") == 0 {
		p.Deleted = moment(t)
	}
	p.Conditions = []picture.Condition{{Type: "Ready", Status: map[bool]string{true: "True", false: "False"}[p.Ready], Since: moment(t)}}
	if p.Node == "" {
		p.Conditions = append(p.Conditions, picture.Condition{
			Type: "PodScheduled", Status: "False", Reason: "Unschedulable", Since: moment(t),
			Message: draw(t, "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable.", "0/1 nodes are available: 1 Insufficient cpu."),
		})
	}
	for i := range rapid.IntRange(1, 2).Draw(t, "containers") {
		k := picture.Container{
			Name: "app" + strconv.Itoa(i), Image: draw(t, "registry.example/api:2", "other.example/api:2"),
			Init: rapid.IntRange(0, 4).Draw(t, "init") == 0, Ready: rapid.Bool().Draw(t, "container ready"), Started: rapid.Bool().Draw(t, "started"),
			Restarts: rapid.Int32Range(0, 4).Draw(t, "restarts"), State: drawState(t), Last: drawState(t),
			Probes: picture.Probes{Startup: rapid.Bool().Draw(t, "startup"), Readiness: rapid.Bool().Draw(t, "readiness"), Liveness: rapid.Bool().Draw(t, "liveness")},
		}
		p.Containers = append(p.Containers, k)
	}
	for range rapid.IntRange(0, 3).Draw(t, "events") {
		said := draw(t, [2]string{"Unhealthy", "Liveness probe failed: 500"}, [2]string{"Unhealthy", "Readiness probe failed: 503"},
			[2]string{"Killing", "Container app0 failed liveness probe, will be restarted"}, [2]string{"FailedMount", `configmap "settings" not found`},
			[2]string{"FailedCreatePodSandBox", "no network"}, [2]string{"TriggeredScaleUp", "1->2"}, [2]string{"FailedToRetrieveImagePullSecret", "none"})
		p.Events = append(p.Events, picture.Event{At: moment(t), Type: "Warning", Reason: said[0], Message: said[1], Count: rapid.Int32Range(1, 3).Draw(t, "count")})
	}
	return p
}

func drawWorkload(t *rapid.T, name string) picture.Workload {
	kind := draw(t, [2]string{"apps/v1", "Deployment"}, [2]string{"apps/v1", "Deployment"}, [2]string{"apps/v1", "StatefulSet"}, [2]string{"apps/v1", "DaemonSet"},
		[2]string{"batch/v1", "Job"}, [2]string{"batch/v1", "CronJob"}, [2]string{"argoproj.io/v1alpha1", "Rollout"}, [2]string{"example.org/v1", "Database"})
	w := picture.Workload{
		Ref: ref(kind[0], kind[1], name), Generation: rapid.Int64Range(1, 3).Draw(t, "generation"), ObservedGeneration: rapid.Int64Range(1, 3).Draw(t, "observed"),
		Paused: rapid.IntRange(0, 4).Draw(t, "paused") == 0, OnDelete: rapid.IntRange(0, 4).Draw(t, "on delete") == 0,
		Desired: rapid.Int32Range(0, 3).Draw(t, "desired"), ProgressDeadline: draw(t, 0, 10*time.Minute),
	}
	if kind[1] == "StatefulSet" {
		w.Partition = draw[int32](t, 0, 0, 1, 2)
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "pods") {
		w.Pods = append(w.Pods, drawPod(t, name+"-"+strconv.Itoa(i)))
	}
	// Half of the pictures are of controllers that count right, and so may be done.
	if rapid.Bool().Draw(t, "right") {
		w.ObservedGeneration = w.Generation
		for i := range w.Pods {
			p := &w.Pods[i]
			if !p.Deleted.IsZero() || p.Phase == "Failed" || p.Phase == "Succeeded" {
				continue
			}
			if p.Newest {
				w.Updated++
			}
			if p.Ready {
				w.Ready, w.Available = w.Ready+1, w.Available+1
			}
		}
		w.Desired = draw(t, w.Ready, w.Desired)
	} else {
		w.Updated, w.Ready, w.Available = rapid.Int32Range(0, 3).Draw(t, "updated"), rapid.Int32Range(0, 3).Draw(t, "ready"), rapid.Int32Range(0, 3).Draw(t, "available")
	}
	if rapid.IntRange(0, 3).Draw(t, "said") == 0 {
		said := draw(t, [3]string{"Progressing", "False", "ProgressDeadlineExceeded"}, [3]string{"Progressing", "Unknown", "DeploymentPaused"}, [3]string{"ReplicaFailure", "True", "FailedCreate"},
			[3]string{"Failed", "True", "BackoffLimitExceeded"}, [3]string{"Complete", "True", ""}, [3]string{"Healthy", "True", ""}, [3]string{"InvalidSpec", "True", ""})
		w.Conditions = []picture.Condition{{Type: said[0], Status: said[1], Reason: said[2], Message: draw(t, "exceeded quota: small", "failed calling webhook", "forbidden"), Since: moment(t)}}
	}
	w.Revisions = []picture.Revision{
		{Ref: ref("apps/v1", "ReplicaSet", name+"-2"), Number: "2", Newest: true, Desired: w.Updated, Failure: draw(t, "", "", "exceeded quota: small")},
		{Ref: ref("apps/v1", "ReplicaSet", name+"-1"), Number: "1", Desired: draw[int32](t, 0, 0, 1)},
	}
	if kind[1] == "Database" || kind[1] == "Rollout" {
		w.Generic = &picture.Generic{Status: draw(t, "Current", "InProgress", "Failed", "Unknown", "Terminating")}
	}
	return w
}

func drawPicture(t *rapid.T) picture.Picture {
	p := picture.Picture{At: after(horizon), Nodes: []picture.Node{{Name: "node-1", Ready: true, Unschedulable: rapid.Bool().Draw(t, "cordoned")}, {Name: "node-2", Ready: rapid.Bool().Draw(t, "node ready")}}}
	for _, name := range names("api", rapid.IntRange(0, 2).Draw(t, "workloads")) {
		p.Workloads = append(p.Workloads, drawWorkload(t, name))
	}
	if len(p.Workloads) > 0 && rapid.Bool().Draw(t, "service") {
		p.Services = []picture.Service{service("web", p.Workloads[0].Pods...)}
	}
	if rapid.IntRange(0, 5).Draw(t, "blind") == 0 {
		p.Blind = []string{"list pods in shop: forbidden"}
	}
	if rapid.IntRange(0, 5).Draw(t, "missing") == 0 {
		p.Missing = []picture.Missing{{Object: ref("v1", draw(t, "ConfigMap", "Service"), "settings"), By: draw(t, picture.Ref{}, ref("apps/v1", "Deployment", "api-0"))}}
	}
	return p
}

// property checks one on many pictures.
func property(t *testing.T, holds func(t *rapid.T, p picture.Picture, j judge.Judgement)) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPicture(t)
		holds(t, p, judge.Judge(p, judge.Policy{}))
	})
}

// TestNeverDoneUnseen: no workload whose controller lags behind is done.
func TestNeverDoneUnseen(t *testing.T) {
	t.Parallel()
	property(t, func(t *rapid.T, p picture.Picture, j judge.Judgement) {
		for _, w := range p.Workloads {
			if w.ObservedGeneration < w.Generation && j.Verdict.Kind == judge.Done {
				t.Fatalf("%s is done, its controller has seen %d of %d", w.Name, w.ObservedGeneration, w.Generation)
			}
		}
		if len(p.Workloads) == 0 && j.Verdict.Kind == judge.Done {
			t.Fatal("nothing is done")
		}
	})
}

// TestDoneMeansReady: what is done has all new pods ready and no old one that is to go.
func TestDoneMeansReady(t *testing.T) {
	t.Parallel()
	done := 0
	property(t, func(t *rapid.T, p picture.Picture, j judge.Judgement) {
		if j.Verdict.Kind != judge.Done {
			return
		}
		for _, w := range p.Workloads {
			if w.Kind == "Job" || w.Kind == "CronJob" {
				continue
			}
			ready := 0
			for _, pod := range w.Pods {
				ended := !pod.Deleted.IsZero() || pod.Phase == "Failed" || pod.Phase == "Succeeded"
				if ended {
					continue
				}
				stays := w.OnDelete || w.Kind == "Rollout" || w.Generic != nil
				if w.Kind == "StatefulSet" {
					index, _ := strconv.Atoi(pod.Name[strings.LastIndex(pod.Name, "-")+1:])
					stays = stays || index < int(w.Partition)
				}
				switch {
				case !pod.Newest && !stays:
					t.Fatalf("%s %s is done with the old pod %s", w.Kind, w.Name, pod.Name)
				case pod.Newest && !pod.Ready:
					t.Fatalf("%s %s is done, pod %s is not ready", w.Kind, w.Name, pod.Name)
				case pod.Ready:
					ready++
				}
			}
			if w.Generic == nil && ready < int(w.Desired) {
				t.Fatalf("%s %s is done with %d of %d pods", w.Kind, w.Name, ready, w.Desired)
			}
		}
		done++
	})
	if done == 0 {
		t.Error("no drawn picture was done: the property says nothing")
	}
}

// TestTimeHealsNothing: what has failed stays failed, and a verdict changes no sooner than
// it says.
func TestTimeHealsNothing(t *testing.T) {
	t.Parallel()
	property(t, func(t *rapid.T, p picture.Picture, j judge.Judgement) {
		before := j.Verdict
		later := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "later"))
		p.At = p.At.Add(later)
		now := judge.Judge(p, judge.Policy{}).Verdict
		if before.Kind == judge.Failed && now.Kind != judge.Failed {
			t.Fatalf("it had failed (%s) and is %s after %s: %s", before.Message, now.Kind, later, now.Message)
		}
		if now.Kind != before.Kind && (before.Again.IsZero() || p.At.Before(before.Again)) {
			t.Fatalf("it was %s (%s) until %s and is %s at %s: %s", before.Kind, before.Message, before.Again, now.Kind, p.At, now.Message)
		}
	})
}

// TestFractions: progress is a fraction, whole only when done.
func TestFractions(t *testing.T) {
	t.Parallel()
	property(t, func(t *rapid.T, _ picture.Picture, j judge.Judgement) {
		f := j.Progress.Fraction
		if f < 0 || f > 1 || (f == 1) != (j.Verdict.Kind == judge.Done) {
			t.Fatalf("it is %s at %v", j.Verdict.Kind, f)
		}
		if j.Progress.Message == "" || j.Progress.Phase == sdk.PhaseUnspecified {
			t.Fatalf("the progress says nothing: %+v", j.Progress)
		}
	})
}

// TestVerdictsAreWhole: a failure comes with its reason, each resource has a parent that
// is there, and no name is given twice.
func TestVerdictsAreWhole(t *testing.T) {
	t.Parallel()
	property(t, func(t *rapid.T, p picture.Picture, j judge.Judgement) {
		v := j.Verdict
		failed := v.Kind == judge.Failed || v.Kind == judge.Environment
		if failed != (v.Failure != nil) || v.Message == "" || v.Suspect != nil && v.Kind != judge.GoingOn {
			t.Fatalf("the verdict is not whole: %+v", v)
		}
		for _, f := range []*sdk.Failure{v.Failure, v.Suspect} {
			if f != nil && (f.Code == "" || f.Message == "" || f.Suggestion == "" || f.Resource == "") {
				t.Fatalf("the failure is not whole: %+v", f)
			}
		}
		if failed && v.Failure.Environment != (v.Kind == judge.Environment) {
			t.Fatalf("it is %s and says environment %t", v.Kind, v.Failure.Environment)
		}
		ids := make(map[string]bool)
		for _, r := range j.Resources {
			if ids[r.ID] || r.ParentID != "" && !ids[r.ParentID] || r.Health == sdk.ResourceUnspecified {
				t.Fatalf("resource %+v is twice there, before its parent, or without health", r)
			}
			ids[r.ID] = true
		}
		checks := make(map[string]bool)
		for _, c := range j.Checks {
			if checks[c.Name] || c.Status == sdk.CheckUnspecified || c.Message == "" || c.Type == "" {
				t.Fatalf("check %+v is twice there or says nothing", c)
			}
			checks[c.Name] = true
		}
	})
}

// TestPicturesStayAsTheyAre: judging changes nothing, and twice is the same.
func TestPicturesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	property(t, func(t *rapid.T, p picture.Picture, j judge.Judgement) {
		before, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again := judge.Judge(p, judge.Policy{})
		after, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if string(before) != string(after) {
			t.Fatal("the picture has changed")
		}
		if diff := cmp.Diff(j, again); diff != "" {
			t.Fatalf("the second judgement is another:\n%s", diff)
		}
	})
}
