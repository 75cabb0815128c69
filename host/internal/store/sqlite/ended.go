package sqlite

import (
	"context"
	"fmt"
	"math"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// countEnd adds the end of a deployment to the totals of its host, once for each
// platform.
func countEnd(tx *tx, d *deployment.Deployment, platforms []string, host string, first bool) error {
	if d.EndedBy != "" {
		host = d.EndedBy
	}
	seconds := lasted(d)
	for _, platform := range platforms {
		if _, err := tx.exec(`INSERT INTO ended (host, application, environment, platform, version, result, count, first, last_seconds, last_ended)
			VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?)
			ON CONFLICT DO UPDATE SET count = count + 1, first = first + excluded.first,
				last_seconds = excluded.last_seconds, last_ended = excluded.last_ended`,
			host, d.Application, d.Environment, platform, d.Version, string(d.Status), first,
			seconds, nanoseconds(d.EndedAt)); err != nil {
			return fmt.Errorf("count the end of deployment %s: %w", d.ID, err)
		}
		if _, err := tx.exec(`INSERT INTO ended_lengths (host, environment, platform, result, bound, count, seconds)
			VALUES (?, ?, ?, ?, ?, 1, ?)
			ON CONFLICT DO UPDATE SET count = count + 1, seconds = seconds + excluded.seconds`,
			host, d.Environment, platform, string(d.Status), boundOf(seconds), seconds); err != nil {
			return fmt.Errorf("count the length of deployment %s: %w", d.ID, err)
		}
	}
	return nil
}

// boundOf returns the smallest bound that so many seconds keep within.
func boundOf(seconds float64) float64 {
	for _, bound := range deployment.LengthBounds() {
		if seconds <= bound {
			return bound
		}
	}
	return math.Inf(1)
}

// lasted returns how many seconds the deployment took from the wish that began
// it; rollbacks by policy belong to the run before them.
func lasted(d *deployment.Deployment) float64 {
	began := d.AcceptedAt
	for i := len(d.Runs) - 1; i >= 0; i-- {
		began = d.Runs[i].RequestedAt
		if d.Runs[i].Trigger != deployment.TriggerPolicy {
			break
		}
	}
	if began.IsZero() || d.EndedAt.Before(began) {
		return 0
	}
	return d.EndedAt.Sub(began).Seconds()
}

// Ended implements store.Upkeep.
func (s *Store) Ended(ctx context.Context, host string) ([]deployment.Ended, error) {
	var all []deployment.Ended
	err := s.read(ctx, func(tx *tx) error {
		return tx.rows(func(scan func(...any) error) error {
			var e deployment.Ended
			var at int64
			if err := scan(&e.Application, &e.Environment, &e.Platform, &e.Version, &e.Result,
				&e.Count, &e.First, &e.LastSeconds, &at); err != nil {
				return err
			}
			e.LastEnded = instant(at)
			all = append(all, e)
			return nil
		}, `SELECT application, environment, platform, version, result, count, first, last_seconds, last_ended
			FROM ended WHERE host = ? ORDER BY application, environment, platform, version, result`, host)
	})
	return all, err
}

// EndedLengths implements store.Upkeep.
func (s *Store) EndedLengths(ctx context.Context, host string) ([]deployment.EndedLength, error) {
	var all []deployment.EndedLength
	err := s.read(ctx, func(tx *tx) error {
		return tx.rows(func(scan func(...any) error) error {
			var l deployment.EndedLength
			if err := scan(&l.Platform, &l.Environment, &l.Result, &l.Bound, &l.Count, &l.Seconds); err != nil {
				return err
			}
			all = append(all, l)
			return nil
		}, `SELECT platform, environment, result, bound, count, seconds FROM ended_lengths
			WHERE host = ? ORDER BY platform, environment, result, bound`, host)
	})
	return all, err
}
