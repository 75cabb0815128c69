package platform_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/instance"
	"github.com/apm-deploy/apm/plugins/process/internal/platform"
	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

const patience = 30 * time.Second

// bed is one platform with a state directory of its own.
type bed struct {
	*platform.Platform
	t        *testing.T
	stateDir string
	public   string // an address for the application
	user     string // of the platform's configuration
	epoch    uint64
	ids      int
	retain   []string // of every operation
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, stateDir: filepath.Join(t.TempDir(), "state"), public: freeAddress(t), epoch: 1}
	b.Platform = b.configured("inst-1")
	t.Cleanup(b.clean)
	return b
}

func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := instance.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// configured returns another plugin on the same state, as after a restart.
func (b *bed) configured(installation string) *platform.Platform {
	b.t.Helper()
	p := platform.New(slog.New(slog.DiscardHandler))
	config := mustJSON(b.t, map[string]any{"state_dir": b.stateDir, "user": b.user, "keep": 2, "log_size": "64KiB"})
	diags, err := p.Configure(b.t.Context(), sdk.ConfigureRequest{Platform: "process", Config: config, InstallationID: installation})
	if err != nil || diags.HasErrors() {
		b.t.Fatalf("Configure: %v %v", err, diags)
	}
	return p
}

// clean removes whatever is left, through the inventory as a person would.
func (b *bed) clean() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	items, err := b.Inventory(ctx, "")
	if err != nil {
		b.t.Errorf("Inventory: %v", err)
	}
	for _, item := range items {
		p := platform.New(slog.New(slog.DiscardHandler))
		config := mustJSON(b.t, map[string]any{"state_dir": b.stateDir, "user": b.user, "keep": 2, "log_size": "64KiB"})
		if _, err := p.Configure(ctx, sdk.ConfigureRequest{Config: config, InstallationID: item.InstallationID}); err != nil {
			b.t.Errorf("Configure: %v", err)
		}
		target := sdk.Target{Application: item.Application, Environment: item.Environment, Component: item.Component}
		op := sdk.Operation{ID: "clean", RequestDigest: "clean", Kind: sdk.OperationRollback, Epoch: item.Epoch + 1}
		if _, err := p.Rollback(ctx, sdk.RollbackRequest{Operation: op, Target: target, Snapshot: sdk.Snapshot{Empty: true}}); err != nil {
			b.t.Errorf("remove %s: %v", item.Component, err)
			continue
		}
		if err := p.Watch(ctx, sdk.WatchRequest{Operation: op, Target: target}, func(...sdk.Event) error { return nil }); err != nil {
			b.t.Errorf("watch removal of %s: %v", item.Component, err)
		}
	}
	b.noPanics()
	eventually(b.t, "no shim is left", func() bool { return len(procinfo.Shims(b.stateDir)) == 0 })
}

// noPanics looks at what shims wrote beside their log: panics, and races when
// the tests run with the detector.
func (b *bed) noPanics() {
	b.t.Helper()
	files, err := filepath.Glob(filepath.Join(b.stateDir, "*", "*", "*", "*", "shim.err"))
	if err != nil {
		b.t.Error(err)
	}
	for _, file := range files {
		if said, err := os.ReadFile(file); err != nil || len(said) > 0 {
			b.t.Errorf("a shim said: %s %v", said, err)
		}
	}
}

type spec map[string]any

// app returns the spec of the test application with more arguments.
func (b *bed) app(args ...string) spec {
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	return spec{
		"command": append([]string{self, "app"}, args...), "directory": "", "env": map[string]string{}, "replicas": 1, "artifact": nil,
		"port":         map[string]any{"http": map[string]any{"listen": b.public, "protocol": "http"}},
		"stop_timeout": "2s", "drain": "2s", "start_timeout": "20s",
	}
}

func target(version string, s spec) sdk.Target {
	data, _ := json.Marshal(s)
	return sdk.Target{Application: "shop", Environment: "test", Component: "web", Version: version, Spec: data}
}

func (b *bed) resolve(version string, s spec) (sdk.Target, sdk.Release) {
	b.t.Helper()
	to := target(version, s)
	r, diags, err := b.Resolve(b.t.Context(), sdk.ResolveRequest{Target: to})
	if err != nil || diags.HasErrors() {
		b.t.Fatalf("Resolve: %v %v", err, diags)
	}
	return to, r
}

func (b *bed) operation(kind sdk.OperationKind, staged bool) sdk.Operation {
	b.ids++
	id := fmt.Sprintf("op-%d", b.ids)
	return sdk.Operation{ID: id, DeploymentID: "dep-" + id, Kind: kind, RequestDigest: "digest-" + id, Epoch: b.epoch, Staged: staged}
}

// deploy starts a deploy and returns what its watch sends.
func (b *bed) deploy(version string, s spec, staged bool) *watched {
	b.t.Helper()
	to, r := b.resolve(version, s)
	op := b.operation(sdk.OperationDeploy, staged)
	handle, err := b.Deploy(b.t.Context(), sdk.DeployRequest{Operation: op, Target: to, Release: r, Retain: b.retain})
	if err != nil {
		b.t.Fatalf("Deploy: %v", err)
	}
	return b.watch(op, to, handle)
}

