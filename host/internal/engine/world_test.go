package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
)

// spec is what a component of the fake platform may be told.
type spec struct {
	Content string `json:"content"`
	Fail    string `json:"fail,omitempty"`   // failure code of the operation
	Stuck   bool   `json:"stuck,omitempty"`  // never comes up
	Health  string `json:"health,omitempty"` // of the checks: healthy (default), unhealthy, unknown
	// TurnsBad: unhealthy as soon as all of the traffic has moved to it.
	TurnsBad bool `json:"turns_bad,omitempty"`
	// Breaks: the failure leaves something else running than before.
	Breaks bool `json:"breaks,omitempty"`
	// Environment: the failure blames the environment until the world is mended.
	Environment bool `json:"environment,omitempty"`
	// Keys are what the schema of a plugin calls sensitive, within blocks.
	Keys map[string]map[string]string `json:"keys,omitempty"`
}

// run is what runs as one component.
type run struct {
	version string
	spec    spec
}

func (r *run) digest() string {
	if r == nil {
		return "nothing"
	}
	return r.version + ":" + r.spec.Content
}

// operation is one that the platform was asked for.
type operation struct {
	id, digest string
	component  string
	to         *run // nil: remove
	staged     bool
	percent    int
	candidate  bool
	outcome    *sdk.Outcome
}

// effect is one change of the platform, counted outside of the engine.
type effect struct {
	operation, component, what string
}

// world is a platform in memory that outlives engines, as real ones do.
type world struct {
	mu      sync.Mutex
	changed chan struct{}
	running map[string]*run
	ops     map[string]*operation
	epochs  map[string]uint64
	effects []effect
	mended  bool
	faults
	promoted []int               // shares that were new
	told     []int               // shares that were asked for
	retained map[string][]string // component → what the last call asked to keep
	caps     sdk.Capabilities
}

func newWorld() *world {
	return &world{
		changed: make(chan struct{}), running: map[string]*run{}, ops: map[string]*operation{},
		epochs: map[string]uint64{}, retained: map[string][]string{}, faults: faults{lost: map[string]int{}, failing: map[string]sdk.Error{}},
		caps: sdk.Capabilities{Plan: true, Staged: true, Percent: true, Cancel: true, WatchTarget: true, Logs: true},
	}
}

// tell wakes those who watch. Called under mu.
func (w *world) tell() {
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *world) with(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
	w.tell()
}

func (w *world) version(component string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.running[component]; r != nil {
		return r.version
	}
	return ""
}

func (w *world) effectsOf(component string) (what []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.effects {
		if e.component == component {
			what = append(what, e.what)
		}
	}
	return what
}

// duplicates returns operations that had the same effect twice.
func (w *world) duplicates() (twice []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := map[effect]bool{}
	for _, e := range w.effects {
		if seen[e] {
			twice = append(twice, fmt.Sprint(e))
		}
		seen[e] = true
	}
	return twice
}

// fence refuses a stale epoch. Called under mu.
func (w *world) fence(t sdk.Target, epoch uint64) error {
	if epoch < w.epochs[t.Component] {
		w.refused++
		return sdk.Errorf(sdk.Aborted, sdk.ReasonStaleEpoch, "epoch %d is below %d", epoch, w.epochs[t.Component])
	}
	w.epochs[t.Component] = epoch
	return nil
}

// platform is the fake platform before a world.
type platform struct{ *world }

func (p platform) Capabilities() sdk.Capabilities { return p.caps }

func (platform) Configure(context.Context, sdk.ConfigureRequest) (diag.Diagnostics, error) {
	return nil, nil
}

func (p platform) Resolve(_ context.Context, r sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.answer("resolve"); err != nil {
		return sdk.Release{}, nil, err
	}
	var s spec
	if err := json.Unmarshal(r.Target.Spec, &s); err != nil {
		return sdk.Release{}, nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "spec: %v", err)
	}
	if s.Content == "missing" {
		var found diag.Diagnostics
		found.Errorf([]string{"content"}, "does not exist")
		return sdk.Release{}, found, nil
	}
	state, _ := json.Marshal(s)
	digest := s.Content
	if s.Fail != "" || s.Stuck || s.Health != "" || s.TurnsBad {
		digest += string(state)
	}
	return sdk.Release{Version: 1, State: state, Digest: digest, Revision: r.Target.Version, View: map[string]string{"content": s.Content}}, nil, nil
}

func (p platform) Snapshot(_ context.Context, r sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.answer("snapshot"); err != nil {
		return sdk.SnapshotResult{}, err
	}
	now := p.running[r.Target.Component]
	if now == nil {
		return sdk.SnapshotResult{Snapshot: sdk.Snapshot{Empty: true, Version: 1}, ObservedDigest: now.digest()}, nil
	}
	state, _ := json.Marshal(map[string]any{"version": now.version, "spec": now.spec})
	return sdk.SnapshotResult{
		Snapshot: sdk.Snapshot{Version: 1, State: state, Digest: now.digest(), Revision: now.version}, ObservedDigest: now.digest(),
	}, nil
}

