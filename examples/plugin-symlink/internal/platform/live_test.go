package platform_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
)

// foreign makes current what a person once linked, with a link in it that leads out.
func foreign(r *rig) (link string) {
	r.Helper()
	link = r.TempDir()
	r.write(filepath.Join(link, "index.html"), "theirs")
	if err := os.Symlink("/dev/null", filepath.Join(link, "log")); err != nil {
		r.Fatal(err)
	}
	if err := os.MkdirAll(r.path(), 0o755); err != nil {
		r.Fatal(err)
	}
	if err := os.Symlink(link, r.path("current")); err != nil {
		r.Fatal(err)
	}
	return link
}

// What was there before us comes back as it was, and is never removed.
func TestWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	link := foreign(r)
	before := r.snapshot()
	r.deploy("ours")
	r.rollback(before.Snapshot)
	if got, err := os.Readlink(r.path("current")); err != nil || got != link {
		t.Errorf("current leads to %q %v, want %q", got, err, link)
	}
	if after := r.snapshot(); after.ObservedDigest != before.ObservedDigest {
		t.Errorf("observed %q, before %q", after.ObservedDigest, before.ObservedDigest)
	}
	r.rollback(sdk.Snapshot{Version: 1, Empty: true})
	r.serves("theirs")
}

// A file that somebody changed is part of the snapshot, and comes back.
func TestSnapshotOfChangedFiles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.deploy("one")
	r.write(r.path("current", "index.html"), "by hand")
	before := r.snapshot()
	r.deploy("one") // beside what was changed, not over it
	r.serves("one")
	r.rollback(before.Snapshot)
	r.serves("by hand")
}

// A directory in the link's place is neither replaced nor taken for nothing.
func TestNoLink(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	release := r.resolve("one")
	r.write(r.path("current", "index.html"), "a directory")
	_, err := r.Deploy(r.ctx(), sdk.DeployRequest{Operation: r.operation(sdk.OperationDeploy), Target: r.target, Release: release})
	r.refused("Deploy", err, sdk.FailedPrecondition, sdk.ReasonConflict)
	result, err := r.Probe(r.ctx(), sdk.ProbeRequest{Target: r.target})
	if err != nil || len(result.Checks) != 1 || result.Checks[0].Status != sdk.CheckUnhealthy {
		t.Errorf("Probe: %+v %v", result, err)
	}
	r.serves("a directory")
}

func TestProbe(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		happens func(*rig)
		want    sdk.CheckStatus
	}{
		"as deployed": {func(*rig) {}, sdk.CheckHealthy},
		"changed":     {func(r *rig) { r.write(r.path("current", "index.html"), "by hand") }, sdk.CheckDegraded},
		"link gone":   {func(r *rig) { _ = os.Remove(r.path("current")) }, sdk.CheckUnhealthy},
		"files gone":  {func(r *rig) { _ = os.RemoveAll(r.path("releases")) }, sdk.CheckUnhealthy},
		"not readable": {func(r *rig) {
			_ = os.Remove(r.path("current"))
			_ = os.Symlink("current", r.path("current")) // a loop
		}, sdk.CheckUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.deploy("one")
			tc.happens(r)
			result, err := r.Probe(r.ctx(), sdk.ProbeRequest{Target: r.target})
			if err != nil {
				t.Fatal(err)
			}
			worst := sdk.CheckHealthy
			for _, check := range result.Checks {
				worst = max(worst, check.Status)
			}
			if worst != tc.want {
				t.Errorf("checks %+v, want %d", result.Checks, tc.want)
			}
		})
	}
}

// Drift is told with who did it, and once; what undoes a rollback is called so.
func TestDrift(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.deploy("one")
	before := r.snapshot().Snapshot
	r.deploy("two")
	r.rollback(before)
	drifts := make(chan sdk.Drift, 10)
	watching := make(chan error, 1)
	ctx := r.ctx()
	go func() {
		watching <- r.WatchTarget(ctx, sdk.WatchTargetRequest{Target: r.target}, func(events ...sdk.Event) error {
			for _, event := range events {
				if event.Drift != nil {
					drifts <- *event.Drift
				}
			}
			if len(drifts) == 2 {
				return errSeen
			}
			return nil
		})
	}()
	r.write(r.path("current", "index.html"), "by hand")
	first := <-drifts
	if first.By == "" || first.Undone || !strings.Contains(first.Message, r.path("current")) {
		t.Errorf("drift %+v", first)
	}
	drifts <- first // so that two are seen at the next one
	r.write(r.path("current", "index.html"), "two")
	if err := <-watching; !errors.Is(err, errSeen) {
		t.Fatalf("WatchTarget: %v", err)
	}
	<-drifts
	if second := <-drifts; !second.Undone {
		t.Errorf("drift %+v, want undone", second)
	}
}

