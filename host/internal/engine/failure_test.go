package engine_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/engine"
	"github.com/apm-deploy/apm/sdk"
)

// How a version that does not come up well ends, and what is kept of it.
func TestFailures(t *testing.T) {
	t.Parallel()
	const rollback, leave = `{}`, `{"on_failure":"leave"}`
	tests := map[string]struct {
		web      string
		policy   string
		unstaged bool
		during   func(r *rig, id string)
		status   deployment.Status
		code     string
		reason   string // part of it
		runs     int
		web2     string // version that runs afterwards
		current  string
	}{
		"deadline of a candidate": {
			web: `{"content":"b","stuck":true,"timeout":2000}`, policy: rollback,
			status: deployment.RolledBack, code: sdk.CodeProgressDeadline, reason: "took longer than 2s", runs: 2, web2: "v1", current: "v1",
		},
		"deadline where nothing is staged": {
			web: `{"content":"b","stuck":true,"timeout":2000}`, policy: rollback, unstaged: true,
			status: deployment.RolledBack, code: sdk.CodeProgressDeadline, reason: "took longer than 2s", runs: 2, web2: "v1", current: "v1",
		},
		"check that never passes": {
			web: `{"content":"b","health":"unhealthy","timeout":2000}`, policy: rollback,
			status: deployment.RolledBack, code: deployment.CodeDeadline, reason: "check home", runs: 2, web2: "v1", current: "v1",
		},
		"check that fails after its startup": {
			web: `{"content":"b","health":"unhealthy","startup":30}`, policy: rollback,
			status: deployment.RolledBack, code: deployment.CodeCheckFailed, reason: "check home failed", runs: 2, web2: "v1", current: "v1",
		},
		"nobody could look": {
			web: `{"content":"b","health":"unknown","timeout":2000}`, policy: rollback,
			status: deployment.Failed, code: deployment.CodeUnknown, reason: "nothing was undone", runs: 1, web2: "v1", current: "v2",
		},
		"superseded": {
			web: `{"content":"b","stuck":true}`, policy: rollback,
			during: func(r *rig, _ string) {
				r.poll("an operation to supersede", func() bool { return r.world.supersede("web", "mallory") })
			},
			status: deployment.Failed, code: deployment.CodeSuperseded, reason: "mallory", runs: 1, web2: "v1", current: "v2",
		},
		"left where it is": {
			web: `{"content":"b","turns_bad":true}`, policy: leave,
			status: deployment.Failed, code: deployment.CodeCheckFailed, reason: "left as it is", runs: 1, web2: "v2", current: "v2",
		},
		"exits": {
			web: `{"content":"b","fail":"EXITED"}`, policy: rollback,
			status: deployment.RolledBack, code: "EXITED", reason: "it exits", runs: 2, web2: "v1", current: "v1",
		},
		"exits half way": {
			web: `{"content":"b","fail":"EXITED","breaks":true}`, policy: rollback,
			status: deployment.RolledBack, code: "EXITED", reason: "it exits", runs: 2, web2: "v1", current: "v1",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.world.caps.Staged = !test.unstaged
			r.run()
			r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
			id := r.startWith("v2", `{"web":`+test.web+`}`, test.policy).ID
			if test.during != nil {
				test.during(r, id)
			}
			d := r.await(id, test.runs)
			failure := d.Runs[0].Failure
			if d.Status != test.status || failure == nil || failure.Code != test.code || failure.Component != "web" {
				t.Fatalf("status %s, failure %+v", d.Status, failure)
			}
			if !strings.Contains(d.Reason, test.reason) || len(d.Runs) != test.runs {
				t.Errorf("%d runs, reason %q", len(d.Runs), d.Reason)
			}
			if got := r.world.version("web"); got != test.web2 || r.state().Version != test.current || r.state().Holder != "" {
				t.Errorf("runs %q, state %+v", got, r.state())
			}
			r.checkEvidence(d, failure)
		})
	}
}

// checkEvidence: it is stored, and was before anything was undone.
func (r *rig) checkEvidence(d *deployment.Deployment, failure *deployment.Failure) {
	r.t.Helper()
	data, err := r.store.Blob(r.t.Context(), failure.Evidence)
	if err != nil {
		r.t.Errorf("evidence %q: %v", failure.Evidence, err)
		return
	}
	var evidence deployment.Evidence
	if err := json.Unmarshal(data, &evidence); err != nil || evidence.Code != failure.Code || evidence.Component != "web" {
		r.t.Errorf("evidence %s: %v", data, err)
	}
	if len(evidence.Logs) == 0 && failure.Code != deployment.CodeSuperseded {
		r.t.Errorf("no log lines in %s", data)
	}
	if len(evidence.Checks) == 0 && (failure.Code == deployment.CodeCheckFailed || failure.Code == deployment.CodeUnknown) {
		r.t.Errorf("no transcript in %s", data)
	}
	kept := r.seqOf(d.ID, func(e deployment.Event) bool { return e.Type == deployment.EventEvidence })
	undone := r.seqOf(d.ID, func(e deployment.Event) bool {
		var p deployment.StatusPayload
		return e.Type == deployment.EventStatus && json.Unmarshal(e.Data, &p) == nil && p.Status == deployment.RollingBack
	})
	if kept == 0 || undone > 0 && undone < kept {
		r.t.Errorf("evidence is event %d, rolling back %d", kept, undone)
	}
}

