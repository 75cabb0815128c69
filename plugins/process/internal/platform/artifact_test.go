package platform_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/sdk"
)

// artifact makes a directory with a program that serves as a version.
func (b *bed) artifact(version string) spec {
	b.t.Helper()
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	dir := filepath.Join(b.t.TempDir(), "app-"+version)
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		b.t.Fatal(err)
	}
	write(b.t, filepath.Join(dir, "bin", "run"), fmt.Sprintf("#!/bin/sh\nexec %s app version=$(cat version)\n", self), 0o755)
	write(b.t, filepath.Join(dir, "version"), version, 0o644)
	s := b.app()
	s["command"], s["artifact"] = []string{"./bin/run"}, dir
	return s
}

func TestArtifactIsFrozen(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.artifact("v1")
	to, r := b.resolve("v1", s)
	if err := os.RemoveAll(s["artifact"].(string)); err != nil { // Deploy looks at no name again
		t.Fatal(err)
	}
	op := b.operation(sdk.OperationDeploy, false)
	handle, err := b.Deploy(t.Context(), sdk.DeployRequest{Operation: op, Target: to, Release: r})
	if err != nil {
		t.Fatal(err)
	}
	if o := b.watch(op, to, handle).outcome(); o.Result != sdk.ResultSucceeded {
		t.Fatalf("outcome %+v %+v", o, o.Failure)
	}
	if got := get(t, b.public, "/"); got != "v1" {
		t.Errorf("got %q, want v1", got)
	}
	before, err := b.Snapshot(t.Context(), sdk.SnapshotRequest{Target: to})
	if err != nil {
		t.Fatal(err)
	}
	b.settled("v2", b.artifact("v2"))
	if o := b.rollback(to, before.Snapshot).outcome(); o.Result != sdk.ResultSucceeded {
		t.Fatalf("outcome %+v", o)
	}
	if got := get(t, b.public, "/"); got != "v1" {
		t.Errorf("after the rollback %q, want v1", got)
	}
}

func TestPrunedArtifactIsAStaleSnapshot(t *testing.T) {
	t.Parallel()
	b := newBed(t) // keeps two
	b.settled("v1", b.artifact("v1"))
	first, err := b.Snapshot(t.Context(), sdk.SnapshotRequest{Target: target("v1", nil)})
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"v2", "v3", "v4"} {
		b.settled(version, b.artifact(version))
	}
	eventually(t, "two artifacts are kept", func() bool {
		kept, err := filepath.Glob(filepath.Join(b.stateDir, "inst-1", "artifacts", "*", "manifest.json"))
		return err == nil && len(kept) == 2
	})
	op := b.operation(sdk.OperationRollback, false)
	_, err = b.Rollback(t.Context(), sdk.RollbackRequest{Operation: op, Target: target("v1", nil), Snapshot: first.Snapshot})
	wantCode(t, err, sdk.FailedPrecondition, sdk.ReasonSnapshotStale)
	_, err = b.Plan(t.Context(), sdk.PlanRequest{Kind: sdk.OperationRollback, Target: target("v1", nil), Snapshot: &first.Snapshot})
	wantCode(t, err, sdk.FailedPrecondition, sdk.ReasonSnapshotStale)
	if got := get(t, b.public, "/"); got != "v4" {
		t.Errorf("got %q, want v4 untouched", got)
	}
}

// What the host may still go back to stays, however small keep is, until it says
// otherwise.
func TestRetainedArtifactStays(t *testing.T) {
	t.Parallel()
	b := newBed(t) // keeps two
	b.settled("v1", b.artifact("v1"))
	first, err := b.Snapshot(t.Context(), sdk.SnapshotRequest{Target: target("v1", nil)})
	if err != nil {
		t.Fatal(err)
	}
	b.retain = []string{"sha256:never heard of", first.Snapshot.Digest}
	for _, version := range []string{"v2", "v3", "v4"} {
		b.settled(version, b.artifact(version))
	}
	kept := func(want int) func() bool {
		return func() bool {
			found, err := filepath.Glob(filepath.Join(b.stateDir, "inst-1", "artifacts", "*", "manifest.json"))
			return err == nil && len(found) == want
		}
	}
	eventually(t, "two artifacts are kept, and the one that is retained", kept(3))
	if o := b.rollback(target("v1", nil), first.Snapshot).outcome(); o.Result != sdk.ResultSucceeded {
		t.Fatalf("outcome %+v", o)
	}
	if got := get(t, b.public, "/"); got != "v1" {
		t.Errorf("after the rollback %q, want v1", got)
	}
	b.retain = nil
	for _, version := range []string{"v5", "v6"} {
		b.settled(version, b.artifact(version))
	}
	eventually(t, "two artifacts are kept", kept(2))
	_, err = b.Plan(t.Context(), sdk.PlanRequest{Kind: sdk.OperationRollback, Target: target("v1", nil), Snapshot: &first.Snapshot})
	wantCode(t, err, sdk.FailedPrecondition, sdk.ReasonSnapshotStale)
}

