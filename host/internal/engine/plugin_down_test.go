package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// What the supervisor says of a platform on its way down.
var (
	inBackoff = &deployment.Error{
		Code: deployment.Unavailable, Message: `platform "fake" ended and is started again soon: exit status 7`,
		Remedy: "see the log", RetryAfter: time.Second,
	}
	isBroken = &deployment.Error{
		Code: deployment.Unavailable, Message: "platform \"fake\" is broken: 5 starts in a row,\n the last: exit status 7",
		Remedy: "apm plugin restart fake",
	}
)

// breaks ends the plugin, which does not come back by itself.
func (r *rig) breaks(state error) {
	r.world.with(func() { r.world.unready, r.world.state = true, state; r.world.die() })
}

// restarted brings the plugin back.
func (r *rig) restarted() {
	r.world.with(func() { r.world.unready, r.world.state = false, nil })
}

// waitsFor waits until the deployment waits for the plugin for that reason.
func (r *rig) waitsFor(id, reason string) *deployment.Deployment {
	r.t.Helper()
	return r.until(id, "waiting: "+reason, func(d *deployment.Deployment) bool {
		return d.Waiting != nil && d.Waiting.Kind == deployment.WaitPlugin && d.Waiting.For == reason
	})
}

// stages bring a deployment to where its plugin ends under it.
var stages = map[string]struct {
	reach  func(r *rig) (id string)
	status deployment.Status
	goesOn deployment.Status // once the plugin is back
	fails  deployment.Status // at its deadline
	kept   string            // version of web after the deadline
}{
	"preparing": {
		reach: func(r *rig) string {
			r.world.with(func() { r.world.snapless = true })
			id := r.start("v2", `{"web":{"content":"b"}}`).ID
			r.until(id, "preparing", func(d *deployment.Deployment) bool { return d.Status == deployment.Preparing })
			r.breaks(isBroken)
			r.world.with(func() { r.world.snapless = false })
			return id
		},
		status: deployment.Preparing, goesOn: deployment.Completed, fails: deployment.Failed, kept: "v1",
	},
	"deploying": {
		reach: func(r *rig) string {
			id := r.start("v2", fmt.Sprintf(`{"web":{"content":"b","steps":[25,100],"pause":200,"timeout":%d}}`, r.limit.Milliseconds())).ID
			r.beginsWeb(id)
			r.breaks(isBroken)
			return id
		},
		status: deployment.Deploying, goesOn: deployment.Completed, fails: deployment.Failed, kept: "v1",
	},
	"verifying": {
		reach: func(r *rig) string {
			id := r.start("v2", `{"web":{"content":"b"}}`).ID
			r.until(id, "verifying", func(d *deployment.Deployment) bool { return d.Status == deployment.Verifying })
			r.breaks(isBroken)
			return id
		},
		status: deployment.Verifying, goesOn: deployment.Completed, fails: deployment.Failed, kept: "v2",
	},
	"rolling back": {
		reach: func(r *rig) string {
			r.fails("rollback", sdk.Unavailable)
			id := r.start("v2", `{"web":{"content":"b","fail":"EXITED","breaks":true}}`).ID
			r.waits(id, deployment.WaitEnvironment)
			r.breaks(isBroken)
			r.fails("rollback", "")
			return id
		},
		status: deployment.RollingBack, goesOn: deployment.RolledBack, fails: deployment.RollbackFailed,
	},
}

// stageRig is an engine under which v1 runs, and where one stage may take so long
// and no longer, but the others as long as a busy machine needs.
func stageRig(t *testing.T, stage string, limit time.Duration) *rig {
	t.Helper()
	r := newRig(t)
	r.limit = time.Minute
	r.policy.Bake = 1500 * time.Millisecond
	r.policy.Timeouts = deployment.Timeouts{Preparing: time.Minute, Deploying: time.Minute, Verifying: time.Minute, RollingBack: time.Minute}
	r.run()
	first := r.startWith("v1", `{"web":{"content":"a"}}`, `{"bake":60000000}`)
	if d := r.await(first.ID, 1); d.Status != deployment.Completed {
		t.Fatalf("%s: %s", d.Status, d.Reason)
	}
	switch stage {
	case "preparing":
		r.policy.Timeouts.Preparing = limit
	case "deploying":
		r.limit = limit
	case "verifying":
		r.policy.Timeouts.Verifying = limit
	case "rolling back":
		r.policy.Timeouts.RollingBack = limit
	}
	r.run()
	return r
}