func TestSlowStartIsNoFault(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	d := r.start("v1", `{"web":{"content":"a","health":"until_mended"}}`)
	r.until(d.ID, "failing for long", func(d *deployment.Deployment) bool {
		if !d.Run().Open() {
			t.Fatalf("%s: %s", d.Status, d.Reason)
		}
		c := d.Component("web")
		return len(c.Checks) > 0 && c.Checks[0].Name == "home" && c.Checks[0].Failures >= 2
	})
	r.world.with(func() { r.world.mended = true })
	if d = r.await(d.ID, 1); d.Status != deployment.Completed {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
}

// A failure that the platform blames on the environment is held for, visibly,
// and the deployment goes on by itself. What ran before stays the goal of a
// rollback, although operations in between have changed the platform.
func TestEnvironmentIsHeldFor(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	d := r.start("v2", `{"web":{"content":"b","fail":"PLATFORM_DOWN","environment":true,"breaks":true}}`)
	held := r.until(d.ID, "held twice", func(d *deployment.Deployment) bool {
		return d.Waiting != nil && d.Waiting.Kind == deployment.WaitEnvironment && len(d.Run().Step("web").Operations) >= 2
	})
	if held.Status != deployment.Deploying || !strings.Contains(held.Reason, "environment is at fault") {
		t.Errorf("%s: %s", held.Status, held.Reason)
	}
	r.world.with(func() { r.world.mended = true })
	if d = r.await(d.ID, 1); d.Status != deployment.Completed || d.Waiting != nil {
		t.Fatalf("%s: %s", d.Status, d.Reason)
	}
	if _, err := r.engine.Rollback(t.Context(), d.ID, deployment.RollbackWish{}, tester); err != nil {
		t.Fatal(err)
	}
	if d = r.await(d.ID, 2); d.Status != deployment.RolledBack || r.world.version("web") != "v1" {
		t.Errorf("%s: %s; runs %s", d.Status, d.Reason, r.world.version("web"))
	}
}

// The same on the way back: a rollback waits for what is not its fault.
func TestEnvironmentIsHeldForOnTheWayBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.world.mended = true
	r.run()
	r.await(r.start("v1", `{"web":{"content":"a","fail":"PLATFORM_DOWN","environment":true}}`).ID, 1)
	d := r.await(r.start("v2", `{"web":{"content":"b"}}`).ID, 1)
	r.world.with(func() { r.world.mended = false })
	r.wish(d.ID, deployment.CommandRollback, "")
	held := r.waits(d.ID, deployment.WaitEnvironment)
	if held.Status != deployment.RollingBack || !strings.Contains(held.Reason, "environment is at fault") {
		t.Errorf("%s: %s", held.Status, held.Reason)
	}
	r.world.with(func() { r.world.mended = true })
	if d = r.await(d.ID, 2); d.Status != deployment.RolledBack || d.Waiting != nil || r.world.version("web") != "v1" {
		t.Errorf("%s: %s; runs %s", d.Status, d.Reason, r.world.version("web"))
	}
}

func TestOldVersionFailsTheSameCheck(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	r.world.with(func() { r.world.down = true })
	d := r.start("v2", `{"web":{"content":"b","startup":20}}`)
	held := r.waits(d.ID, deployment.WaitEnvironment)
	if !strings.Contains(held.Waiting.For, "database refuses connections") {
		t.Errorf("waits for %q", held.Waiting.For)
	}
	r.world.with(func() { r.world.down = false })
	if d = r.await(d.ID, 1); d.Status != deployment.Completed || d.Waiting != nil {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
}

// A plugin that breaks down within Deploy promises nothing: what it had begun is
// found and taken back.
func TestPluginBugIsNoRefusal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.world.caps.Staged = false
	r.run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	r.world.with(func() { r.world.panics = true })
	d := r.await(r.start("v2", `{"web":{"content":"b"}}`).ID, 2)
	if d.Status != deployment.RolledBack || r.world.version("web") != "v1" || !strings.Contains(d.Reason, "index out of range") {
		t.Errorf("%s: %s; runs %s", d.Status, d.Reason, r.world.version("web"))
	}
	if f := d.Runs[0].Failure; f == nil || f.Code != deployment.CodePluginBug || r.engine.Misdeeds("fake")[engine.MisdeedBug] != 1 {
		t.Errorf("%+v; counted %v", f, r.engine.Misdeeds("fake"))
	}
}