func TestChangedFilesAreDrift(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.settled("v1", b.artifact("v1"))
	to := target("v1", nil)
	before, err := b.Probe(t.Context(), sdk.ProbeRequest{Target: to})
	if err != nil {
		t.Fatal(err)
	}
	events, stop := b.watchTarget(to, nil)
	defer stop()
	if first := <-events; first.State == nil || len(first.State.Resources) != 3 {
		t.Fatalf("the first event is %+v, want a State with release, process and listener", first)
	}
	found, err := filepath.Glob(filepath.Join(b.stateDir, "inst-1", "artifacts", "*", "files", "version"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	write(t, filepath.Join(filepath.Dir(found[0]), "cache"), "an application's own file", 0o644)
	same, err := b.Probe(t.Context(), sdk.ProbeRequest{Target: to})
	if err != nil || same.ObservedDigest != before.ObservedDigest {
		t.Errorf("a file that the application adds is no drift: %v", err)
	}
	write(t, found[0], "v9", 0o644)
	drift := untilEvent(t, events, "drift", func(e sdk.Event) bool { return e.Drift != nil }).Drift
	if !strings.Contains(drift.Message, "version") || drift.By == "" || drift.Revision != "v1" {
		t.Errorf("drift %+v", drift)
	}
	after, err := b.Probe(t.Context(), sdk.ProbeRequest{Target: to})
	if err != nil || after.ObservedDigest == before.ObservedDigest {
		t.Errorf("the observed digest is as before: %v", err)
	}
	_, r := b.resolve("v2", b.artifact("v2"))
	_, err = b.Deploy(t.Context(), sdk.DeployRequest{
		Operation: b.operation(sdk.OperationDeploy, false), Target: target("v2", nil), Release: r, ExpectedDigest: before.ObservedDigest,
	})
	wantCode(t, err, sdk.Aborted, sdk.ReasonStateChanged)
	if !strings.Contains(err.Error(), "files of the release were changed: version") {
		t.Errorf("%q does not name the file", err)
	}
}

// TestChangedFilesAreDeployedAnew: the same version again is another release
// than the one whose files were changed, and looking at it changes nothing.
func TestChangedFilesAreDeployedAnew(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	source := b.artifact("v1")
	b.settled("v1", source)
	_, first := b.resolve("v1", source)
	to := target("v1", nil)
	found, err := filepath.Glob(filepath.Join(b.stateDir, "inst-1", "artifacts", "*", "files", "version"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	write(t, found[0], "v9", 0o644)
	changed, err := b.Probe(t.Context(), sdk.ProbeRequest{Target: to})
	if err != nil {
		t.Fatal(err)
	}
	_, again := b.resolve("v1", source)
	if again.Digest == first.Digest {
		t.Error("the release is the one whose files were changed")
	}
	if now, err := b.Probe(t.Context(), sdk.ProbeRequest{Target: to}); err != nil || now.ObservedDigest != changed.ObservedDigest {
		t.Errorf("resolving it has changed what serves: %v", err)
	}
}

func TestResolveNamesWhatIsWrongWithAnArtifact(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	corrupt := filepath.Join(t.TempDir(), "a.tar.gz")
	write(t, corrupt, "no archive", 0o600)
	tests := map[string]struct {
		change func(s spec)
		path   string
	}{
		"missing artifact":   {func(s spec) { s["artifact"] = "/no/such/artifact" }, "artifact"},
		"corrupt artifact":   {func(s spec) { s["artifact"] = corrupt }, "artifact"},
		"command not inside": {func(s spec) { s["command"] = []string{"./nothing"} }, "command"},
		"bare name":          {func(s spec) { s["command"] = []string{"version"} }, "command"},
		"no such directory":  {func(s spec) { s["directory"] = "nowhere" }, "directory"},
		"directory outside":  {func(s spec) { s["directory"] = "../.." }, "directory"},
		"replicas":           {func(s spec) { s["replicas"] = 101 }, "replicas"},
		"listen": {func(s spec) {
			s["port"] = map[string]any{"http": map[string]any{"listen": "8080", "protocol": "http"}}
		}, "port.http.listen"},
		"listen twice": {func(s spec) {
			s["port"] = map[string]any{
				"a": map[string]any{"listen": "127.0.0.1:8080", "protocol": "http"},
				"b": map[string]any{"listen": "127.0.0.1:8080", "protocol": "tcp"},
			}
		}, "port.b.listen"},
		"protocol": {func(s spec) {
			s["port"] = map[string]any{"http": map[string]any{"listen": "127.0.0.1:8080", "protocol": "udp"}}
		}, "port.http.protocol"},
		"empty command": {func(s spec) { s["command"] = []string{} }, "command"},
		"relative directory without artifact": {func(s spec) {
			s["artifact"], s["directory"] = nil, "x"
		}, "directory"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := b.artifact("v1")
			test.change(s)
			_, diags, err := b.Resolve(t.Context(), sdk.ResolveRequest{Target: target("v1", s)})
			if err != nil || !diags.HasErrors() || strings.Join(diags[0].Path, ".") != test.path {
				t.Errorf("%v %v, want an error at %s", diags, err, test.path)
			}
		})
	}
}