// A deployment whose platform is broken waits for it, visibly and with the reason
// as it changes, wherever it is; once the platform was restarted by hand it goes
// on by itself, and nothing happens twice.
func TestBrokenPlatformIsAwaited(t *testing.T) {
	t.Parallel()
	for name, stage := range stages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := stageRig(t, name, time.Minute)
			id := stage.reach(r)
			broken := `platform "fake" is broken: 5 starts in a row, the last: exit status 7; apm plugin restart fake`
			d := r.waitsFor(id, broken)
			if d.Status != stage.status || !strings.Contains(d.Reason, broken) {
				t.Errorf("%s: %s", d.Status, d.Reason)
			}
			since := d.Waiting.Since
			r.breaks(inBackoff)
			d = r.waitsFor(id, `platform "fake" ended and is started again soon: exit status 7`)
			if !d.Waiting.Since.Equal(since) {
				t.Errorf("another reason is another wait: since %s, before it %s", d.Waiting.Since, since)
			}
			r.restarted()
			d = r.until(id, "ended", func(d *deployment.Deployment) bool { return d.Status.Terminal() })
			if d.Status != stage.goesOn || d.Waiting != nil {
				t.Errorf("%s: %s; waits for %+v", d.Status, d.Reason, d.Waiting)
			}
			if twice := r.world.duplicates(); len(twice) > 0 {
				t.Errorf("twice: %v", twice)
			}
			var told []bool
			for _, p := range payloads[deployment.WaitingPayload](r, id, deployment.EventWaiting) {
				if p.Waiting == nil || p.Waiting.Kind == deployment.WaitPlugin {
					told = append(told, p.Waiting != nil)
				}
			}
			if n := len(told); n < 3 || n > 8 || told[n-1] {
				t.Errorf("told of waiting: %v", told)
			}
		})
	}
}

// One whose platform stays broken fails at its deadline: the reason names the
// platform, how it is, and what to do. What cannot be looked at is not undone.
func TestBrokenPlatformAtTheDeadline(t *testing.T) {
	t.Parallel()
	for name, stage := range stages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := stageRig(t, name, 3*time.Second)
			id := stage.reach(r)
			d := r.until(id, "ended", func(d *deployment.Deployment) bool { return d.Status.Terminal() })
			f := d.Run().Failure
			if d.Status != stage.fails || f == nil || f.Code != deployment.CodePluginDown || f.Component != "web" {
				t.Fatalf("%s: %s; %+v", d.Status, d.Reason, f)
			}
			for _, want := range []string{
				"longer than", `platform "fake" is broken: 5 starts in a row, the last: exit status 7`, "apm plugin restart fake",
			} {
				if !strings.Contains(d.Reason, want) {
					t.Errorf("%q is not in %q", want, d.Reason)
				}
			}
			if d.Waiting != nil || r.state().Holder != "" {
				t.Errorf("waits for %+v, held by %q", d.Waiting, r.state().Holder)
			}
			if got := r.world.version("web"); stage.kept != "" && got != stage.kept {
				t.Errorf("%s runs, not %s", got, stage.kept)
			}
			r.restarted()
			if d := r.await(r.startWith("v3", `{"web":{"content":"c"}}`, `{"bake":60000000,"timeouts":{"preparing":60000000000,"deploying":60000000000,"verifying":60000000000,"rolling_back":60000000000}}`).ID, 1); d.Status != deployment.Completed {
				t.Errorf("after it: %s: %s", d.Status, d.Reason)
			}
		})
	}
}

// One that is queued behind another waits for that, and then for the platform as
// any other: both go on by themselves.
func TestQueueBehindABrokenPlatform(t *testing.T) {
	t.Parallel()
	r := stageRig(t, "", time.Minute)
	first := stages["deploying"].reach(r)
	r.restarted() // what is accepted is resolved, which a broken platform does not
	r.world.with(func() { r.world.snapless = true })
	second := r.startWith("v3", `{"web":{"content":"c"}}`, `{"bake":60000000}`).ID
	r.breaks(isBroken)
	r.waits(second, deployment.WaitLock)
	r.waits(first, deployment.WaitPlugin)
	r.world.with(func() { r.world.snapless = false })
	r.restarted()
	var got []string
	for _, id := range []string{first, second} {
		d := r.await(id, 1)
		got = append(got, string(d.Status))
	}
	if diff := cmp.Diff([]string{"completed", "completed"}, got); diff != "" || r.world.version("web") != "v3" {
		t.Errorf("%s runs %s", r.world.version("web"), diff)
	}
}

// A platform that is not well, while its plugin answers, is no plugin to wait
// for: nothing is told of waiting.
func TestUnhealthyPlatformIsAsked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.world.unwell = true
	r.run()
	r.world.with(func() { r.world.unwell = false })
	id := r.start("v1", `{"web":{"content":"a","health":"until_mended"}}`).ID
	r.beginsWeb(id)
	r.world.with(func() { r.world.unwell, r.world.mended = true, true; r.world.die() })
	if d := r.await(id, 1); d.Status != deployment.Completed {
		t.Fatalf("%s: %s", d.Status, d.Reason)
	}
	if told := payloads[deployment.WaitingPayload](r, id, deployment.EventWaiting); len(told) > 0 {
		t.Errorf("waited for %+v", told[0].Waiting)
	}
}