// What the platform refuses has changed nothing, so that nothing is undone.
func TestRefusedChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	first := r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	r.fails("deploy", sdk.PermissionDenied)
	d := r.await(r.start("v2", `{"web":{"content":"b"}}`).ID, 1)
	if d.Status != deployment.Failed || d.Runs[0].Failure.Code != sdk.CodePermissionDenied || r.state().Current != first.ID {
		t.Errorf("%s: %s; state %+v", d.Status, d.Reason, r.state())
	}
}

// The live state moves once between the snapshot and the call: it is looked at
// again, and what was found then is what a rollback brings back.
func TestStateChangedIsFollowedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"db":{"content":"x"},"web":{"content":"a","depends_on":["db"]}}`).ID, 1)
	d := r.start("v2", `{"db":{"content":"y","health":"until_mended"},"web":{"content":"b","depends_on":["db"]}}`)
	r.poll("the operation on db", func() bool { return r.world.open("db") })
	r.world.change("web", "hotfix")
	r.world.with(func() { r.world.mended = true })
	d = r.await(d.ID, 1)
	ops := d.Runs[0].Step("web").Operations
	if d.Status != deployment.Completed || len(ops) != 2 || ops[0].Outcome.Result != deployment.ResultRefused {
		t.Fatalf("%s: %s; %+v", d.Status, d.Reason, ops)
	}
	if diff := cmp.Diff("v1:hotfix", d.Component("web").Before.ObservedDigest); diff != "" {
		t.Error(diff)
	}
	r.wish(d.ID, deployment.CommandRollback, "")
	if d = r.await(d.ID, 2); d.Status != deployment.RolledBack {
		t.Fatalf("%s: %s", d.Status, d.Reason)
	}
	r.world.with(func() {
		if got := r.world.running["web"].digest(); got != "v1:hotfix" {
			t.Errorf("runs %s", got)
		}
	})
}

// A rollback of which one part fails says so, keeps what went back, and does not
// touch what waited for that part. It can be tried again.
func TestRollbackFailsInPart(t *testing.T) {
	t.Parallel()
	r := newRig(t).run()
	r.await(r.start("v1", `{"db":{"content":"x"},"web":{"content":"a","depends_on":["db"]},"side":{"content":"s"}}`).ID, 1)
	second := r.await(r.start("v2", `{"db":{"content":"y"},"web":{"content":"b","depends_on":["db"]},"side":{"content":"t"}}`).ID, 1)
	r.world.with(func() { r.world.forbidden = "web" })
	r.wish(second.ID, deployment.CommandRollback, "")
	d := r.await(second.ID, 2)
	got := map[string]string{}
	for _, name := range []string{"db", "web", "side"} {
		got[name] = string(d.Component(name).Status) + " " + r.state().Components[name].Version + " " + r.world.version(name)
	}
	want := map[string]string{"db": "rollback_failed v2 v2", "web": "rollback_failed v2 v2", "side": "rolled_back v1 v1"}
	if diff := cmp.Diff(want, got); diff != "" || d.Status != deployment.RollbackFailed || r.state().Current != d.ID {
		t.Fatalf("%s: %s; %s", d.Status, d.Reason, diff)
	}
	r.world.with(func() { r.world.forbidden = "" })
	if _, err := r.engine.Rollback(t.Context(), d.ID, deployment.RollbackWish{}, tester); err != nil {
		t.Fatal(err)
	}
	d = r.await(d.ID, 3)
	if d.Status != deployment.RolledBack || r.world.version("web") != "v1" || r.world.version("db") != "v1" || r.state().Version != "v1" {
		t.Errorf("%s: %s; %+v", d.Status, d.Reason, r.state())
	}
}

func TestRefusedRollbackKeepsItsDeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.policy.Timeouts.RollingBack = 300 * time.Millisecond
	r.run()
	r.await(r.start("v1", `{"web":{"content":"a"}}`).ID, 1)
	d := r.await(r.start("v2", `{"web":{"content":"b"}}`).ID, 1)
	r.fails("rollback", sdk.Unavailable)
	r.wish(d.ID, deployment.CommandRollback, "")
	d = r.await(d.ID, 2)
	if d.Status != deployment.RollbackFailed || !strings.Contains(d.Reason, "took longer than 300ms") {
		t.Errorf("%s: %s", d.Status, d.Reason)
	}
}
