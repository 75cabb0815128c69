package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// clock is the database's, in milliseconds; it stands still within a statement.
const clock = `CAST(unixepoch('subsec') * 1000 AS INTEGER)`

// Claim implements store.Ownership.
func (s *Store) Claim(ctx context.Context, host string, ttl time.Duration) ([]deployment.Lease, error) {
	return s.lease(ctx, ttl, `UPDATE targets AS t SET owner = ?1, epoch = epoch + 1, lease_until = `+clock+` + ?2
		WHERE lease_until <= `+clock+` AND (
			current <> ''
			OR EXISTS (SELECT 1 FROM deployments AS d WHERE d.open = 1 AND d.application = t.application AND d.environment = t.environment)
			OR EXISTS (SELECT 1 FROM commands AS c WHERE c.application = t.application AND c.environment = t.environment))`,
		host)
}

// Renew implements store.Ownership.
func (s *Store) Renew(ctx context.Context, host string, ttl time.Duration) ([]deployment.Lease, error) {
	return s.lease(ctx, ttl, `UPDATE targets SET lease_until = `+clock+` + ?2 WHERE owner = ?1 AND lease_until > `+clock, host)
}

// lease runs an update that gives leases and returns them.
func (s *Store) lease(ctx context.Context, ttl time.Duration, update, host string) ([]deployment.Lease, error) {
	if host == "" || ttl < time.Millisecond {
		return nil, fmt.Errorf("take leases for host %q and %s: both must be given", host, ttl)
	}
	var leases []deployment.Lease
	err := s.write(ctx, func(tx *tx) error {
		leases = nil
		return tx.rows(func(scan func(...any) error) error {
			var l deployment.Lease
			var until int64
			if err := scan(&l.Application, &l.Environment, &l.Epoch, &until); err != nil {
				return err
			}
			l.Until, l.For = time.UnixMilli(until).UTC(), ttl
			leases = append(leases, l)
			return nil
		}, update+` RETURNING application, environment, epoch, lease_until`, host, ttl.Milliseconds())
	})
	if err != nil {
		return nil, fmt.Errorf("take leases: %w", err)
	}
	return leases, nil
}

// Release implements store.Ownership.
func (s *Store) Release(ctx context.Context, host string, targets ...deployment.Target) error {
	return s.write(ctx, func(tx *tx) error {
		if len(targets) == 0 {
			_, err := tx.exec(`UPDATE targets SET owner = '', lease_until = 0 WHERE owner = ?`, host)
			return err
		}
		for _, target := range targets {
			if _, err := tx.exec(`UPDATE targets SET owner = '', lease_until = 0
				WHERE owner = ? AND application = ? AND environment = ?`,
				host, target.Application, target.Environment); err != nil {
				return fmt.Errorf("release %s: %w", target, err)
			}
		}
		return nil
	})
}
