package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// PastRuns implements store.Reader.
func (s *Store) PastRuns(ctx context.Context, target deployment.Target, kind deployment.RunKind, limit int) ([]deployment.PastRun, error) {
	good := deployment.Completed
	if kind == deployment.RunRollback {
		good = deployment.RolledBack
	}
	var past []deployment.PastRun
	err := s.read(ctx, func(tx *tx) error {
		return tx.rows(func(scan func(...any) error) error {
			var id string
			var number int
			var sealed []byte
			if err := scan(&id, &number, &sealed); err != nil {
				return err
			}
			d, err := s.aggregate(id, 0, sealed)
			if err != nil {
				return err
			}
			for i := range d.Runs {
				if d.Runs[i].Number == number && !d.Runs[i].LockedAt.IsZero() {
					past = append(past, pastRun(&d.Runs[i]))
				}
			}
			return nil
		}, `SELECT d.id, r.number, d.aggregate FROM deployments AS d JOIN runs AS r ON r.deployment_id = d.id
			WHERE d.open = 0 AND d.application = ? AND d.environment = ? AND r.kind = ? AND r.result = ?
			ORDER BY r.ended_at DESC, d.ord DESC LIMIT ?`,
			target.Application, target.Environment, string(kind), string(good), bound(limit))
	})
	if err != nil {
		return nil, fmt.Errorf("read past runs of %s: %w", target, err)
	}
	return past, nil
}

// pastRun measures a run. Waiting for the lock is not part of it.
func pastRun(r *deployment.Run) deployment.PastRun {
	p := deployment.PastRun{
		Stages: map[deployment.Status]time.Duration{}, Components: map[string]time.Duration{},
	}
	p.Total = r.EndedAt.Sub(r.LockedAt)
	for _, stage := range r.Stages {
		if !stage.EndedAt.IsZero() {
			p.Stages[stage.Name] += stage.EndedAt.Sub(stage.StartedAt)
		}
	}
	for i := range r.Steps {
		if step := &r.Steps[i]; !step.StartedAt.IsZero() && !step.PassedAt.IsZero() {
			p.Components[step.Component] = step.PassedAt.Sub(step.StartedAt)
		}
	}
	return p
}