func (p platform) begin(o sdk.Operation, t sdk.Target, expected string, to *run) (sdk.Handle, error) {
	if err := p.fence(t, o.Epoch); err != nil {
		return sdk.Handle{}, err
	}
	if known := p.ops[o.ID]; known != nil {
		if known.digest != o.RequestDigest {
			return sdk.Handle{}, sdk.Errorf(sdk.AlreadyExists, sdk.ReasonOperationMismatch, "another digest")
		}
		return sdk.Handle{Version: 1, State: []byte(o.ID)}, nil
	}
	if seen := p.running[t.Component].digest(); expected != "" && expected != seen {
		return sdk.Handle{}, sdk.Errorf(sdk.Aborted, sdk.ReasonStateChanged, "%s runs", seen)
	}
	op := &operation{id: o.ID, digest: o.RequestDigest, component: t.Component, to: to, staged: o.Staged}
	p.ops[o.ID] = op
	p.effects = append(p.effects, effect{o.ID, t.Component, "start " + to.digest()})
	p.order = append(p.order, o.Kind.String()+" "+t.Component)
	p.advance(op)
	p.tell()
	return sdk.Handle{Version: 1, State: []byte(o.ID)}, nil
}

// advance takes the operation as far as it goes by itself. Called under mu.
func (w *world) advance(op *operation) {
	switch {
	case op.outcome != nil:
	case op.to != nil && op.to.spec.Stuck:
	case op.to != nil && op.to.spec.Fail != "" && !(op.to.spec.Environment && w.mended):
		if op.to.spec.Breaks {
			w.running[op.component] = &run{version: "half", spec: spec{Content: op.id}}
		}
		op.outcome = &sdk.Outcome{Result: sdk.ResultFailed, Message: "failed", Failure: &sdk.Failure{
			Code: op.to.spec.Fail, Message: "it exits with " + op.to.spec.Fail, Resource: op.component + "-1",
			Suggestion: "mend it", Environment: op.to.spec.Environment,
			Logs: []sdk.LogLine{{Line: "panic: secret reasons", Previous: true}},
		}}
	case op.staged && op.percent < 100 && !w.lies:
		op.candidate = true
	default:
		w.settle(op)
	}
}

// settle ends the operation well. Called under mu.
func (w *world) settle(op *operation) {
	if w.lies {
		op.outcome = &sdk.Outcome{Result: sdk.ResultSucceeded, Addresses: map[string]string{"http": "live/" + op.component}, Revision: op.to.digest()}
		return
	}
	w.effects = append(w.effects, effect{op.id, op.component, "settle " + op.to.digest()})
	if op.to == nil {
		delete(w.running, op.component)
	} else {
		w.running[op.component] = op.to
	}
	op.outcome = &sdk.Outcome{Result: sdk.ResultSucceeded, Addresses: map[string]string{"http": "live/" + op.component}, Revision: op.to.digest()}
}

func (p platform) Deploy(ctx context.Context, r sdk.DeployRequest) (sdk.Handle, error) {
	p.hang(ctx, "deploy")
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.answer("deploy"); err != nil {
		return sdk.Handle{}, err
	}
	p.retained[r.Target.Component] = r.Retain
	var s spec
	_ = json.Unmarshal(r.Release.State, &s)
	h, err := p.begin(r.Operation, r.Target, r.ExpectedDigest, &run{version: r.Target.Version, spec: s})
	if err == nil {
		err = p.lose("deploy")
	}
	if err == nil && p.panics {
		err = sdk.Errorf(sdk.Internal, sdk.ReasonPluginBug, "index out of range")
	}
	return h, err
}

func (p platform) Rollback(_ context.Context, r sdk.RollbackRequest) (sdk.Handle, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.answer("rollback"); err != nil {
		return sdk.Handle{}, err
	}
	p.retained[r.Target.Component] = r.Retain
	if r.Target.Component == p.forbidden {
		return sdk.Handle{}, sdk.Errorf(sdk.PermissionDenied, sdk.ReasonAuth, "not allowed")
	}
	var to *run
	if !r.Snapshot.Empty {
		var state struct {
			Version string
			Spec    spec
		}
		_ = json.Unmarshal(r.Snapshot.State, &state)
		to = &run{version: state.Version, spec: state.Spec}
	}
	h, err := p.begin(r.Operation, r.Target, r.ExpectedDigest, to)
	if err == nil {
		err = p.lose("rollback")
	}
	return h, err
}

func (p platform) Promote(_ context.Context, r sdk.PromoteRequest) (sdk.Handle, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.answer("promote"); err != nil {
		return sdk.Handle{}, err
	}
	if err := p.fence(r.Target, r.Operation.Epoch); err != nil {
		return sdk.Handle{}, err
	}
	op := p.ops[r.Operation.ID]
	if op == nil {
		return sdk.Handle{}, sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "no operation")
	}
	p.told = append(p.told, r.Percent)
	if op.outcome == nil && op.percent != r.Percent {
		op.percent = r.Percent
		p.promoted = append(p.promoted, r.Percent)
		if r.Percent == 100 {
			p.settle(op)
		}
		p.tell()
	}
	return sdk.Handle{}, p.lose("promote")
}

