package sqlite

import (
	"encoding/json"
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// appendEvents writes events that go on from the last seq of the deployment
// without a gap, and returns the new last one.
func appendEvents(tx *tx, id string, last uint64, events []deployment.Event) (uint64, error) {
	for i := range events {
		e := &events[i]
		if e.Seq != last+1 {
			return 0, fmt.Errorf("append event of deployment %s: seq %d does not follow %d", id, e.Seq, last)
		}
		data := string(e.Data)
		if data == "" {
			data = "null"
		}
		if _, err := tx.exec(`INSERT INTO events (deployment_id, seq, type, time, data) VALUES (?, ?, ?, ?, ?)`,
			id, e.Seq, string(e.Type), nanoseconds(e.Time), data); err != nil {
			return 0, fmt.Errorf("append event %d of deployment %s: %w", e.Seq, id, err)
		}
		tx.recorded++
		last = e.Seq
	}
	return last, nil
}

// insertBlobs seals and writes what is not there yet.
func (s *Store) insertBlobs(tx *tx, blobs []deployment.Blob) error {
	for i := range blobs {
		b := &blobs[i]
		sealed, err := s.sealer.Seal(b.Data, []byte("blob/"+b.Key))
		if err != nil {
			return fmt.Errorf("seal blob %s: %w", b.Key, err)
		}
		if _, err := tx.exec(`INSERT INTO blobs (key, deployment_id, sealed) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING`,
			b.Key, b.DeploymentID, sealed); err != nil {
			return fmt.Errorf("write blob %s: %w", b.Key, err)
		}
	}
	return nil
}

// insertLists writes what lists and retention know of a deployment beside its
// row. References are only added: a snapshot that was once referred to is kept.
func insertLists(tx *tx, d *deployment.Deployment, platforms []string) error {
	names := list(platforms)
	if _, err := tx.exec(`DELETE FROM deployment_platforms WHERE deployment_id = ?
		AND platform NOT IN (SELECT value FROM json_each(?))`, d.ID, names); err != nil {
		return fmt.Errorf("write platforms: %w", err)
	}
	if _, err := tx.exec(`INSERT OR IGNORE INTO deployment_platforms (deployment_id, platform)
		SELECT ?, value FROM json_each(?)`, d.ID, names); err != nil {
		return fmt.Errorf("write platforms: %w", err)
	}
	if keys := keysOf(d); len(keys) > 0 {
		if _, err := tx.exec(`INSERT OR IGNORE INTO blob_references (deployment_id, key)
			SELECT ?, value FROM json_each(?)`, d.ID, list(keys)); err != nil {
			return fmt.Errorf("write references: %w", err)
		}
	}
	for i := range d.Runs {
		r := &d.Runs[i]
		if r.Open() || r.LockedAt.IsZero() {
			continue // one without the lock, refused or withdrawn, did nothing
		}
		if _, err := tx.exec(`INSERT INTO runs (deployment_id, number, kind, result, ended_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (deployment_id, number) DO UPDATE SET kind = excluded.kind, result = excluded.result, ended_at = excluded.ended_at`,
			d.ID, r.Number, string(r.Kind), string(r.Result), nanoseconds(r.EndedAt)); err != nil {
			return fmt.Errorf("write run %d: %w", r.Number, err)
		}
	}
	return nil
}

// insertCommand writes a wish.
func insertCommand(tx *tx, c *deployment.Command) error {
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode command %s: %w", c.ID, err)
	}
	if _, err := tx.exec(`INSERT INTO commands (id, deployment_id, application, environment, kind, data) VALUES (?, ?, ?, ?, ?, ?)`,
		c.ID, c.DeploymentID, c.Target.Application, c.Target.Environment, string(c.Kind), string(data)); err != nil {
		return fmt.Errorf("write command %s: %w", c.ID, err)
	}
	return nil
}

// insertAudit writes records; the store numbers them.
func insertAudit(tx *tx, records ...deployment.AuditRecord) error {
	for i := range records {
		r := &records[i]
		if _, err := tx.exec(`INSERT INTO audit (at, actor_kind, actor_name, actor_role, action, object, detail, reason)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			nanoseconds(r.At), string(r.Actor.Kind), r.Actor.Name, string(r.Actor.Role),
			r.Action, r.Object, r.Detail, r.Reason); err != nil {
			return fmt.Errorf("write audit record: %w", err)
		}
	}
	return nil
}
