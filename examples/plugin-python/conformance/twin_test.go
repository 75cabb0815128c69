package conformance_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest"
)

// twin is one of the two plugins, at work below the same root.
type twin struct {
	sdk.Platform
	*plugintest.Process
}

func start(t *testing.T, command, root string) twin {
	t.Helper()
	process := plugintest.Start(t, []string{command})
	client := process.Client()
	ds, err := client.Configure(t.Context(), sdk.ConfigureRequest{
		Platform: "twin", Config: fmt.Appendf(nil, `{"root": %q, "keep": 5}`, root), InstallationID: "here", DataDir: t.TempDir(),
	})
	if err != nil || ds.HasErrors() {
		t.Fatalf("Configure of %s: %v %v", command, ds, err)
	}
	return twin{client, process}
}

var target = sdk.Target{Application: "shop", Environment: "test", Component: "web"}

func deploy(t *testing.T, p twin, epoch uint64, source string) sdk.DeployRequest {
	t.Helper()
	at := target
	at.Spec = fmt.Appendf(nil, `{"source": %q, "env": {"TOKEN": %q}}`, source, secret)
	release, ds, err := p.Resolve(t.Context(), sdk.ResolveRequest{Target: at})
	if err != nil || ds.HasErrors() {
		t.Fatalf("Resolve: %v %v", ds, err)
	}
	request := sdk.DeployRequest{Operation: operation(sdk.OperationDeploy, epoch), Target: at, Release: release}
	if _, err := p.Deploy(t.Context(), request); err != nil {
		t.Fatalf("Deploy: %v", err)
	}
	succeeds(t, p, request.Operation)
	return request
}

func operation(kind sdk.OperationKind, epoch uint64) sdk.Operation {
	id := fmt.Sprint("operation-", epoch)
	return sdk.Operation{ID: id, DeploymentID: "deployment", Kind: kind, RequestDigest: id, Epoch: epoch}
}

func succeeds(t *testing.T, p twin, o sdk.Operation) {
	t.Helper()
	var outcome *sdk.Outcome
	err := p.Watch(t.Context(), sdk.WatchRequest{Target: target, Operation: o}, func(events ...sdk.Event) error {
		outcome = events[len(events)-1].Outcome
		return nil
	})
	if err != nil || outcome == nil || outcome.Result != sdk.ResultSucceeded {
		t.Fatalf("operation %s: %+v %v\n%s", o.ID, outcome, err, p.Logs())
	}
}

func snapshot(t *testing.T, p twin) sdk.SnapshotResult {
	t.Helper()
	result, err := p.Snapshot(t.Context(), sdk.SnapshotRequest{Target: target})
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	return result
}

// TestTwins: what lies on disk is a format and no secret of one program. Each plugin
// goes on with what the other has left.
func TestTwins(t *testing.T) {
	inPython := binary(t)
	inGo := filepath.Join(t.TempDir(), "apm-plugin-symlink")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", inGo, ".")
	build.Dir = "../../plugin-symlink"
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	root := t.TempDir()
	twins := []twin{start(t, inGo, root), start(t, inPython, root)}
	epoch := uint64(1)
	for n, one := range twins {
		other := twins[1-n]
		deploy(t, one, epoch, files(t, "one", 3))
		before := snapshot(t, one)
		if seen := snapshot(t, other).ObservedDigest; seen != before.ObservedDigest {
			t.Errorf("observed digests: %s and %s", before.ObservedDigest, seen)
		}
		last := deploy(t, one, epoch+1, files(t, "two", 5))
		last.Operation.Epoch = epoch + 2
		recovery, err := other.Recover(t.Context(), sdk.RecoverRequest{Operation: last.Operation, Target: target, Release: &last.Release})
		if err != nil || recovery.Status != sdk.RecoverFinished || recovery.Outcome.Result != sdk.ResultSucceeded {
			t.Errorf("Recover by the other: %+v %v", recovery, err)
		}
		back := operation(sdk.OperationRollback, epoch+3)
		if _, err := other.Rollback(t.Context(), sdk.RollbackRequest{Operation: back, Target: target, Snapshot: before.Snapshot}); err != nil {
			t.Fatalf("Rollback by the other: %v", err)
		}
		succeeds(t, other, back)
		if after := snapshot(t, one).ObservedDigest; after != before.ObservedDigest {
			t.Errorf("observed digest after the rollback: %s, want %s", after, before.ObservedDigest)
		}
		back.ID, back.Epoch = "too late", epoch
		_, err = one.Rollback(t.Context(), sdk.RollbackRequest{Operation: back, Target: target, Snapshot: before.Snapshot})
		if sdk.ReasonOf(err) != sdk.ReasonStaleEpoch {
			t.Errorf("an epoch below that of the other: %v", err)
		}
		epoch += 10
	}
}

