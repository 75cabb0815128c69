package fake

import (
	"context"
	"path/filepath"

	"github.com/apm-deploy/apm/sdk"
)

// Plan says that the file would be replaced.
func (p *platform) Plan(_ context.Context, r sdk.PlanRequest) (sdk.Plan, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, runs, err := p.live(r.Target)
	if err != nil {
		return sdk.Plan{}, err
	}
	if r.Snapshot != nil {
		if _, err := p.read(*r.Snapshot, r.Target); err != nil {
			return sdk.Plan{}, err
		}
	}
	plan := sdk.Plan{ObservedDigest: digest()}
	if runs {
		plan.ObservedDigest = observed(now)
	}
	plan.Steps = []sdk.Step{{Resource: "file", Action: "update", Diff: "-" + digest(now.Text), Summary: r.Kind.String()}}
	if p.breaks("diff") {
		plan.Steps[0].Diff = "-" + now.Secret
	}
	if p.breaks("planner") && runs {
		now.Text += " planned"
		err = p.effect(r.Target, "plan", &now)
	}
	return plan, err
}

// Probe looks at what runs; with the handle of an operation whose candidate waits,
// at that.
func (p *platform) Probe(_ context.Context, r sdk.ProbeRequest) (sdk.ProbeResult, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, err := p.operationOf(r.Handle)
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
		gone := sdk.Check{Name: "file", Type: "process", Status: sdk.CheckUnhealthy, Message: "gone"}
		if p.breaks("optimist") {
			gone.Status = sdk.CheckUnknown
		}
		return sdk.ProbeResult{Checks: []sdk.Check{gone}}, nil
	}
	return sdk.ProbeResult{
		Checks:   []sdk.Check{{Name: "file", Type: "process", Status: sdk.CheckHealthy}},
		Revision: digest(seen.Text), ObservedDigest: observed(seen),
		Addresses: map[string]string{"file": p.path(r.Target, file)},
	}, nil
}

// Inventory lists the components in which something runs.
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
		_, runs, err := p.live(s.Target)
		if err != nil {
			return nil, err
		}
		if !runs || installation != "" && installation != s.Installation && !p.breaks("unlisted") {
			continue
		}
		items = append(items, sdk.InventoryItem{
			InstallationID: s.Installation, Application: s.Target.Application, Environment: s.Target.Environment,
			Component: s.Target.Component, Version: s.Target.Version, Epoch: s.Epoch, OperationID: s.Last,
		})
	}
	return items, nil
}
