package sqlite

import (
	"context"
	"fmt"
	"math"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Record implements store.Registry.
func (s *Store) Record(ctx context.Context, audit deployment.AuditRecord) error {
	return s.write(ctx, func(tx *tx) error { return insertAudit(tx, audit) })
}

// Audit implements store.Registry.
func (s *Store) Audit(ctx context.Context, position string, limit int) ([]deployment.AuditRecord, string, error) {
	before := int64(math.MaxInt64)
	if position != "" && !parseCursor(position, "a %d", &before) {
		return nil, "", badCursor()
	}
	limit = bound(limit)
	var records []deployment.AuditRecord
	err := s.read(ctx, func(tx *tx) error {
		return tx.rows(func(scan func(...any) error) error {
			var r deployment.AuditRecord
			var at int64
			if err := scan(&r.ID, &at, &r.Actor.Kind, &r.Actor.Name, &r.Actor.Role, &r.Action, &r.Object, &r.Detail, &r.Reason); err != nil {
				return err
			}
			r.At = instant(at)
			records = append(records, r)
			return nil
		}, `SELECT id, at, actor_kind, actor_name, actor_role, action, object, detail, reason FROM audit
			WHERE id < ? ORDER BY id DESC LIMIT ?`, before, limit+1)
	})
	if err != nil {
		return nil, "", fmt.Errorf("read audit records: %w", err)
	}
	if len(records) <= limit {
		return records, "", nil
	}
	records = records[:limit]
	return records, cursor("a %d", records[limit-1].ID), nil
}
