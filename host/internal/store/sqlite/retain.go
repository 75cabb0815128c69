package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// batch bounds how many deployments one transaction deletes, so that retention
// does not keep the engine waiting.
const batch = 100

// Retain implements store.Upkeep.
func (s *Store) Retain(ctx context.Context, count int, age time.Duration) (int, error) {
	if count <= 0 && age <= 0 {
		return 0, nil
	}
	removed := 0
	for {
		n, err := s.retain(ctx, count, age)
		removed += n
		if err != nil {
			return removed, fmt.Errorf("delete old deployments: %w", err)
		}
		if n < batch {
			return removed, nil
		}
	}
}

func (s *Store) retain(ctx context.Context, count int, age time.Duration) (removed int, err error) {
	err = s.write(ctx, func(tx *tx) error {
		kept, err := s.needed(tx)
		if err != nil {
			return err
		}
		oldest := int64(0)
		if age > 0 {
			oldest = time.Now().Add(-age).UnixNano()
		}
		ids, err := tx.strings(`SELECT id FROM (
				SELECT id, ended_at, row_number() OVER (PARTITION BY application, environment ORDER BY ord DESC) AS place
				FROM deployments WHERE open = 0
			) AS d
			WHERE (?1 > 0 AND place > ?1 OR ended_at > 0 AND ended_at < ?2)
			AND id NOT IN (SELECT value FROM json_each(?3))
			AND NOT EXISTS (SELECT 1 FROM commands AS c WHERE c.deployment_id = d.id)
			ORDER BY ended_at LIMIT ?4`, count, oldest, list(kept), batch)
		if err != nil || len(ids) == 0 {
			return err
		}
		if _, err := tx.exec(`DELETE FROM deployments WHERE id IN (SELECT value FROM json_each(?))`, list(ids)); err != nil {
			return err
		}
		// Also those that an earlier pass had to leave.
		if _, err := tx.exec(`DELETE FROM blobs WHERE NOT EXISTS (SELECT 1 FROM deployments AS d WHERE d.id = deployment_id)
			AND NOT EXISTS (SELECT 1 FROM blob_references AS r WHERE r.key = blobs.key)`); err != nil {
			return err
		}
		removed = len(ids)
		return nil
	})
	return removed, err
}

// needed returns the deployments that must stay: those that targets run, what
// these and the unfinished ones would go back to.
func (s *Store) needed(tx *tx) ([]string, error) {
	var ids []string
	states, err := s.states(tx)
	if err != nil {
		return nil, err
	}
	var current []string
	for i := range states {
		current = append(current, states[i].Current)
		for _, running := range states[i].Components {
			ids = append(ids, running.Deployment)
		}
	}
	active, err := s.deployments(tx, `WHERE d.open = 1 OR d.id IN (SELECT value FROM json_each(?))`, list(current))
	if err != nil {
		return nil, err
	}
	for _, d := range active {
		ids = append(ids, d.ID)
		ids = append(ids, origins(d)...)
	}
	return ids, nil
}

// origins returns the deployments that this one would be rolled back to, or is.
func origins(d *deployment.Deployment) []string {
	ids := []string{d.Previous}
	for i := range d.Components {
		ids = append(ids, d.Components[i].BeforeFrom)
		if before := d.Components[i].BeforeRunning; before != nil {
			ids = append(ids, before.Deployment)
		}
	}
	for i := range d.Runs {
		ids = append(ids, d.Runs[i].Goal)
		for j := range d.Runs[i].Steps {
			ids = append(ids, d.Runs[i].Steps[j].GoalFrom)
		}
	}
	return ids
}