// TestSuperseded: a change by somebody else while a candidate waits ends the
// operation.
func TestSuperseded(t *testing.T) {
	root := t.TempDir()
	p := start(t, binary(t), root)
	first := deploy(t, p, 1, files(t, "one", 3))
	second := first
	second.Operation = operation(sdk.OperationDeploy, 2)
	second.Operation.Staged = true
	if _, err := p.Deploy(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	changed := false
	var outcome *sdk.Outcome
	err := p.Watch(t.Context(), sdk.WatchRequest{Target: target, Operation: second.Operation}, func(events ...sdk.Event) error {
		for _, event := range events {
			if !changed && (event.Candidate != nil || event.State != nil && event.State.Candidate != nil) {
				changed = true
				write(t, filepath.Join(root, "shop", "test", "web", "current", "index.html"), "by hand")
			}
			outcome = event.Outcome
		}
		return nil
	})
	if err != nil || outcome == nil || outcome.Result != sdk.ResultSuperseded || outcome.SupersededBy == "" {
		t.Errorf("outcome %+v %v", outcome, err)
	}
}

// TestDrift: what somebody else changed is told, with who did it.
func TestDrift(t *testing.T) {
	root := t.TempDir()
	p := start(t, binary(t), root)
	deploy(t, p, 1, files(t, "one", 3))
	watcher, watches := p.Platform.(sdk.TargetWatcher)
	if !watches {
		t.Fatal("no TargetWatcher")
	}
	var drift *sdk.Drift
	err := watcher.WatchTarget(t.Context(), sdk.WatchTargetRequest{Target: target}, func(events ...sdk.Event) error {
		for _, event := range events {
			if event.State != nil {
				write(t, filepath.Join(root, "shop", "test", "web", "current", "index.html"), "by hand")
			}
			if drift = event.Drift; drift != nil {
				return os.ErrClosed // seen enough
			}
		}
		return nil
	})
	if drift == nil || drift.By == "" {
		t.Errorf("drift %+v %v", drift, err)
	}
}

// TestBug: what the plugin's author did not expect is an internal error without the
// stack, which is in the log.
func TestBug(t *testing.T) {
	root := t.TempDir()
	p := start(t, binary(t), root)
	stamps := filepath.Join(root, "shop", "test", "web", ".apm", "state.json")
	if err := os.MkdirAll(filepath.Dir(stamps), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, stamps, `{"format": "what?"}`)
	_, err := p.Snapshot(t.Context(), sdk.SnapshotRequest{Target: target})
	if sdk.CodeOf(err) != sdk.Internal || sdk.ReasonOf(err) != sdk.ReasonPluginBug || strings.Contains(err.Error(), "Traceback") {
		t.Errorf("Snapshot: %v", err)
	}
	for deadline := time.Now().Add(5 * time.Second); !strings.Contains(p.Logs(), "Traceback"); <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no stack in the log: %s", p.Logs())
		}
	}
	if _, err := p.Probe(t.Context(), sdk.ProbeRequest{Target: sdk.Target{Application: "a", Environment: "b", Component: "c"}}); err != nil {
		t.Errorf("Probe afterwards: %v", err)
	}
}

// TestTokenOfTheOutcome: a watch that goes on behind the outcome ends with it.
func TestTokenOfTheOutcome(t *testing.T) {
	p := start(t, binary(t), t.TempDir())
	o := deploy(t, p, 1, files(t, "one", 3)).Operation
	var last sdk.Event
	watch := func(token []byte) {
		t.Helper()
		last = sdk.Event{}
		err := p.Watch(t.Context(), sdk.WatchRequest{Target: target, Operation: o, ResumeToken: token}, func(events ...sdk.Event) error {
			last = events[len(events)-1]
			return nil
		})
		if err != nil || last.Outcome == nil || len(last.ResumeToken) == 0 {
			t.Fatalf("Watch with the token %q: %v, at its end %+v", token, err, last)
		}
	}
	watch(nil)
	watch(last.ResumeToken)
}