// What the plugin itself does is no drift.
func TestNoDrift(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.deploy("one")
	ready, watching := make(chan struct{}), make(chan error, 1)
	ctx := r.ctx()
	go func() {
		resources := 0
		watching <- r.WatchTarget(ctx, sdk.WatchTargetRequest{Target: r.target}, func(events ...sdk.Event) error {
			for _, event := range events {
				switch {
				case event.State != nil:
					close(ready)
				case event.Drift != nil:
					return errors.New(event.Drift.Message)
				case event.Resource != nil:
					resources++
				}
			}
			if resources == 4 { // link and release, twice
				return errSeen
			}
			return nil
		})
	}()
	<-ready
	r.deploy("two")
	waitFor(t, 2*time.Second)
	r.deploy("three")
	if err := <-watching; !errors.Is(err, errSeen) {
		t.Errorf("WatchTarget: %v", err)
	}
}

// A release that is stamped and not swapped in yet is no drift either.
func TestNoDriftBeforeTheSwap(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.deploy("one")
	before, err := os.Readlink(r.path("current"))
	if err != nil {
		t.Fatal(err)
	}
	o := r.deploy("two").Operation
	r.edit(func(s *component.Record) { s.Operation(o.ID).Outcome = nil })
	if err := r.component().Swap(before); err != nil {
		t.Fatal(err)
	}
	r.restart()
	err = r.WatchTarget(r.ctx(), sdk.WatchTargetRequest{Target: r.target}, func(events ...sdk.Event) error {
		if len(events) != 1 || events[0].State == nil {
			t.Errorf("events %+v, want a State alone", events)
		}
		return errSeen
	})
	if !errors.Is(err, errSeen) {
		t.Errorf("WatchTarget: %v", err)
	}
}

// waitFor lets time pass in which something must not happen.
func waitFor(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// The file with the variables is for its owner, wherever it is.
func TestVariablesAreHidden(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.deploy("one")
	files, err := filepath.Glob(r.path("*", "*", ".env"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v %v", files, err)
	}
	frozen, err := filepath.Glob(r.path(".apm", "*", "*", ".env"))
	if err != nil || len(frozen) == 0 {
		t.Fatalf("%v %v", frozen, err)
	}
	for _, file := range append(files, frozen...) {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", file, info.Mode(), err)
		}
	}
}

// Mistakes in the source are the user's, and told with a path.
func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, prepare := range map[string]func(dir string) error{
		"gone":           os.Remove,
		"link leads out": func(dir string) error { return os.Symlink("../../etc", filepath.Join(dir, "out")) },
		"absolute link":  func(dir string) error { return os.Symlink("/etc", filepath.Join(dir, "out")) },
		"variables":      func(dir string) error { return os.WriteFile(filepath.Join(dir, ".env"), nil, 0o600) },
	} {
		source := t.TempDir()
		if err := prepare(source); err != nil {
			t.Fatal(err)
		}
		target := r.target
		target.Spec = []byte(`{"source": "` + source + `", "env": {"A": "b"}}`)
		_, ds, err := r.Resolve(r.ctx(), sdk.ResolveRequest{Target: target})
		if err != nil || !ds.HasErrors() || len(ds[0].Path) == 0 || ds[0].Path[0] != "source" {
			t.Errorf("%s: %v %v", name, ds, err)
		}
	}
	target := r.target
	target.Component, target.Spec = "../other", []byte(`{"source": "/tmp"}`)
	_, _, err := r.Resolve(r.ctx(), sdk.ResolveRequest{Target: target})
	r.refused("a component that leads out", err, sdk.InvalidArgument, sdk.ReasonInvalidSpec)
}
