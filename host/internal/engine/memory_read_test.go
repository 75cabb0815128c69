package engine_test

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// deployment returns one that is stored. Called under mu.
func (m *ram) deployment(id string) (*deployment.Deployment, error) {
	data, there := m.deployments[id]
	if !there {
		return nil, deployment.ErrNotFound
	}
	d := &deployment.Deployment{}
	if err := json.Unmarshal(data, d); err != nil {
		return nil, err
	}
	d.Seq = uint64(len(m.events[id]))
	return d, nil
}

// all returns those that hold, as accepted. Called under mu.
func (m *ram) all(holds func(*deployment.Deployment) bool) (all []*deployment.Deployment) {
	for _, id := range m.order {
		if d, err := m.deployment(id); err == nil && holds(d) {
			all = append(all, d)
		}
	}
	return all
}

// open returns the target's deployments with an open run. Called under mu.
func (m *ram) open(target deployment.Target) []*deployment.Deployment {
	return m.all(func(d *deployment.Deployment) bool { return d.Target == target && d.Run().Open() })
}

// state returns what is known of a target. Called under mu.
func (m *ram) state(target deployment.Target) deployment.TargetState {
	var state deployment.TargetState
	if err := json.Unmarshal(m.targets[target].state, &state); err != nil {
		panic(err)
	}
	state.Target = target
	return state
}

func (m *ram) Deployment(ctx context.Context, id string) (d *deployment.Deployment, err error) {
	err = m.do(ctx, func() error {
		d, err = m.deployment(id)
		return err
	})
	return d, err
}

func (m *ram) State(ctx context.Context, target deployment.Target) (state deployment.TargetState, err error) {
	err = m.do(ctx, func() error {
		if _, there := m.targets[target]; !there {
			return deployment.ErrNotFound
		}
		state = m.state(target)
		return nil
	})
	return state, err
}

func (m *ram) Work(ctx context.Context, target deployment.Target) (work deployment.Work, err error) {
	err = m.do(ctx, func() error {
		work.State, work.Open = m.state(target), m.open(target)
		for _, d := range work.Open {
			if d.ID == work.State.Current {
				work.Current = d
			}
		}
		if work.Current == nil && work.State.Current != "" {
			work.Current, err = m.deployment(work.State.Current)
		}
		for _, known := range m.commands {
			var c deployment.Command
			if known.target != target {
				continue
			}
			if err := json.Unmarshal(known.data, &c); err != nil {
				return err
			}
			work.Commands = append(work.Commands, c)
		}
		return err
	})
	return work, err
}

func (m *ram) Blob(ctx context.Context, key string) (data []byte, err error) {
	err = m.do(ctx, func() error {
		known, there := m.blobs[key]
		if !there {
			return deployment.ErrNotFound
		}
		data = slices.Clone(known)
		return nil
	})
	return data, err
}

// completed returns the target's deployments whose deploy run completed, the one
// that did so last first.
func (m *ram) completed(target deployment.Target) []*deployment.Deployment {
	all := m.all(func(d *deployment.Deployment) bool {
		return d.Target == target && d.Runs[0].Kind == deployment.RunDeploy && d.Runs[0].Result == deployment.Completed
	})
	slices.SortStableFunc(all, func(a, b *deployment.Deployment) int { return b.Runs[0].EndedAt.Compare(a.Runs[0].EndedAt) })
	return all
}

func (m *ram) Completed(ctx context.Context, target deployment.Target, version string) (d *deployment.Deployment, err error) {
	err = m.do(ctx, func() error {
		for _, d = range m.completed(target) {
			if d.Version == version {
				return nil
			}
		}
		d = nil
		return deployment.ErrNotFound
	})
	return d, err
}

func (m *ram) CompletedVersions(ctx context.Context, target deployment.Target, limit int) (all []*deployment.Deployment, err error) {
	err = m.do(ctx, func() error {
		seen := map[string]bool{}
		for _, d := range m.completed(target) {
			if !seen[d.Version] && len(all) < limit {
				all = append(all, d)
			}
			seen[d.Version] = true
		}
		return nil
	})
	return all, err
}

func (m *ram) LastAccepted(ctx context.Context, application string) (d *deployment.Deployment, err error) {
	err = m.do(ctx, func() error {
		all := m.all(func(d *deployment.Deployment) bool { return d.Application == application && !d.Remove })
		if len(all) == 0 {
			return deployment.ErrNotFound
		}
		d = all[len(all)-1]
		return nil
	})
	return d, err
}

func (m *ram) PastRuns(ctx context.Context, target deployment.Target, kind deployment.RunKind, limit int) (past []deployment.PastRun, err error) {
	good := deployment.Completed
	if kind == deployment.RunRollback {
		good = deployment.RolledBack
	}
	err = m.do(ctx, func() error {
		all := m.all(func(d *deployment.Deployment) bool { return d.Target == target && !d.Run().Open() })
		for i := len(all) - 1; i >= 0 && len(past) < limit; i-- {
			for _, r := range all[i].Runs {
				if r.Kind != kind || r.Result != good || r.LockedAt.IsZero() {
					continue
				}
				p := deployment.PastRun{Total: r.EndedAt.Sub(r.LockedAt), Stages: map[deployment.Status]time.Duration{}}
				for _, stage := range r.Stages {
					p.Stages[stage.Name] += stage.EndedAt.Sub(stage.StartedAt)
				}
				past = append(past, p)
			}
		}
		return nil
	})
	return past, err
}

func (m *ram) Events(ctx context.Context, id string, after uint64, limit int) (events []deployment.Event, err error) {
	err = m.do(ctx, func() error {
		known, there := m.events[id]
		if !there {
			return deployment.ErrNotFound
		}
		known = known[min(after, uint64(len(known))):]
		events = slices.Clone(known[:min(len(known), limit)])
		return nil
	})
	return events, err
}

func (m *ram) Audit(ctx context.Context, _ string, limit int) (records []deployment.AuditRecord, next string, err error) {
	err = m.do(ctx, func() error {
		records = slices.Clone(m.audit)
		slices.Reverse(records)
		records = records[:min(len(records), limit)]
		return nil
	})
	return records, "", err
}
