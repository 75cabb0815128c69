package judge_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/judge"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/test/testbed"
)

// TestFaults injects what goes wrong into a Deployment that runs well. Each is called what
// it is, long before the progress deadline of ten minutes, with the reason, and no other
// verdict comes before.
func TestFaults(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	denied := c.NewRegistry(t)
	private, _ := denied.Push(t, "private:v2", testbed.App{})
	denied.Deny("private", http.StatusUnauthorized)
	const quota = "\n---\napiVersion: v1\nkind: ResourceQuota\nmetadata: {name: small}\nspec: {hard: {pods: '2'}}\n"
	for name, fault := range map[string]struct {
		manifest, extra string
		code            string
		what            string
		since           func(view) time.Time // when it could be known
		in              time.Duration        // from then on
		logs            string
	}{
		"image missing": {
			manifest: web(c.Image("none"), "", readiness), code: sdk.CodeImageNotFound, what: "not found",
			since: firstEvent("Failed"), in: 5 * time.Second,
		},
		"pull denied": {
			manifest: web(private, "", readiness), code: sdk.CodeImagePullDenied, what: "401 Unauthorized",
			since: firstEvent("Failed"), in: 5 * time.Second,
		},
		"crash": {
			manifest: web(c.Image("v2-crash"), "", readiness), code: sdk.CodeCrashLoop, what: "exit code 3",
			since: lastExit, in: 15 * time.Second, logs: "configuration of the database is missing",
		},
		"out of memory": {
			manifest: web(c.Image("v2-oom"), "", readiness), code: sdk.CodeOOMKilled, what: "limits memory 64Mi",
			since: lastExit, in: 15 * time.Second, logs: "holds",
		},
		"unschedulable by size": {
			manifest: strings.Replace(web(c.Image("v2"), "", readiness), "cpu: 1m", "cpu: 64", 1), code: sdk.CodeUnschedulable,
			what: "Insufficient cpu", since: made, in: 25 * time.Second,
		},
		"unschedulable by selector": {
			manifest: web(c.Image("v2"), "", readiness+"\n      nodeSelector: {disk: ssd}"), code: sdk.CodeUnschedulable,
			what: "node affinity/selector", since: made, in: 25 * time.Second,
		},
		"ConfigMap missing": {
			manifest: web(c.Image("v2"), "", readiness+"\n        envFrom: [{configMapRef: {name: settings}}]"), code: sdk.CodeConfigMissing,
			what: `configmap "settings" not found`, since: made, in: 20 * time.Second,
		},
		"Secret missing, as a volume": {
			manifest: web(c.Image("v2"), "", readiness+"\n        volumeMounts: [{name: keys, mountPath: /keys}]\n      volumes: [{name: keys, secret: {secretName: keys}}]"), code: sdk.CodeConfigMissing,
			what: "/keys is not there", since: made, in: 20 * time.Second,
		},
		"claim missing": {
			manifest: web(c.Image("v2"), "", readiness+"\n        volumeMounts: [{name: data, mountPath: /data}]\n      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]"), code: sdk.CodeConfigMissing,
			what: `"data" not found`, since: made, in: 20 * time.Second,
		},
		"account missing": {
			manifest: web(c.Image("v2"), "", readiness+"\n      serviceAccountName: nobody"), code: sdk.CodeConfigMissing,
			what: `"nobody" not found`, since: conditioned("ReplicaFailure"), in: 25 * time.Second,
		},
		"quota": {
			extra: quota, manifest: web(c.Image("v2"), "", readiness), code: sdk.CodeQuotaExceeded,
			what: "exceeded quota: small", since: conditioned("ReplicaFailure"), in: 25 * time.Second,
		},
		"liveness": {
			manifest: web(c.Image("v2-unhealthy"), "", readiness+liveness), code: sdk.CodeProbeFailing,
			what: "livenessProbe", since: lastExit, in: 15 * time.Second,
		},
		"readiness": {
			manifest: web(c.Image("v2-unready"), "\n  progressDeadlineSeconds: 15", readiness), code: sdk.CodeProbeFailing,
			what: "its readinessProbe fails: HTTP probe failed with statuscode: 503", since: conditioned("Progressing"), in: 10 * time.Second,
		},
		"paused": {
			manifest: web(c.Image("v2"), "\n  paused: true", readiness), code: sdk.CodeOther, what: "is paused",
			since: conditioned("Progressing"), in: 20 * time.Second,
		},
		"program missing": {
			manifest: web(c.Image("v2"), "", readiness+"\n        command: [/nothing]"), code: sdk.CodeConfigMissing, what: "/nothing",
			since: lastExit, in: 15 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, c)
			s.good(fault.extra)
			v := s.apply("Deployment", fault.manifest, nil)
			f := v.Verdict.Failure
			if v.Verdict.Kind != judge.Failed || f.Code != fault.code || !strings.Contains(f.Message, fault.what) {
				t.Fatalf("it is %s (%+v), want failed with %s and %q\n%+v", v.Verdict.Kind, v.Verdict, fault.code, fault.what, v.Picture)
			}
			t.Logf("%s\n%s\n%d lines, %d events", f.Message, f.Suggestion, len(f.Logs), len(f.Events))
			since := fault.since(v)
			if since.IsZero() {
				t.Fatalf("nothing says since when it could be known: %+v", v.Picture)
			}
			if took := v.At.Sub(since); took > fault.in {
				t.Errorf("it took %s, want %s", took, fault.in)
			}
			var lines strings.Builder
			for _, line := range f.Logs {
				lines.WriteString(line.Line + "\n")
			}
			if !strings.Contains(lines.String(), fault.logs) {
				t.Errorf("its last lines are %q, want %q among them", lines.String(), fault.logs)
			}
			if fault.code != sdk.CodeProbeFailing && v.Workloads[0].Available < 2 {
				t.Errorf("%d of the old pods are there", v.Workloads[0].Available)
			}
		})
	}
}

