package judge_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/judge"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/test/testbed"
)

// set is a StatefulSet of two pods, or with its kind a DaemonSet.
func set(kind, image, strategy string) string {
	more := "\n  serviceName: web\n  replicas: 2"
	if kind == "DaemonSet" {
		more = ""
	}
	manifest := strings.Replace(web(image, strategy, readiness), "kind: Deployment", "kind: "+kind, 1)
	return strings.Replace(manifest, "\n  replicas: 2", more, 1)
}

func job(image string) string {
	return fmt.Sprintf(`
apiVersion: batch/v1
kind: Job
metadata: {name: web}
spec: {backoffLimit: 1, template: {spec: {restartPolicy: Never, containers: [{name: app, image: %q}]}}}
`, image)
}

func cron(image string, suspend bool) string {
	return fmt.Sprintf(`
apiVersion: batch/v1
kind: CronJob
metadata: {name: web}
spec: {schedule: "0 0 1 1 *", suspend: %t, jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: app, image: %q}]}}}}}
`, suspend, image)
}

// TestKinds changes workloads that are no Deployments.
func TestKinds(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	v1, v2, none := c.Image("v1"), c.Image("v2"), c.Image("none")
	for name, change := range map[string]struct {
		kind, before, after string
		verdict             judge.Kind
		code, what          string
	}{
		"StatefulSet":                {"StatefulSet", set("StatefulSet", v1, ""), set("StatefulSet", v2, ""), judge.Done, "", "2 of 2 pods are ready"},
		"StatefulSet, image missing": {"StatefulSet", set("StatefulSet", v1, ""), set("StatefulSet", none, ""), judge.Failed, sdk.CodeImageNotFound, "web-1"},
		"StatefulSet with partition": {"StatefulSet", set("StatefulSet", v1, ""), set("StatefulSet", v2, "\n  updateStrategy: {rollingUpdate: {partition: 1}}"), judge.Done, "", "1 of 2 pods stay old (partition 1)"},
		"StatefulSet OnDelete":       {"StatefulSet", set("StatefulSet", v1, ""), set("StatefulSet", v2, "\n  updateStrategy: {type: OnDelete, rollingUpdate: null}"), judge.Done, "", "2 of 2 pods stay old"},
		"DaemonSet":                  {"DaemonSet", set("DaemonSet", v1, ""), set("DaemonSet", v2, ""), judge.Done, "", "1 of 1 pods are ready"},
		"DaemonSet, crash":           {"DaemonSet", set("DaemonSet", v1, ""), set("DaemonSet", c.Image("v2-crash"), ""), judge.Failed, sdk.CodeCrashLoop, "exit code 3"},
		"Job":                        {"Job", "", job(c.Image("v2-done")), judge.Done, "", "complete"},
		"Job that fails":             {"Job", "", job(c.Image("v2-crash")), judge.Failed, sdk.CodeExited, "exit code 3"},
		"Job, image missing":         {"Job", "", job(none), judge.Failed, sdk.CodeImageNotFound, "not found"},
		"CronJob":                    {"CronJob", "", cron(v1, false), judge.Done, "", "by its schedule"},
		"CronJob suspended":          {"CronJob", cron(v1, false), cron(v2, true), judge.Done, "", "suspended"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, c)
			if change.before != "" {
				if v := s.apply(change.kind, change.before, nil); v.Verdict.Kind != judge.Done {
					t.Fatalf("before the change it is %s: %s", v.Verdict.Kind, v.Verdict.Message)
				}
			}
			v := s.apply(change.kind, change.after, nil)
			code := ""
			if v.Verdict.Failure != nil {
				code = v.Verdict.Failure.Code
			}
			if v.Verdict.Kind != change.verdict || code != change.code || !strings.Contains(v.Verdict.Message, change.what) {
				t.Errorf("it is %s %s: %q, want %s %s with %q\n%+v", v.Verdict.Kind, code, v.Verdict.Message, change.verdict, change.code, change.what, v.Picture)
			}
		})
	}
}
