package engine_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// drifts waits for the number of drifts that Probe found and returns them.
func (r *rig) drifts(id string, count int) []deployment.DriftPayload {
	r.t.Helper()
	var seen []deployment.DriftPayload
	r.poll("drift", func() bool {
		seen = nil
		for _, p := range payloads[deployment.DriftPayload](r, id, deployment.EventTargetDrift) {
			if p.Observed != "" {
				seen = append(seen, p)
			}
		}
		return len(seen) >= count
	})
	return seen
}

func TestDriftIsReportedAndResolved(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	d := r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	r.await(r.start("v2", `{"web":{"content":"b","fail":"EXITED"}}`).ID, 2) // v1 is current again
	r.world.change("web", "hotfix")
	r.drifts(d.ID, 1)
	r.stop()
	r.run() // what was told is not told again
	r.world.change("web", "a")
	r.drifts(d.ID, 2)
	r.stop()
	r.world.change("web", "behind our back")
	r.run()
	got := r.drifts(d.ID, 3)
	for i := range got {
		got[i].By, got[i].Message, got[i].Revision = "", "", ""
	}
	want := []deployment.DriftPayload{
		{Component: "web", Baseline: "v1:a", Observed: "v1:hotfix"},
		{Component: "web", Baseline: "v1:a", Observed: "v1:a", Resolved: true},
		{Component: "web", Baseline: "v1:a", Observed: "v1:behind our back"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Where the platform itself says who changed what runs, so does the event.
func TestDriftNamesWhoDidIt(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	d := r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	r.poll("a stream of what runs", func() (opened bool) {
		r.world.with(func() { opened = r.world.watchers > 0 })
		return opened
	})
	r.world.change("web", "hotfix")
	r.poll("who did it", func() bool {
		for _, p := range payloads[deployment.DriftPayload](r, d.ID, deployment.EventTargetDrift) {
			if p.By == "mallory" {
				return true
			}
		}
		return false
	})
}

// A stream that begins anew repeats what stands: that is no second event, but to a
// host that was not there it is the first.
func TestDriftIsReportedOncePerHost(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	d := r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	watched := func(count int) {
		t.Helper()
		r.poll("a stream of what runs", func() (opened bool) {
			r.world.with(func() { opened = r.world.watchers >= count })
			return opened
		})
	}
	told := func() (messages []string) {
		for _, p := range payloads[deployment.DriftPayload](r, d.ID, deployment.EventTargetDrift) {
			if p.By == "mallory" {
				messages = append(messages, p.Message)
			}
		}
		return messages
	}
	first, second := mallory(0).Drift.Message, mallory(1).Drift.Message
	watched(1)
	r.world.change("web", "hotfix")
	r.poll("who did it", func() bool { return slices.Contains(told(), first) })
	r.world.with(r.world.die)
	watched(2)
	r.world.change("web", "another") // an event after the repeated one
	r.poll("what was new", func() bool { return slices.Contains(told(), second) })
	if diff := cmp.Diff([]string{first, second}, told()); diff != "" {
		t.Error(diff)
	}
	r.stop()
	r.run()
	r.poll("what a new host is told", func() bool { return len(told()) >= 4 })
}

// What drifted is not unchanged: the same release is brought there again.
func TestDriftIsOverwrittenByADeployment(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	r.world.change("web", "hotfix")
	d := r.await(r.start("v2", `{"web":{"content":"a"}}`).ID, 1)
	if d.Status != deployment.Completed || d.Component("web").Unchanged || r.world.version("web") != "v2" {
		t.Errorf("%s: %s", d.Status, d.Component("web").Status)
	}
}

func TestChecksGoOnAfterCompletion(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	d := r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	sick := func(health string) {
		r.world.with(func() {
			now := *r.world.running["web"]
			now.spec.Health = health
			r.world.running["web"] = &now
		})
	}
	sick("unhealthy")
	home := func(status deployment.Health) func(*deployment.Deployment) bool {
		return func(d *deployment.Deployment) bool {
			for _, check := range d.Component("web").Checks {
				if check.Name == "home" {
					return check.Status == status
				}
			}
			return false
		}
	}
	if d = r.until(d.ID, "unhealthy", home(deployment.Unhealthy)); d.Status != deployment.Completed {
		t.Errorf("status %s", d.Status)
	}
	sick("")
	r.until(d.ID, "healthy again", home(deployment.Healthy))
	var last deployment.CheckPayload
	for _, p := range payloads[deployment.CheckPayload](r, d.ID, deployment.EventCheckStatus) {
		if p.Name == "home" {
			last = p
		}
	}
	if last.Status != deployment.Healthy || last.From != deployment.Unhealthy {
		t.Errorf("last event %+v", last)
	}
}
