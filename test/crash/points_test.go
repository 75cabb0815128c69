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

// event is the moment of an event; is remembers what it saw, so each moment has
// its own.
func event(is func() func(apiv1.Event) bool) moment {
	return func(h *harness.Host, id string, after uint64) { h.Await(id, after, is()) }
}

// same is the moment of an event that is known without those before it.
func same(is func(apiv1.Event) bool) moment {
	return event(func() func(apiv1.Event) bool { return is })
}

// start is the moment of the nth start of an instance. It is seen outside of
// the host, which may look only when the instance is up already.
func start(n int) moment {
	return func(h *harness.Host, _ string, _ uint64) { h.AwaitStarts("web", n) }
}

// rollbackPoints are the points of a rollback of either kind.
func rollbackPoints() map[string]moment {
	back := with("operation.finished", "kind", "rollback")
	return map[string]moment{
		"rolling back":       same(harness.Status("rolling_back")),
		"operation started":  same(with("operation.started", "kind", "rollback")),
		"old version starts": start(3),
		"old version is up": event(func() func(apiv1.Event) bool {
			return in(func(e apiv1.Event) bool {
				return e.Type == "resource.status" && harness.Field(e, "kind") == "process" && harness.Field(e, "health") == "ready"
			})
		}),
		"operation finished": same(back),
		"verifying": event(func() func(apiv1.Event) bool {
			finished := false
			return func(e apiv1.Event) bool {
				finished = finished || back(e)
				return finished && e.Type == "check.status"
			}
		}),
	}
}

func TestCrashDeploy(t *testing.T) {
	t.Parallel()
	course{
		begin: func(h *harness.Host) (string, uint64) { return h.Deploy("shop", "v2").ID, 0 },
		points: map[string]moment{
			"accepted":              same(harness.Type("deployment.accepted", "")),
			"preparing":             same(harness.Status("preparing")),
			"snapshot taken":        same(harness.Type("snapshot.taken", "web")),
			"deploying":             same(harness.Status("deploying")),
			"operation started":     same(with("operation.started", "kind", "deploy")),
			"candidate starts":      start(2),
			"candidate up":          same(harness.Type("candidate.ready", "web")),
			"candidate passed":      same(harness.Type("verdict", "web")),
			"between two promotes":  same(with("candidate.promoted", "percent", "50")),
			"operation finished":    same(with("operation.finished", "kind", "deploy")),
			"checks after the move": same(with("check.status", "type", "endpoint")),
			"verifying":             same(harness.Status("verifying")),
		},
		status: "completed", path: []string{"preparing", "deploying", "verifying", "completed"},
		starts: []string{"v1", "v2"}, version: "v2",
	}.run(t)
}

func TestCrashAutomaticRollback(t *testing.T) {
	t.Parallel()
	points := rollbackPoints()
	points["check failed"] = same(with("check.status", "status", "unhealthy"))
	points["verdict"] = same(with("verdict", "verdict", "roll_back"))
	points["evidence"] = same(harness.Type("evidence", "web"))
	course{
		begin: func(h *harness.Host) (string, uint64) {
			return h.DeployRequest(apiv1.StartRequest{Name: "shop", Version: "v2", Policy: []byte(`{"bake":"10m"}`)}).ID, 0
		},
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
		status: "rolled_back", path: []string{"preparing", "deploying", "verifying", "completed", "pending", "rolling_back", "rolled_back"},
		starts: []string{"v1", "v2", "v1"}, version: "v1",
	}.run(t)
}
