package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Commit implements store.Ownership.
func (s *Store) Commit(ctx context.Context, change deployment.Change) error {
	return s.write(ctx, func(tx *tx) error {
		host, err := owner(tx, change.Target, change.Epoch)
		if err != nil {
			return err
		}
		if d := change.Deployment; d != nil {
			if err := s.replace(tx, change.Target, d, host); err != nil {
				return err
			}
		}
		if err := appendAll(tx, change.Deployment, change.Events); err != nil {
			return err
		}
		if change.State != nil {
			if err := s.replaceState(tx, change.Target, change.State); err != nil {
				return err
			}
		}
		if err := s.insertBlobs(tx, change.Blobs); err != nil {
			return err
		}
		if len(change.Consumed) > 0 {
			if _, err := tx.exec(`DELETE FROM commands WHERE application = ? AND environment = ?
				AND id IN (SELECT value FROM json_each(?))`,
				change.Target.Application, change.Target.Environment, list(change.Consumed)); err != nil {
				return fmt.Errorf("consume commands: %w", err)
			}
		}
		return insertAudit(tx, change.Audit...)
	})
}

// owner checks the fence: the epoch is the target's and its lease goes on.
func owner(tx *tx, target deployment.Target, epoch uint64) (string, error) {
	var host string
	err := tx.row(`SELECT owner FROM targets WHERE application = ? AND environment = ? AND epoch = ? AND lease_until > `+clock,
		target.Application, target.Environment, epoch).Scan(&host)
	if errors.Is(err, deployment.ErrNotFound) {
		return "", fmt.Errorf("%w %d of %s", deployment.ErrStaleEpoch, epoch, target)
	}
	if err != nil {
		return "", fmt.Errorf("read lease of %s: %w", target, err)
	}
	return host, nil
}

// replace writes the aggregate and what is drawn from it.
func (s *Store) replace(tx *tx, target deployment.Target, d *deployment.Deployment, host string) error {
	r, err := s.rowOf(d)
	if err != nil {
		return err
	}
	var open bool
	var counted string
	if err := tx.row(`SELECT open, counted FROM deployments WHERE id = ? AND application = ? AND environment = ?`,
		d.ID, target.Application, target.Environment).Scan(&open, &counted); err != nil {
		return fmt.Errorf("find deployment %q of %s: %w", d.ID, target, err)
	}
	// A rollback that never had the lock, refused or withdrawn, ended nothing.
	run := d.Run()
	if began := run == nil || !run.LockedAt.IsZero(); open && !r.open && (began || counted == "") {
		if err := countEnd(tx, d, r.platforms, host, counted == ""); err != nil {
			return err
		}
		counted = string(d.Status)
	}
	if _, err := tx.exec(`UPDATE deployments SET version = ?, status = ?, reason = ?, platforms = ?,
			updated_at = ?, ended_at = ?, ended_by = ?, open = ?, locked = ?, rollback = ?, counted = ?, aggregate = ?
		WHERE id = ?`,
		d.Version, string(d.Status), d.Reason, list(r.platforms),
		nanoseconds(d.UpdatedAt), nanoseconds(d.EndedAt), d.EndedBy, r.open, r.locked, r.rollback, counted, r.sealed,
		d.ID); err != nil {
		return fmt.Errorf("write deployment %s: %w", d.ID, err)
	}
	return insertLists(tx, d, r.platforms)
}

// replaceState writes what is known of the target.
func (s *Store) replaceState(tx *tx, target deployment.Target, state *deployment.TargetState) error {
	if state.Target != target {
		return fmt.Errorf("write state of %s: it is that of %s", target, state.Target)
	}
	sealed, err := s.seal(state, "target/"+target.String())
	if err != nil {
		return err
	}
	if _, err := tx.exec(`UPDATE targets SET holder = ?, current = ?, state = ? WHERE application = ? AND environment = ?`,
		state.Holder, state.Current, sealed, target.Application, target.Environment); err != nil {
		return fmt.Errorf("write state of %s: %w", target, err)
	}
	return nil
}

// appendAll appends the events of each deployment. What the aggregate believes
// to be its last seq must be so afterwards.
func appendAll(tx *tx, d *deployment.Deployment, events []deployment.Event) error {
	byID := map[string][]deployment.Event{}
	if d != nil {
		byID[d.ID] = nil
	}
	for i := range events {
		byID[events[i].DeploymentID] = append(byID[events[i].DeploymentID], events[i])
	}
	for id, own := range byID {
		var last uint64
		if err := tx.row(`SELECT seq FROM deployments WHERE id = ?`, id).Scan(&last); err != nil {
			return fmt.Errorf("find deployment %q of an event: %w", id, err)
		}
		next, err := appendEvents(tx, id, last, own)
		if err != nil {
			return err
		}
		if d != nil && d.ID == id && d.Seq != next {
			return fmt.Errorf("write deployment %s: its seq is %d, its last event %d", id, d.Seq, next)
		}
		if next == last {
			continue
		}
		if _, err := tx.exec(`UPDATE deployments SET seq = ? WHERE id = ?`, next, id); err != nil {
			return fmt.Errorf("write seq of deployment %s: %w", id, err)
		}
	}
	return nil
}