func (b *bed) rollback(to sdk.Target, s sdk.Snapshot) *watched {
	b.t.Helper()
	op := b.operation(sdk.OperationRollback, false)
	handle, err := b.Rollback(b.t.Context(), sdk.RollbackRequest{Operation: op, Target: to, Snapshot: s, Retain: b.retain})
	if err != nil {
		b.t.Fatalf("Rollback: %v", err)
	}
	return b.watch(op, to, handle)
}

// settled deploys and waits for success.
func (b *bed) settled(version string, s spec) *watched {
	b.t.Helper()
	w := b.deploy(version, s, false)
	if o := w.outcome(); o.Result != sdk.ResultSucceeded {
		b.t.Fatalf("deploy of %s: %+v %+v", version, o, o.Failure)
	}
	return w
}

// watched is an operation that is watched.
type watched struct {
	t      *testing.T
	b      *bed
	op     sdk.Operation
	target sdk.Target
	handle sdk.Handle
	events chan sdk.Event
	all    []sdk.Event
	err    chan error
}

func (b *bed) watch(op sdk.Operation, to sdk.Target, handle sdk.Handle) *watched {
	w := &watched{t: b.t, b: b, op: op, target: to, handle: handle, events: make(chan sdk.Event, 100000), err: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	b.t.Cleanup(func() { cancel(); <-done })
	p := b.Platform
	go func() {
		defer close(done)
		w.err <- p.Watch(ctx, sdk.WatchRequest{Operation: op, Target: to, Handle: handle}, func(events ...sdk.Event) error {
			for _, event := range events {
				w.events <- event
			}
			return nil
		})
	}()
	return w
}

// until returns the first event that matches.
func (w *watched) until(what string, matches func(sdk.Event) bool) sdk.Event {
	w.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case err := <-w.err: // its events come first
			if w.err <- err; err != nil && len(w.events) == 0 {
				w.t.Fatalf("waiting for %s, Watch ended with %v", what, err)
			}
		case event := <-w.events:
			w.all = append(w.all, event)
			if matches(event) {
				return event
			}
			if event.Outcome != nil {
				w.t.Fatalf("waiting for %s, the operation ended: %+v %+v", what, event.Outcome, event.Outcome.Failure)
			}
		case <-deadline:
			w.t.Fatalf("no %s within %s; last events %+v", what, patience, w.all[max(0, len(w.all)-5):])
		}
	}
}

func (w *watched) candidate(percent int) sdk.Candidate {
	w.t.Helper()
	event := w.until(fmt.Sprintf("candidate with %d %%", percent), func(e sdk.Event) bool {
		return e.Candidate != nil && e.Candidate.Percent == percent || e.State != nil && e.State.Candidate != nil && e.State.Candidate.Percent == percent
	})
	if event.State != nil {
		return *event.State.Candidate
	}
	return *event.Candidate
}

func (w *watched) outcome() *sdk.Outcome {
	w.t.Helper()
	event := w.until("outcome", func(e sdk.Event) bool { return e.Outcome != nil })
	select {
	case err := <-w.err:
		if err != nil {
			w.t.Fatalf("Watch ended with %v", err)
		}
	case <-time.After(patience):
		w.t.Fatal("Watch goes on after the outcome")
	}
	return event.Outcome
}

func (w *watched) promote(percent int) {
	w.t.Helper()
	if _, err := w.b.Promote(w.t.Context(), sdk.PromoteRequest{Operation: w.op, Target: w.target, Handle: w.handle, Percent: percent}); err != nil {
		w.t.Fatalf("Promote(%d): %v", percent, err)
	}
}

func (w *watched) cancel() {
	w.t.Helper()
	if err := w.b.Cancel(w.t.Context(), sdk.CancelRequest{Operation: w.op, Target: w.target, Handle: w.handle}); err != nil {
		w.t.Fatalf("Cancel: %v", err)
	}
}

// component returns the state of the component.
func (b *bed) component() *state.State {
	b.t.Helper()
	st, err := state.Load(b.dir())
	if err != nil {
		b.t.Fatal(err)
	}
	return st
}

func (b *bed) dir() string {
	return state.Layout{Root: b.stateDir}.Component(state.Identity{Installation: "inst-1", Application: "shop", Environment: "test", Component: "web"})
}

func get(t *testing.T, address, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(body))
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("after %s still not: %s", patience, what)
		}
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func wantCode(t *testing.T, err error, code sdk.Code, reason sdk.Reason) {
	t.Helper()
	var e *sdk.Error
	if !errors.As(err, &e) || e.Code != code || e.Reason != reason {
		t.Fatalf("got error %v (%s %s), want %s %s", err, sdk.CodeOf(err), sdk.ReasonOf(err), code, reason)
	}
}
