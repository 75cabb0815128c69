package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Accept implements store.Intake.
func (s *Store) Accept(ctx context.Context, a deployment.Acceptance) error {
	d := a.Deployment
	r, err := s.rowOf(d)
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx *tx) error {
		if err := isNew(tx, a.Key); err != nil {
			return err
		}
		if err := giveWay(tx, a); err != nil {
			return err
		}
		if _, err := tx.exec(`INSERT INTO targets (application, environment) VALUES (?, ?) ON CONFLICT DO NOTHING`,
			d.Application, d.Environment); err != nil {
			return fmt.Errorf("write target: %w", err)
		}
		if _, err := tx.exec(`INSERT INTO deployments (id, application, environment, version, removal, status, reason, platforms,
				accepted_at, updated_at, ended_at, ended_by, seq, open, locked, rollback, aggregate)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)`,
			d.ID, d.Application, d.Environment, d.Version, d.Remove, string(d.Status), d.Reason, list(r.platforms),
			nanoseconds(d.AcceptedAt), nanoseconds(d.UpdatedAt), nanoseconds(d.EndedAt), d.EndedBy,
			r.open, r.locked, r.rollback, r.sealed); err != nil {
			return fmt.Errorf("write deployment %s: %w", d.ID, err)
		}
		if err := insertLists(tx, d, r.platforms); err != nil {
			return err
		}
		if err := appendAll(tx, d, a.Events); err != nil {
			return err
		}
		if err := s.insertBlobs(tx, a.Blobs); err != nil {
			return err
		}
		if err := insertKey(tx, a.Key, d.ID); err != nil {
			return err
		}
		return insertAudit(tx, a.Audit)
	})
}

// Repeated implements store.Intake.
func (s *Store) Repeated(ctx context.Context, key deployment.IdempotencyKey) (id string, err error) {
	err = s.read(ctx, func(tx *tx) error {
		id, err = repeated(tx, key)
		return err
	})
	return id, err
}

func repeated(tx *tx, key deployment.IdempotencyKey) (string, error) {
	var digest, id string
	err := tx.row(`SELECT digest, deployment_id FROM idempotency WHERE principal = ? AND key = ?`,
		key.Principal, key.Key).Scan(&digest, &id)
	switch {
	case errors.Is(err, deployment.ErrNotFound):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("read idempotency key: %w", err)
	case digest != key.Digest:
		return "", fmt.Errorf("%w: %q was used for deployment %s", deployment.ErrKeyReused, key.Key, id)
	}
	return id, nil
}

// isNew returns what came of the request that used the key before; nil where
// there is no key, or it is new.
func isNew(tx *tx, key *deployment.IdempotencyKey) error {
	if key == nil {
		return nil
	}
	first, err := repeated(tx, *key)
	if err == nil && first != "" {
		return &deployment.RepeatedError{DeploymentID: first}
	}
	return err
}

// insertKey writes the key with what came of its request.
func insertKey(tx *tx, key *deployment.IdempotencyKey, deploymentID string) error {
	if key == nil {
		return nil
	}
	if _, err := tx.exec(`INSERT INTO idempotency (principal, key, digest, deployment_id) VALUES (?, ?, ?, ?)`,
		key.Principal, key.Key, key.Digest, deploymentID); err != nil {
		return fmt.Errorf("write idempotency key: %w", err)
	}
	return nil
}

// giveWay carries out the policy towards what is unfinished on the target.
func giveWay(tx *tx, a deployment.Acceptance) error {
	d := a.Deployment
	switch a.Concurrent {
	case deployment.ConcurrentRefuse:
		var holder string
		err := tx.row(`SELECT id FROM deployments AS d WHERE open = 1 AND application = ?1 AND environment = ?2
			ORDER BY id <> (SELECT holder FROM targets WHERE application = ?1 AND environment = ?2), ord LIMIT 1`,
			d.Application, d.Environment).Scan(&holder)
		if errors.Is(err, deployment.ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for unfinished deployments: %w", err)
		}
		return &deployment.BusyError{Holder: holder}
	case deployment.ConcurrentSupersede:
		return supersede(tx, a)
	default:
		return nil
	}
}

// supersede cancels the deployments that wait for the lock. One that has it goes
// on, and so does a rollback, which somebody needs.
func supersede(tx *tx, a deployment.Acceptance) error {
	d := a.Deployment
	waiting, err := tx.strings(`SELECT id FROM deployments AS d
		WHERE open = 1 AND locked = 0 AND rollback = 0 AND application = ? AND environment = ?
		AND NOT EXISTS (SELECT 1 FROM commands AS c WHERE c.deployment_id = d.id AND c.kind = 'cancel')
		ORDER BY ord`, d.Application, d.Environment)
	if err != nil {
		return fmt.Errorf("look for waiting deployments: %w", err)
	}
	for _, id := range waiting {
		reason := "superseded by " + d.ID
		if err := insertCommand(tx, &deployment.Command{
			ID: d.ID + "-supersedes-" + id, DeploymentID: id, Target: d.Target,
			Kind: deployment.CommandCancel, Waiting: true, Actor: a.Audit.Actor, Reason: reason, At: d.AcceptedAt,
		}); err != nil {
			return err
		}
		if err := insertAudit(tx, deployment.AuditRecord{
			At: d.AcceptedAt, Actor: a.Audit.Actor, Action: "deployment.cancel", Object: id, Reason: reason,
		}); err != nil {
			return err
		}
	}
	return nil
}

// Command implements store.Intake.
func (s *Store) Command(ctx context.Context, command deployment.Command, audit deployment.AuditRecord) error {
	return s.write(ctx, func(tx *tx) error {
		if err := isNew(tx, command.Key); err != nil {
			return err
		}
		var known int
		if err := tx.row(`SELECT 1 FROM deployments WHERE id = ? AND application = ? AND environment = ?`,
			command.DeploymentID, command.Target.Application, command.Target.Environment).Scan(&known); err != nil {
			return fmt.Errorf("find deployment %q of %s: %w", command.DeploymentID, command.Target, err)
		}
		if err := insertCommand(tx, &command); err != nil {
			return err
		}
		if err := insertKey(tx, command.Key, command.DeploymentID); err != nil {
			return err
		}
		return insertAudit(tx, audit)
	})
}
