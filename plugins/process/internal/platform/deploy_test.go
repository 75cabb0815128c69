package platform_test

import (
	"os"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/sdk"
)

func TestStagedDeployMovesTrafficOnlyWhenPromoted(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.settled("v1", b.app("version=v1"))
	if got := get(t, b.public, "/"); got != "v1" {
		t.Fatalf("the public address answers %q, want v1", got)
	}
	w := b.deploy("v2", b.app("version=v2"), true)
	candidate := w.candidate(0)
	if got := get(t, candidate.Addresses["http"], "/"); got != "v2" {
		t.Errorf("the candidate answers %q, want v2", got)
	}
	for range 20 {
		if got := get(t, b.public, "/"); got != "v1" {
			t.Fatalf("before Promote the public address answers %q, want v1", got)
		}
	}
	for _, percent := range []int{10, 50, 10} { // a lower one goes back
		w.promote(percent)
		w.candidate(percent)
		fresh := 0
		for range 20 {
			if get(t, b.public, "/") == "v2" {
				fresh++
			}
		}
		if want := 20 * percent / 100; fresh != want {
			t.Errorf("at %d %% the new version got %d of 20 requests, want %d", percent, fresh, want)
		}
	}
	w.promote(100)
	outcome := w.outcome()
	if outcome.Result != sdk.ResultSucceeded || outcome.Addresses["http"] != b.public || outcome.Revision != "v2" {
		t.Errorf("outcome %+v", outcome)
	}
	if got := get(t, b.public, "/"); got != "v2" {
		t.Errorf("after Promote(100) the public address answers %q, want v2", got)
	}
	if n := len(b.component().Processes); n != 1 {
		t.Errorf("%d instances are left, want 1", n)
	}
	if w.all[0].State == nil {
		t.Errorf("the first event is %+v, want a State", w.all[0])
	}
}

func TestCancelDiscardsTheCandidate(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.settled("v1", b.app("version=v1"))
	before, err := b.Snapshot(t.Context(), sdk.SnapshotRequest{Target: target("v1", nil)})
	if err != nil {
		t.Fatal(err)
	}
	old := b.component().Processes
	w := b.deploy("v2", b.app("version=v2"), true)
	w.candidate(0)
	w.promote(50)
	w.candidate(50)
	w.cancel()
	if o := w.outcome(); o.Result != sdk.ResultCancelled {
		t.Fatalf("outcome %+v, want cancelled", o)
	}
	for range 10 {
		if got := get(t, b.public, "/"); got != "v1" {
			t.Fatalf("after Cancel the public address answers %q, want v1", got)
		}
	}
	after, err := b.Snapshot(t.Context(), sdk.SnapshotRequest{Target: target("v1", nil)})
	if err != nil {
		t.Fatal(err)
	}
	now := b.component().Processes
	if after.ObservedDigest != before.ObservedDigest || len(now) != 1 || now[0] != old[0] {
		t.Errorf("the old release is not as it was: %v, was %v", now, old)
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	empty, err := b.Snapshot(t.Context(), sdk.SnapshotRequest{Target: target("v1", nil)})
	if err != nil || !empty.Snapshot.Empty {
		t.Fatalf("snapshot of nothing: %+v %v", empty, err)
	}
	b.settled("v1", b.app("version=v1"))
	before, err := b.Snapshot(t.Context(), sdk.SnapshotRequest{Target: target("v1", nil)})
	if err != nil {
		t.Fatal(err)
	}
	b.settled("v2", b.app("version=v2"))
	for range 2 { // twice is harmless
		if o := b.rollback(target("v1", nil), before.Snapshot).outcome(); o.Result != sdk.ResultSucceeded || o.Revision != "v1" {
			t.Fatalf("outcome %+v %+v", o, o.Failure)
		}
		if got := get(t, b.public, "/"); got != "v1" {
			t.Errorf("after the rollback the public address answers %q, want v1", got)
		}
		after, err := b.Snapshot(t.Context(), sdk.SnapshotRequest{Target: target("v1", nil)})
		if err != nil || after.ObservedDigest != before.ObservedDigest {
			t.Errorf("observed digest %s, want %s (%v)", after.ObservedDigest, before.ObservedDigest, err)
		}
	}
	w := b.rollback(target("v1", nil), empty.Snapshot)
	if o := w.outcome(); o.Result != sdk.ResultSucceeded {
		t.Fatalf("outcome %+v", o)
	}
	if got := get(t, b.public, "/"); !strings.Contains(got, "refused") {
		t.Errorf("after removal the public address answers %q", got)
	}
	probe, err := b.Probe(t.Context(), sdk.ProbeRequest{Target: target("v1", nil)})
	if err != nil || len(probe.Checks) != 1 || probe.Checks[0].Name != "gone" || probe.Checks[0].Status != sdk.CheckUnhealthy {
		t.Errorf("probe of nothing: %+v %v", probe, err)
	}
	recovery, err := b.Recover(t.Context(), sdk.RecoverRequest{Operation: w.op, Target: w.target})
	if err != nil || recovery.Status != sdk.RecoverFinished {
		t.Errorf("Recover after removal: %+v %v", recovery, err)
	}
	if o := b.watch(w.op, w.target, w.handle).outcome(); o.Result != sdk.ResultSucceeded {
		t.Errorf("Watch after removal: %+v", o)
	}
	if _, err := os.Stat(b.dir() + "/logs"); err == nil {
		if entries, _ := os.ReadDir(b.dir() + "/logs"); len(entries) > 0 {
			t.Errorf("logs are left: %v", entries)
		}
	}
}
