package fake_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest/fake"
)

// A process that is drained drives on while its successor recovers what it left:
// neither undoes what the other wrote, and what is done is done once.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	old := with(t, nil)
	target := old.target("web", "v1", nil)
	o := old.request("op-1", target)
	o.Operation.Staged = true
	if err := old.deploy(o); err != nil {
		t.Fatal(err)
	}
	successor := &rig{t: t, root: old.root, file: old.file}
	successor.with(nil)
	recovery, err := successor.Client().Recover(successor.ctx(), sdk.RecoverRequest{Operation: o.Operation, Target: target, Release: &o.Release})
	if err != nil || recovery.Status != sdk.RecoverRunning {
		t.Fatalf("recover: %+v %v", recovery, err)
	}
	enough := errors.New("enough")
	// until waits for the candidate at a percent.
	until := func(percent int) {
		t.Helper()
		seen := -1
		err := successor.Client().Watch(successor.ctx(), sdk.WatchRequest{Target: target, Operation: o.Operation}, func(events ...sdk.Event) error {
			for _, event := range events {
				if event.Candidate != nil {
					seen = event.Candidate.Percent
				}
			}
			if seen == percent {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Fatalf("the candidate gets %d %%, not %d: %v", seen, percent, err)
		}
	}
	promote := func(percent int) {
		t.Helper()
		_, err := successor.Client().Promote(successor.ctx(), sdk.PromoteRequest{Operation: o.Operation, Target: target, Percent: percent})
		if err != nil {
			t.Fatalf("promote to %d: %v", percent, err)
		}
	}
	until(0)
	for percent := 1; percent < 100; percent++ {
		promote(percent)
		until(percent)
	}
	promote(100)
	if events, err := successor.watch(o); err != nil || outcome(t, events).Result != sdk.ResultSucceeded {
		t.Errorf("watch: %v", err)
	}
	if effects, err := fake.Effects(old.root, target); err != nil || len(effects) != 1 {
		t.Errorf("effects %q %v", effects, err)
	}
}

// What reads the state of a component and writes it waits for another process that
// does.
func TestComponentIsLocked(t *testing.T) {
	t.Parallel()
	r := with(t, nil)
	o := r.request("op-1", r.target("web", "v1", nil))
	dir := filepath.Join(r.root, "shop", "test", "web")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	hangs(t, func(ctx context.Context) error {
		_, err := r.Client().Deploy(ctx, o.DeployRequest)
		return err
	})
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.deploy(o); err != nil {
		t.Errorf("deploy: %v", err)
	}
}
