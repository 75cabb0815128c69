package fake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Plugin is the fake as a plugin.
func Plugin() sdk.Plugin {
	return sdk.Plugin{Name: "fake", Version: "0.1.0", Config: configSchema, Spec: specSchema, New: newPlatform(Variant{})}
}

func newPlatform(v Variant) func(*slog.Logger) sdk.Platform {
	return func(log *slog.Logger) sdk.Platform { return newFaulty(v, log) }
}

// platform is the one that keeps every rule, unless it is told which to break.
type platform struct {
	log          *slog.Logger
	breaks       func(rule string) bool
	config       Config
	installation string
	gone         <-chan struct{}
	driving      sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed and replaced on every change
}

// content is what a release and a snapshot hold.
type content struct {
	Text   string
	Secret string
	Lines  int           `json:",omitempty"`
	Takes  time.Duration `json:",omitempty"`
	Fails  string        `json:",omitempty"`
}

func digest(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		sum.Write([]byte(part))
		sum.Write([]byte{0})
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

func (p *platform) Validate(_ context.Context, config, spec []byte) (diag.Diagnostics, error) {
	var ds diag.Diagnostics
	if config != nil {
		var c Config
		if ds = append(ds, schema.Decode(config, &c)...); !ds.HasErrors() {
			ds = append(ds, checkFaults(c.Faults)...)
		}
	}
	if spec != nil {
		var s Spec
		ds = append(ds, schema.Decode(spec, &s)...)
		if s.Lines < 0 {
			ds.Errorf([]string{"lines"}, "lines is %d: give 0 or more", s.Lines)
		}
		if s.Takes < 0 {
			ds.Errorf([]string{"takes"}, "takes is %s: give 0s or more", s.Takes)
		}
	}
	return ds, nil
}

func (p *platform) Configure(_ context.Context, r sdk.ConfigureRequest) (diag.Diagnostics, error) {
	ds := schema.Decode(r.Config, &p.config)
	p.installation = r.InstallationID
	p.log.Info("configured", "root", p.config.Root)
	if p.breaks("leak") {
		p.log.Info("configured", "secret", p.config.Secret)
	}
	return ds, nil
}

// Health is that of a platform that is always there.
func (p *platform) Health(ctx context.Context, report func(sdk.Health) error) error {
	if err := report(sdk.Health{State: sdk.HealthHealthy, Description: "files below " + p.config.Root}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (p *platform) Resolve(_ context.Context, r sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
	var spec Spec
	ds := schema.Decode(r.Target.Spec, &spec)
	if ds.HasErrors() {
		return sdk.Release{}, ds, nil
	}
	text, err := os.ReadFile(spec.File)
	if err != nil {
		ds.Errorf([]string{"file"}, "read file: %v", err)
		return sdk.Release{}, ds, nil
	}
	c := content{Text: string(text), Secret: spec.Secret, Lines: spec.Lines, Takes: spec.Takes, Fails: spec.Fails}
	if p.breaks("late") {
		c.Text = "@" + spec.File
	}
	state, err := json.Marshal(c)
	return sdk.Release{
		Version: 1, State: state, Digest: digest(c.Text, c.Secret), Revision: digest(c.Text),
		View: map[string]string{"file": spec.File, "text": digest(c.Text)},
	}, ds, err
}

func (p *platform) Snapshot(_ context.Context, r sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	if p.breaks("goroutine") {
		go func() { <-make(chan struct{}) }()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	live, runs, err := p.live(r.Target)
	if err != nil {
		return sdk.SnapshotResult{}, err
	}
	if !runs {
		return sdk.SnapshotResult{Snapshot: sdk.Snapshot{Version: 1, Empty: true}, ObservedDigest: digest()}, nil
	}
	state, err := json.Marshal(live)
	return sdk.SnapshotResult{
		Snapshot:       sdk.Snapshot{Version: 1, State: state, Digest: digest(live.Text), Revision: digest(live.Text)},
		ObservedDigest: observed(live),
	}, err
}

func observed(c content) string { return digest("runs", c.Text, c.Secret) }

func (p *platform) Plan(_ context.Context, r sdk.PlanRequest) (sdk.Plan, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	live, runs, err := p.live(r.Target)
	if err != nil {
		return sdk.Plan{}, err
	}
	plan := sdk.Plan{ObservedDigest: digest()}
	if runs {
		plan.ObservedDigest = observed(live)
	}
	plan.Steps = []sdk.Step{{Resource: "file", Action: "update", Diff: "-" + digest(live.Text), Summary: r.Kind.String()}}
	if p.breaks("diff") {
		plan.Steps[0].Diff = "-" + live.Secret
	}
	return plan, nil
}

// Probe looks at what runs; with the handle of an operation whose candidate waits,
// at that.
func (p *platform) Probe(_ context.Context, r sdk.ProbeRequest) (sdk.ProbeResult, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, err := operationOf(r.Handle)
	if err != nil {
		return sdk.ProbeResult{}, err
	}
	s, err := p.state(r.Target)
	if err != nil {
		return sdk.ProbeResult{}, err
	}
	file := liveFile
	if o := s.Operations[id]; o != nil && o.candidate() != nil {
		file = candidateFile
	}
	seen, runs, err := p.look(r.Target, file)
	if err != nil {
		return sdk.ProbeResult{}, err
	}
	if !runs {
		return sdk.ProbeResult{Checks: []sdk.Check{{Name: "file", Type: "process", Status: sdk.CheckUnhealthy, Message: "gone"}}}, nil
	}
	return sdk.ProbeResult{
		Checks:   []sdk.Check{{Name: "file", Type: "process", Status: sdk.CheckHealthy}},
		Revision: digest(seen.Text), ObservedDigest: observed(seen),
		Addresses: map[string]string{"file": p.path(r.Target, file)},
	}, nil
}

func (p *platform) Inventory(_ context.Context, installation string) ([]sdk.InventoryItem, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	files, err := filepath.Glob(filepath.Join(p.config.Root, "*", "*", "*", stateFile))
	if err != nil {
		return nil, err
	}
	var items []sdk.InventoryItem
	for _, file := range files {
		s, err := readState(file)
		if err != nil {
			return nil, err
		}
		if _, runs, err := p.live(s.Target); err != nil || !runs || (installation != "" && installation != s.Installation) {
			continue
		}
		items = append(items, sdk.InventoryItem{
			InstallationID: s.Installation, Application: s.Target.Application, Environment: s.Target.Environment,
			Component: s.Target.Component, Version: s.Target.Version, Epoch: s.Epoch, OperationID: s.Last,
		})
	}
	return items, nil
}

func (p *platform) Logs(ctx context.Context, r sdk.LogsRequest, send func(...sdk.LogLine) error) error {
	if err := send(sdk.LogLine{Resource: "file", Line: "hello"}); err != nil || !r.Follow {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}