func (platform) PromotesPercent() {}

func (p platform) Cancel(_ context.Context, r sdk.CancelRequest) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.answer("cancel"); err != nil {
		return err
	}
	if err := p.fence(r.Target, r.Operation.Epoch); err != nil {
		return err
	}
	if op := p.ops[r.Operation.ID]; op != nil && op.outcome == nil {
		op.outcome = &sdk.Outcome{Result: sdk.ResultCancelled, Message: "cancelled"}
		if p.forgets {
			delete(p.ops, op.id)
			p.die()
		}
		p.tell()
	}
	return p.lose("cancel")
}

func (p platform) Recover(_ context.Context, r sdk.RecoverRequest) (sdk.Recovery, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.answer("recover"); err != nil {
		return sdk.Recovery{}, err
	}
	if err := p.fence(r.Target, r.Operation.Epoch); err != nil {
		return sdk.Recovery{}, err
	}
	op := p.ops[r.Operation.ID]
	handle := sdk.Handle{Version: 1, State: []byte(r.Operation.ID)}
	switch {
	case op == nil:
		return sdk.Recovery{Status: sdk.RecoverNotStarted}, nil
	case op.outcome != nil:
		return sdk.Recovery{Status: sdk.RecoverFinished, Handle: handle, Outcome: op.outcome}, nil
	default:
		return sdk.Recovery{Status: sdk.RecoverRunning, Handle: handle}, nil
	}
}

// Watch sends what the operation is, again at every change.
func (p platform) Watch(ctx context.Context, r sdk.WatchRequest, sink sdk.Sink) error {
	first := true
	shown, life := -1, 0
	for {
		p.mu.Lock()
		if first {
			life = p.lives
			if err := p.answer("watch"); err != nil {
				p.mu.Unlock()
				return err
			}
		}
		if p.lives != life {
			p.mu.Unlock()
			return fmt.Errorf("watch: %w", sdk.ErrPluginGone)
		}
		op, changed := p.ops[r.Operation.ID], p.changed
		var events []sdk.Event
		if op == nil {
			p.mu.Unlock()
			return sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "no operation %s", r.Operation.ID)
		}
		if first {
			events = append(events, sdk.Event{Log: &sdk.LogLine{Resource: op.component + "-1", Line: "starting"}})
			events = append(events, sdk.Event{State: &sdk.State{
				Phase: sdk.PhaseProgressing, Fraction: 0.5, Message: "coming up",
				Resources: []sdk.Resource{{ID: op.component + "-1", Kind: "process", Name: op.component, Health: sdk.ResourceReady}},
			}})
			first = false
		}
		if op.candidate && op.percent != shown {
			shown = op.percent
			events = append(events, sdk.Event{Candidate: &sdk.Candidate{
				Percent: op.percent, Addresses: map[string]string{"http": "candidate/" + op.component + "/" + op.id},
			}})
		}
		if op.outcome != nil {
			events = append(events, sdk.Event{Outcome: op.outcome, ResumeToken: []byte("end")})
			if p.talks {
				events = babble(events)
			}
		}
		ended, twist, lingers := op.outcome != nil, p.twist, p.lingers
		p.mu.Unlock()
		if len(events) > 0 && twist != nil {
			events = twist(events)
		}
		if ended {
			p.goAstray(sink)
		}
		if len(events) > 0 {
			if err := sink(events...); err != nil {
				return err
			}
		}
		if ended && lingers {
			return linger(ctx, sink)
		}
		if ended {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func (p platform) Probe(ctx context.Context, r sdk.ProbeRequest) (sdk.ProbeResult, error) {
	if deadline, ok := ctx.Deadline(); ok && p.strict && time.Until(deadline) < time.Second {
		<-time.After(time.Until(deadline) - 20*time.Millisecond) // the other side's clock is a little ahead
		return sdk.ProbeResult{}, sdk.Errorf(sdk.DeadlineExceeded, sdk.ReasonUnspecified, "call Probe: context deadline exceeded")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.answer("probe"); err != nil {
		return sdk.ProbeResult{}, err
	}
	now := p.running[r.Target.Component]
	result := sdk.ProbeResult{ObservedDigest: now.digest(), Addresses: map[string]string{"http": "live/" + r.Target.Component}}
	op := p.ops[string(r.Handle.State)]
	status := sdk.CheckHealthy
	if now == nil && (op == nil || !op.candidate) {
		status = sdk.CheckUnhealthy
	}
	if !p.silent {
		result.Checks = []sdk.Check{{Name: "process", Type: "process", Status: status}}
	}
	return result, nil
}

func (p platform) Plan(_ context.Context, r sdk.PlanRequest) (sdk.Plan, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.answer("plan"); err != nil {
		return sdk.Plan{}, err
	}
	return sdk.Plan{
		ObservedDigest: p.running[r.Target.Component].digest(),
		Steps:          []sdk.Step{{Resource: r.Target.Component, Action: "update", Summary: r.Kind.String()}},
		NotRestored:    []string{"data"},
	}, nil
}
