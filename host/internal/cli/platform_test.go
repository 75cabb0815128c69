package cli_test

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// spec is what a component of the platform in memory is told.
type spec struct {
	Content string `json:"content"`
	Exits   bool   `json:"exits"` // it never comes up, and says why
	Stuck   bool   `json:"stuck"` // it comes up never, and does not fail
}

// specSchema is the same for the host.
func specSchema() schema.Schema {
	return schema.Schema{Version: 1, Block: schema.Block{Attributes: []schema.Attribute{
		{Name: "content", Type: "string", Required: true, Description: "What it is."},
		{Name: "file", Type: "string", Path: true, Description: "A file."},
		{Name: "exits", Type: "bool"},
		{Name: "stuck", Type: "bool"},
	}}}
}

// memory is a platform in the test's own process.
type memory struct {
	mu      sync.Mutex
	running map[string]string // content by component
	ended   map[string]chan struct{}
	outcome map[string]*sdk.Outcome
	changed chan struct{} // closed and made anew when something is deployed
}

func newMemory() *memory {
	return &memory{running: map[string]string{}, ended: map[string]chan struct{}{}, outcome: map[string]*sdk.Outcome{}, changed: make(chan struct{})}
}

// Get and Await make it the engine's only platform.
func (m *memory) Get(string) (sdk.Platform, error) { return m, nil }

func (m *memory) Await(context.Context, string) (sdk.Platform, error) { return m, nil }

// Spec and Validate tell the configuration what it accepts.
func (m *memory) Spec(context.Context, string) (schema.Schema, error) { return specSchema(), nil }

func (m *memory) Validate(context.Context, string, []byte) (diag.Diagnostics, error) {
	return nil, nil
}

func (m *memory) Configure(context.Context, sdk.ConfigureRequest) (diag.Diagnostics, error) {
	return nil, nil
}

func (m *memory) Resolve(_ context.Context, r sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
	return sdk.Release{Version: 1, State: r.Target.Spec, Digest: r.Target.Version + string(r.Target.Spec), Revision: r.Target.Version}, nil, nil
}

func (m *memory) Snapshot(_ context.Context, r sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	content := m.running[r.Target.Component]
	return sdk.SnapshotResult{
		Snapshot:       sdk.Snapshot{Version: 1, State: []byte(content), Digest: content, Revision: content, Empty: content == ""},
		ObservedDigest: "runs " + content,
	}, nil
}

func (m *memory) Plan(_ context.Context, r sdk.PlanRequest) (sdk.Plan, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return sdk.Plan{
		Steps: []sdk.Step{{
			Resource: "memory " + r.Target.Component, Action: "update", Summary: "replace the content",
			Diff: "-old\n+new", Command: "write " + r.Target.Component,
		}},
		ObservedDigest: "runs " + m.running[r.Target.Component], NotRestored: []string{"data"},
	}, nil
}

// begin starts an operation; end is nil for one that never ends by itself.
func (m *memory) begin(o sdk.Operation, end *sdk.Outcome) sdk.Handle {
	if _, known := m.ended[o.ID]; !known {
		m.ended[o.ID] = make(chan struct{})
		m.finish(o.ID, end)
	}
	return sdk.Handle{Version: 1, State: []byte(o.ID)}
}

func (m *memory) finish(id string, end *sdk.Outcome) {
	if end != nil && m.outcome[id] == nil {
		m.outcome[id] = end
		close(m.ended[id])
	}
}

func (m *memory) Deploy(_ context.Context, r sdk.DeployRequest) (sdk.Handle, error) {
	var s spec
	if err := json.Unmarshal(r.Release.State, &s); err != nil {
		return sdk.Handle{}, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "read release: %v", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case s.Stuck:
		return m.begin(r.Operation, nil), nil
	case s.Exits:
		return m.begin(r.Operation, &sdk.Outcome{Result: sdk.ResultFailed, Failure: &sdk.Failure{
			Code: sdk.CodeExited, Resource: "web-1", Message: "exit code 3", Suggestion: "look at the last lines",
			Logs: []sdk.LogLine{{Resource: "web-1", Line: "\x1b[31mpanic\x1b[0m: no configuration", Time: time.Now()}},
		}}), nil
	default:
		m.running[r.Target.Component] = r.Target.Version + " " + s.Content
		close(m.changed)
		m.changed = make(chan struct{})
		return m.begin(r.Operation, &sdk.Outcome{Result: sdk.ResultSucceeded, Message: "it runs", Revision: r.Target.Version}), nil
	}
}

func (m *memory) Rollback(_ context.Context, r sdk.RollbackRequest) (sdk.Handle, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.Snapshot.Empty {
		delete(m.running, r.Target.Component)
	} else {
		m.running[r.Target.Component] = string(r.Snapshot.State)
	}
	return m.begin(r.Operation, &sdk.Outcome{Result: sdk.ResultSucceeded, Message: "restored"}), nil
}

func (m *memory) Cancel(_ context.Context, r sdk.CancelRequest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.finish(r.Operation.ID, &sdk.Outcome{Result: sdk.ResultCancelled, Message: "cancelled"})
	return nil
}

func (m *memory) Watch(ctx context.Context, r sdk.WatchRequest, sink sdk.Sink) error {
	if err := sink(sdk.Event{State: &sdk.State{Phase: sdk.PhaseProgressing, Resources: []sdk.Resource{
		{ID: "web-1", Kind: "process", Name: "web-1", Health: sdk.ResourceReady},
	}}}); err != nil {
		return err
	}
	m.mu.Lock()
	ended := m.ended[r.Operation.ID]
	m.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-ended:
	}
	m.mu.Lock()
	outcome := m.outcome[r.Operation.ID]
	m.mu.Unlock()
	return sink(sdk.Event{Outcome: outcome})
}

func (m *memory) Probe(_ context.Context, r sdk.ProbeRequest) (sdk.ProbeResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	content := m.running[r.Target.Component]
	status := sdk.CheckHealthy
	if content == "" {
		status = sdk.CheckUnhealthy
	}
	return sdk.ProbeResult{
		Checks: []sdk.Check{{Name: "runs", Type: "process", Status: status, Message: content}}, ObservedDigest: "runs " + content,
	}, nil
}

func (m *memory) Recover(_ context.Context, r sdk.RecoverRequest) (sdk.Recovery, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	handle := sdk.Handle{Version: 1, State: []byte(r.Operation.ID)}
	switch _, known := m.ended[r.Operation.ID]; {
	case !known:
		return sdk.Recovery{Status: sdk.RecoverNotStarted}, nil
	case m.outcome[r.Operation.ID] != nil:
		return sdk.Recovery{Status: sdk.RecoverFinished, Handle: handle, Outcome: m.outcome[r.Operation.ID]}, nil
	default:
		return sdk.Recovery{Status: sdk.RecoverRunning, Handle: handle}, nil
	}
}

// Logs has one line of before, and one more for each deployment that begins while
// it is followed.
func (m *memory) Logs(ctx context.Context, r sdk.LogsRequest, send func(...sdk.LogLine) error) error {
	m.mu.Lock()
	content, changed := m.running[r.Target.Component], m.changed
	m.mu.Unlock()
	if err := send(sdk.LogLine{Resource: "web-1", Line: "hello \x1b[2Jworld", Time: time.Now()}); err != nil || !r.Follow {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
		m.mu.Lock()
		before := content
		content, changed = m.running[r.Target.Component], m.changed
		m.mu.Unlock()
		if content != before {
			if err := send(sdk.LogLine{Resource: "web-1", Line: "now " + content, Time: time.Now()}); err != nil {
				return err
			}
		}
	}
}
