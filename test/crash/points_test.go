package crash_test

import (
	"testing"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// with is an event of a type whose data has a member of that value.
func with(kind, member, value string) func(apiv1.Event) bool {
	return func(e apiv1.Event) bool { return e.Type == kind && harness.Field(e, member) == value }
}

// in is an event that is, after the rollback has begun.
func in(is func(apiv1.Event) bool) func(apiv1.Event) bool {
	began := false
	return func(e apiv1.Event) bool {
		began = began || harness.Status("rolling_back")(e)
		return began && is(e)
	}
}

// rollbackPoints are the points of a rollback of either kind.
func rollbackPoints() map[string]func() func(apiv1.Event) bool {
	back := with("operation.finished", "kind", "rollback")
	return map[string]func() func(apiv1.Event) bool{
		"rolling back": func() func(apiv1.Event) bool { return harness.Status("rolling_back") },
		"operation started": func() func(apiv1.Event) bool {
			return with("operation.started", "kind", "rollback")
		},
		"old version starts": func() func(apiv1.Event) bool {
			return in(func(e apiv1.Event) bool {
				return e.Type == "resource.status" && harness.Field(e, "kind") == "process" && harness.Field(e, "health") == "pending"
			})
		},
		"old version is up": func() func(apiv1.Event) bool {
			return in(func(e apiv1.Event) bool {
				return e.Type == "resource.status" && harness.Field(e, "kind") == "process" && harness.Field(e, "health") == "ready"
			})
		},
		"operation finished": func() func(apiv1.Event) bool { return back },
		"verifying": func() func(apiv1.Event) bool {
			finished := false
			return func(e apiv1.Event) bool {
				finished = finished || back(e)
				return finished && e.Type == "check.status"
			}
		},
	}
}

func TestCrashDeploy(t *testing.T) {
	t.Parallel()
	course{
		begin: func(h *harness.Host) (string, uint64) { return h.Deploy("shop", "v2").ID, 0 },
		points: map[string]func() func(apiv1.Event) bool{
			"accepted":              func() func(apiv1.Event) bool { return harness.Type("deployment.accepted", "") },
			"preparing":             func() func(apiv1.Event) bool { return harness.Status("preparing") },
			"snapshot taken":        func() func(apiv1.Event) bool { return harness.Type("snapshot.taken", "web") },
			"deploying":             func() func(apiv1.Event) bool { return harness.Status("deploying") },
			"operation started":     func() func(apiv1.Event) bool { return with("operation.started", "kind", "deploy") },
			"candidate starts":      func() func(apiv1.Event) bool { return with("resource.status", "message", "starting") },
			"candidate up":          func() func(apiv1.Event) bool { return harness.Type("candidate.ready", "web") },
			"candidate passed":      func() func(apiv1.Event) bool { return harness.Type("verdict", "web") },
			"between two promotes":  func() func(apiv1.Event) bool { return with("candidate.promoted", "percent", "50") },
			"operation finished":    func() func(apiv1.Event) bool { return with("operation.finished", "kind", "deploy") },
			"checks after the move": func() func(apiv1.Event) bool { return with("check.status", "type", "endpoint") },
			"verifying":             func() func(apiv1.Event) bool { return harness.Status("verifying") },
		},
		status: "completed", path: []string{"preparing", "deploying", "verifying", "completed"},
		starts: []string{"v1", "v2"}, version: "v2",
	}.run(t)
}

func TestCrashAutomaticRollback(t *testing.T) {
	t.Parallel()
	points := rollbackPoints()
	points["check failed"] = func() func(apiv1.Event) bool { return with("check.status", "status", "unhealthy") }
	points["verdict"] = func() func(apiv1.Event) bool { return with("verdict", "verdict", "roll_back") }
	points["evidence"] = func() func(apiv1.Event) bool { return harness.Type("evidence", "web") }
	course{
		begin: func(h *harness.Host) (string, uint64) { return h.Deploy("shop", "v2").ID, 0 },
		on: func(h *harness.Host, id string) {
			h.Await(id, 0, harness.Status("verifying"))
			h.Sicken("web", "v2")
		},
		points: points,
		status: "rolled_back", path: []string{"preparing", "deploying", "verifying", "rolling_back", "rolled_back"},
		starts: []string{"v1", "v2", "v1"}, version: "v1",
	}.run(t)
}

func TestCrashManualRollback(t *testing.T) {
	t.Parallel()
	course{
		begin: func(h *harness.Host) (string, uint64) {
			d := h.Quickly("shop", "v2")
			h.Rollback(d.ID, "")
			return d.ID, d.Seq
		},
		points: rollbackPoints(),
		status: "rolled_back", path: []string{"preparing", "deploying", "verifying", "completed", "rolling_back", "rolled_back"},
		starts: []string{"v1", "v2", "v1"}, version: "v1",
	}.run(t)
}
