package platform_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/apm-plugin-symlink/internal/component"
	"example.com/apm-plugin-symlink/internal/platform"

	"github.com/apm-deploy/apm/sdk"
)

// rig is a configured platform and one component of it.
type rig struct {
	*testing.T
	*platform.Platform
	root   string
	keep   int
	retain []string // of every operation
	target sdk.Target
	next   int // number of the next operation
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, root: t.TempDir(), keep: 5, target: sdk.Target{Application: "shop", Environment: "test", Component: "web"}}
	r.restart()
	return r
}

// restart does what a new process of the plugin does: it knows nothing.
func (r *rig) restart() {
	r.Helper()
	fresh, ok := platform.Plugin().New(slog.New(slog.NewTextHandler(io.Discard, nil))).(*platform.Platform)
	if !ok {
		r.Fatal("New makes something else")
	}
	config := fmt.Appendf(nil, `{"root": %q, "keep": %d}`, r.root, r.keep)
	ds, err := fresh.Configure(r.Context(), sdk.ConfigureRequest{Config: config, InstallationID: "here"})
	if err != nil || ds.HasErrors() {
		r.Fatalf("Configure: %v %v", ds, err)
	}
	r.Platform = fresh
}

func (r *rig) path(parts ...string) string {
	return filepath.Join(append([]string{r.root, "shop", "test", "web"}, parts...)...)
}

func (r *rig) component() component.Dir { return component.Dir(r.path()) }

// edit changes what is written down, as a crash leaves it: nobody drives any more.
func (r *rig) edit(change func(*component.Record)) {
	r.Helper()
	if err := r.Close(r.ctx()); err != nil {
		r.Fatal(err)
	}
	file := r.path(".apm", "state.json")
	text, err := os.ReadFile(file)
	if err != nil {
		r.Fatal(err)
	}
	var s component.Record
	if err := json.Unmarshal(text, &s); err != nil {
		r.Fatal(err)
	}
	change(&s)
	if text, err = json.Marshal(s); err != nil {
		r.Fatal(err)
	}
	r.write(file, string(text))
}

// ctx bounds what a test waits for.
func (r *rig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	r.Cleanup(cancel)
	return ctx
}

// resolve freezes a release of one page.
func (r *rig) resolve(text string) sdk.Release {
	r.Helper()
	source := r.TempDir()
	r.write(filepath.Join(source, "index.html"), text)
	return r.resolveDir(source)
}

func (r *rig) resolveDir(source string) sdk.Release {
	r.Helper()
	target := r.target
	target.Spec = fmt.Appendf(nil, `{"source": %q, "env": {"TOKEN": "secret"}}`, source)
	release, ds, err := r.Resolve(r.ctx(), sdk.ResolveRequest{Target: target})
	if err != nil || ds.HasErrors() {
		r.Fatalf("Resolve: %v %v", ds, err)
	}
	return release
}

func (r *rig) operation(kind sdk.OperationKind) sdk.Operation {
	r.next++
	id := fmt.Sprint("op-", r.next)
	return sdk.Operation{ID: id, DeploymentID: "deployment", Kind: kind, RequestDigest: "digest of " + id, Epoch: uint64(r.next)}
}

// deploy makes a page current.
func (r *rig) deploy(text string) sdk.DeployRequest {
	r.Helper()
	request := sdk.DeployRequest{Operation: r.operation(sdk.OperationDeploy), Target: r.target, Release: r.resolve(text), Retain: r.retain}
	if _, err := r.Deploy(r.ctx(), request); err != nil {
		r.Fatalf("Deploy: %v", err)
	}
	r.succeeds(request.Operation)
	return request
}

func (r *rig) rollback(to sdk.Snapshot) {
	r.Helper()
	o := r.operation(sdk.OperationRollback)
	if _, err := r.Rollback(r.ctx(), sdk.RollbackRequest{Operation: o, Target: r.target, Snapshot: to, Retain: r.retain}); err != nil {
		r.Fatalf("Rollback: %v", err)
	}
	r.succeeds(o)
}

func (r *rig) snapshot() sdk.SnapshotResult {
	r.Helper()
	result, err := r.Snapshot(r.ctx(), sdk.SnapshotRequest{Target: r.target})
	if err != nil {
		r.Fatalf("Snapshot: %v", err)
	}
	return result
}

var errSeen = errors.New("seen")

// until watches an operation until an event is the one that is looked for.
func (r *rig) until(o sdk.Operation, found func(sdk.Event) bool) sdk.Event {
	r.Helper()
	var seen sdk.Event
	err := r.Watch(r.ctx(), sdk.WatchRequest{Target: r.target, Operation: o}, func(events ...sdk.Event) error {
		for _, event := range events {
			if found(event) {
				seen = event
				return errSeen
			}
		}
		return nil
	})
	if !errors.Is(err, errSeen) {
		r.Fatalf("Watch: %v", err)
	}
	return seen
}

func (r *rig) outcome(o sdk.Operation) *sdk.Outcome {
	r.Helper()
	return r.until(o, func(e sdk.Event) bool { return e.Outcome != nil }).Outcome
}

func (r *rig) succeeds(o sdk.Operation) {
	r.Helper()
	if outcome := r.outcome(o); outcome.Result != sdk.ResultSucceeded {
		r.Fatalf("outcome %+v %+v", outcome, outcome.Failure)
	}
}

// serves wants a page to be current.
func (r *rig) serves(text string) {
	r.Helper()
	if got, err := os.ReadFile(r.path("current", "index.html")); err != nil || string(got) != text {
		r.Errorf("current is %q %v, want %q", got, err, text)
	}
}

func (r *rig) write(path, text string) {
	r.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) refused(what string, err error, code sdk.Code, reason sdk.Reason) {
	r.Helper()
	if sdk.CodeOf(err) != code || sdk.ReasonOf(err) != reason {
		r.Errorf("%s: want %s %s, got %v", what, code, reason, err)
	}
}
