package engine_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// A host that is restarted again and again has looked in between: that time
// counts, so that the deadline comes although nothing new was recorded.
func TestRestartsDoNotPutOffADeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.lease = 900 * time.Millisecond
	r.policy.Timeouts.Deploying = 4 * time.Second
	r.run()
	id := r.start("v1", stuckWeb).ID
	r.beginsWeb(id)
	restart := time.NewTicker(1500 * time.Millisecond)
	defer restart.Stop()
	for range 20 {
		<-restart.C
		if d, err := r.store.Deployment(t.Context(), id); err == nil && !d.Runs[0].Open() {
			return
		}
		r.run()
	}
	t.Error("half a minute of looking, and the deadline of 4 s did not come")
}

// What cannot be looked at by the deadline is not undone: the status says so.
func TestNobodyCouldLookByTheDeadline(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		harm   func(r *rig)
		code   string
		reason string
	}{
		"plugin gone": {
			harm: func(r *rig) {
				r.world.with(func() { r.world.unready = true; r.world.die() })
			},
			code: deployment.CodePluginDown, reason: "took longer than 2s: platform fake is in backoff",
		},
		"plugin gone for good": {
			harm: func(r *rig) {
				r.world.with(func() { r.world.unready, r.world.impatient = true, true; r.world.die() })
			},
			code: deployment.CodePluginDown, reason: "took longer than 2s: platform fake is in backoff",
		},
		"platform down": {
			harm: func(r *rig) {
				r.fails("watch", sdk.Unavailable)
				r.fails("recover", sdk.Unavailable)
				r.world.with(r.world.die)
			},
			code: deployment.CodeUnknown, reason: "could not ask what became of the operation: as told",
		},
		"stream broken": {
			harm: func(r *rig) {
				r.fails("watch", sdk.Unavailable)
				r.world.with(r.world.die)
			},
			code: deployment.CodeUnknown, reason: "could not watch the operation: as told",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t).run()
			r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
			id := r.start("v2", `{"web":{"content":"b","stuck":true,"timeout":2000}}`).ID
			r.beginsWeb(id)
			test.harm(r)
			d := r.await(id, 1)
			f := d.Runs[0].Failure
			if d.Status != deployment.Failed || len(d.Runs) != 1 || f == nil || f.Code != test.code || f.Component != "web" {
				t.Fatalf("%s: %s; %+v", d.Status, d.Reason, f)
			}
			if !strings.Contains(d.Reason, test.reason) || !strings.Contains(d.Reason, "nothing was undone") || d.Component("web").Status != deployment.Failed {
				t.Errorf("component %s; %s", d.Component("web").Status, d.Reason)
			}
		})
	}
}

// A platform that refuses work until the deadline fails the component that
// waited for it, not one without a name.
func TestPlatformDownUntilTheDeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	r.fails("deploy", sdk.Unavailable)
	d := r.await(r.start("v2", `{"web":{"content":"b","timeout":2000}}`).ID, 2)
	f := d.Runs[0].Failure
	if d.Status != deployment.RolledBack || f == nil || f.Component != "web" || f.Code != sdk.CodePlatformDown || !strings.Contains(f.Message, "as told") {
		t.Errorf("%s: %s; %+v", d.Status, d.Reason, f)
	}
	if got := r.world.effectsOf("web"); len(got) != 2 {
		t.Errorf("effects %v", got)
	}
}

// What was verified is not undone because its snapshot cannot be taken, and the
// deployment does not wait for that for ever.
func TestAfterSnapshotHasADeadline(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(r *rig){
		"platform down": func(r *rig) { r.fails("snapshot", sdk.Unavailable) },
		"plugin gone":   func(r *rig) { r.world.with(func() { r.world.snapless = true }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.policy.Timeouts.Verifying = 3 * time.Second
			r.run()
			d := r.start("v1", `{"web":{"content":"a","health":"until_mended"}}`)
			r.beginsWeb(d.ID)
			harm(r)
			r.world.with(func() { r.world.mended = true })
			d = r.await(d.ID, 1)
			if d.Status != deployment.Failed || len(d.Runs) != 1 || d.Runs[0].Failure.Component != "web" || !strings.Contains(d.Reason, "nothing was undone") {
				t.Fatalf("%s: %s", d.Status, d.Reason)
			}
			if r.world.version("web") != "v1" || r.state().Current != d.ID || r.state().Holder != "" {
				t.Errorf("%+v", r.state())
			}
		})
	}
}