// TestRegistryDown is held as no fault of the change, and goes on when it is up again.
func TestRegistryDown(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	s, registry := newStage(t, c), c.NewRegistry(t)
	s.good()
	image, _ := registry.Push(t, "app:v2", testbed.App{Version: "v2"})
	registry.Stop()
	v := s.apply("Deployment", web(image, "", readiness), nil)
	if v.Verdict.Kind != judge.Environment || v.Verdict.Failure.Code != sdk.CodeRegistryUnreachable || !v.Verdict.Failure.Environment {
		t.Fatalf("it is %s: %+v", v.Verdict.Kind, v.Verdict)
	}
	registry.Resume(t)
	v = s.verdict("Deployment", nil, func(v judge.Verdict) bool { return v.Kind != judge.Environment && v.Kind != judge.GoingOn })
	if v.Verdict.Kind != judge.Done {
		t.Errorf("it is %s: %s", v.Verdict.Kind, v.Verdict.Message)
	}
}

// TestSlowStart is never called failed, with a startup probe and without.
func TestSlowStart(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	image, _ := c.NewRegistry(t).Push(t, "app:slow", testbed.App{Version: "v2", Mode: "slow", Delay: 25 * time.Second})
	for name, probes := range map[string]string{"startup probe": readiness + liveness + startup, "readiness probe alone": readiness} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, c)
			s.good()
			manifest := web(image, "\n  strategy: {rollingUpdate: {maxSurge: 2, maxUnavailable: 0}}", probes)
			least := 1.0
			v := s.apply("Deployment", manifest, func(v view) { least = min(least, v.Progress.Fraction) })
			if v.Verdict.Kind != judge.Done {
				t.Fatalf("it is %s: %s", v.Verdict.Kind, v.Verdict.Message)
			}
			if least > 0.5 || v.Progress.Fraction != 1 {
				t.Errorf("the progress went from %v to %v", least, v.Progress.Fraction)
			}
		})
	}
}

// firstEvent is when the oldest event with a reason was seen, of the newest pods.
func firstEvent(reason string) func(view) time.Time {
	return earliest(func(p picture.Pod) (at time.Time) {
		for _, e := range p.Events {
			if e.Reason == reason && e.Count == 1 && (at.IsZero() || e.At.Before(at)) {
				at = e.At
			}
		}
		if at.IsZero() { // the status was quicker than the event
			at = p.Created
		}
		return at
	})
}

// lastExit is when the container that the verdict is about ended last.
func lastExit(v view) time.Time {
	_, name, container, _ := judge.ParseContainer(v.Verdict.Failure.Resource)
	for _, p := range v.Workloads[0].Pods {
		for _, k := range p.Containers {
			switch {
			case p.Name != name || k.Name != container:
			case k.State.Kind == "terminated":
				return k.State.Ended
			default:
				return k.Last.Ended
			}
		}
	}
	return time.Time{}
}

// made is when the first pod of the change was.
func made(v view) time.Time { return earliest(func(p picture.Pod) time.Time { return p.Created })(v) }

// conditioned is since when the workload has a condition.
func conditioned(kind string) func(view) time.Time {
	return func(v view) time.Time {
		for _, c := range v.Workloads[0].Conditions {
			if c.Type == kind {
				return c.Since
			}
		}
		return time.Time{}
	}
}

// earliest of the newest pods' moments.
func earliest(of func(picture.Pod) time.Time) func(view) time.Time {
	return func(v view) (at time.Time) {
		for _, p := range v.Workloads[0].Pods {
			if !p.Newest {
				continue
			}
			if m := of(p); !m.IsZero() && (at.IsZero() || m.Before(at)) {
				at = m
			}
		}
		return at
	}
}
