package fake_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/plugintest"
	"github.com/apm-deploy/apm/sdk/plugintest/fake"
)

const envRole = "APM_TEST_ROLE"

// TestMain is the fake's binary too.
func TestMain(m *testing.M) {
	if os.Getenv(envRole) == "fake" {
		os.Exit(fake.Main()) //nolint:forbidigo // the main of a plugin
	}
	m.Run()
}

// limit bounds what must not take long.
const limit = 20 * time.Second

// faults are the blocks of a platform block, by label.
type faults map[string]map[string]any

// rig is a root and the file that is deployed on it.
type rig struct {
	t    *testing.T
	root string
	file string
	env  []string
	*plugintest.Process
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, root: t.TempDir(), file: filepath.Join(t.TempDir(), "v1")}
	r.write("one")
	return r
}

func (r *rig) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// start starts a process, in the place of the one before.
func (r *rig) start() *rig {
	r.t.Helper()
	r.Process = plugintest.Start(r.t, []string{os.Args[0]}, append(r.env, envRole+"=fake")...)
	return r
}

func (r *rig) block(f faults) []byte {
	r.t.Helper()
	text, err := json.Marshal(map[string]any{"root": r.root, "fault": f})
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

func (r *rig) configure(f faults) (diag.Diagnostics, error) {
	r.t.Helper()
	return r.Client().Configure(r.ctx(), sdk.ConfigureRequest{Platform: "fake", Config: r.block(f), InstallationID: "test"})
}

// with is start and configure.
func (r *rig) with(f faults) *rig {
	r.t.Helper()
	ds, err := r.start().configure(f)
	if err != nil || len(ds) > 0 {
		r.t.Fatalf("configure: %v %v", ds, err)
	}
	return r
}

// with is a rig whose plugin has faults.
func with(t *testing.T, f faults) *rig {
	t.Helper()
	return newRig(t).with(f)
}

func (r *rig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	r.t.Cleanup(cancel)
	return ctx
}

func (r *rig) target(component, version string, spec map[string]any) sdk.Target {
	r.t.Helper()
	spec = maps.Clone(spec)
	if spec == nil {
		spec = map[string]any{}
	}
	spec["file"] = r.file
	text, err := json.Marshal(spec)
	if err != nil {
		r.t.Fatal(err)
	}
	return sdk.Target{Application: "shop", Environment: "test", Component: component, Version: version, Spec: text}
}

// operation is a deploy that is not staged.
type operation struct {
	sdk.DeployRequest
	handle sdk.Handle
}

func (r *rig) request(id string, target sdk.Target) *operation {
	r.t.Helper()
	release, ds, err := r.Client().Resolve(r.ctx(), sdk.ResolveRequest{Target: target})
	if err != nil || ds.HasErrors() {
		r.t.Fatalf("resolve: %v %v", ds, err)
	}
	return &operation{DeployRequest: sdk.DeployRequest{
		Operation: sdk.Operation{ID: id, Kind: sdk.OperationDeploy, RequestDigest: id, Epoch: 1}, Target: target, Release: release,
	}}
}

func (r *rig) deploy(o *operation) (err error) {
	o.handle, err = r.Client().Deploy(r.ctx(), o.DeployRequest)
	return err
}

// accepted deploys v1 of the component web.
func (r *rig) accepted(id string) *operation {
	r.t.Helper()
	o := r.request(id, r.target("web", "v1", nil))
	if err := r.deploy(o); err != nil {
		r.t.Fatalf("deploy: %v", err)
	}
	return o
}

// watch returns what Watch sends.
func (r *rig) watch(o *operation) (events []sdk.Event, err error) {
	err = r.Client().Watch(r.ctx(), sdk.WatchRequest{Target: o.Target, Handle: o.handle, Operation: o.Operation}, func(more ...sdk.Event) error {
		for _, event := range more {
			if !event.Heartbeat {
				events = append(events, event.Clone())
			}
		}
		return nil
	})
	return events, err
}

func (r *rig) probe(o *operation) sdk.ProbeResult {
	r.t.Helper()
	result, err := r.Client().Probe(r.ctx(), sdk.ProbeRequest{Target: o.Target})
	if err != nil {
		r.t.Fatalf("probe: %v", err)
	}
	return result
}

// gone checks that a call was not answered.
func gone(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, sdk.ErrPluginGone) {
		t.Errorf("want a plugin that is gone, got %v", err)
	}
}

// outcome returns the last event's.
func outcome(t *testing.T, events []sdk.Event) sdk.Outcome {
	t.Helper()
	if len(events) == 0 || events[len(events)-1].Outcome == nil {
		t.Fatalf("no outcome in %+v", events)
	}
	return *events[len(events)-1].Outcome
}

// hangs checks that a call is not answered for a while.
func hangs(t *testing.T, call func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want no answer, got %v", err)
	}
}