// A window that could not be filled because nobody could look is no reason to go
// back, even if all is well by then.
func TestBakeThatNobodySawIsNotUndone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.policy.Bake = 3 * time.Second
	r.policy.Timeouts.Verifying = time.Second
	r.run()
	d := r.start("v1", `{"web":{"content":"a"}}`)
	d = r.until(d.ID, "verifying", func(d *deployment.Deployment) bool { return d.Status == deployment.Verifying })
	r.fails("probe", sdk.Unavailable)
	r.poll("most of the time to be over", func() bool { return time.Since(d.Run().DeployedAt) > 3200*time.Millisecond })
	r.fails("probe", "")
	d = r.await(d.ID, 1)
	if d.Status != deployment.Failed || d.Runs[0].Failure.Code != deployment.CodeUnknown || !strings.Contains(d.Reason, "nothing was undone") {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
}

// monitor.timeout bounds a rollback with its checks too.
func TestGateOfARestoreHasADeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	d := r.await(r.start("v2", `{"web":{"content":"b","timeout":2000}}`).ID, 1)
	r.world.with(func() { r.world.down = true })
	r.wish(d.ID, deployment.CommandRollback, "")
	d = r.await(d.ID, 2)
	if d.Status != deployment.RollbackFailed || !strings.Contains(d.Reason, "took longer than 2s") {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
}

// After a host was gone the platform is told its last share again, before
// anything else.
func TestShareIsRepeatedAfterAHostWasGone(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	d := r.start("v2", `{"web":{"content":"b","steps":[25,100],"pause":3000}}`)
	r.until(d.ID, "a share in force", func(d *deployment.Deployment) bool {
		s := d.Run().Step("web")
		return s != nil && s.Operation() != nil && !s.Operation().PercentAt.IsZero()
	})
	r.run()
	if d = r.await(d.ID, 1); d.Status != deployment.Completed {
		t.Fatalf("%s: %s", d.Status, d.Reason)
	}
	r.world.with(func() {
		if diff := cmp.Diff([]int{100, 25, 25, 100}, r.world.told); diff != "" {
			t.Error(diff)
		}
	})
}

// A share that nobody could look at is not followed by a larger one.
func TestPauseWaitsForSomebodyToLook(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	d := r.start("v2", `{"web":{"content":"b","steps":[25,100],"pause":2000}}`)
	r.poll("a share in force", func() (shared bool) {
		r.world.with(func() { shared = slices.Contains(r.world.promoted, 25) })
		return shared
	})
	r.fails("probe", sdk.Unavailable)
	began := time.Now()
	r.poll("several pauses", func() bool { return time.Since(began) > 3*time.Second })
	if held, err := r.store.Deployment(t.Context(), d.ID); err != nil || held.Run().Step("web").Operation().Percent != 25 {
		t.Errorf("%+v, %v", held.Run().Step("web").Operation(), err)
	}
	r.fails("probe", "")
	if d = r.await(d.ID, 1); d.Status != deployment.Completed {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
}

// Where checks pass, a step lasts its pause, not the usual time between two looks.
func TestPauseLooksAsOftenAsAGate(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	r.world.with(func() { r.world.promoted = nil })
	d := r.start("v2", `{"web":{"content":"b","steps":[25,100],"pause":100,"interval":8000}}`)
	share := func(percent int) {
		r.poll("a share in force", func() (shared bool) {
			r.world.with(func() { shared = slices.Contains(r.world.promoted, percent) })
			return shared
		})
	}
	share(25)
	began := time.Now()
	share(100)
	if paused := time.Since(began); paused > 7*time.Second {
		t.Errorf("a pause of 100ms took %s", paused)
	}
	r.until(d.ID, "what follows the traffic", func(d *deployment.Deployment) bool { return d.Status != deployment.Deploying })
}

// A look that the end of the stage cut short says nothing: what the platform saw
// before is the reason.
func TestLookThatTheDeadlineCutShort(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.world.strict = true
	r.run()
	d := r.await(r.start("v1", `{"web":{"content":"a","health":"unhealthy","timeout":3000}}`).ID, 1)
	for _, check := range d.Component("web").Checks {
		if check.Status == deployment.Unknown {
			t.Errorf("check %s is unknown: %s", check.Name, check.Message)
		}
	}
	if failure := d.Runs[0].Failure; failure == nil || failure.Code != deployment.CodeDeadline || strings.Contains(d.Reason, "could not look") {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
}
