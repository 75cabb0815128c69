package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// CreateToken implements store.Registry.
func (s *Store) CreateToken(ctx context.Context, t deployment.Token, hash []byte, audit deployment.AuditRecord) error {
	return s.write(ctx, func(tx *tx) error {
		if _, err := tx.exec(`INSERT INTO tokens (id, hash, name, role, created_at, created_by, expires_at, revoked_at, last_used)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			t.ID, hash, t.Name, string(t.Role), nanoseconds(t.CreatedAt), t.CreatedBy,
			nanoseconds(t.ExpiresAt), nanoseconds(t.RevokedAt), nanoseconds(t.LastUsed)); err != nil {
			return fmt.Errorf("write token %q: %w", t.ID, err)
		}
		return insertAudit(tx, audit)
	})
}

// Token implements store.Registry.
func (s *Store) Token(ctx context.Context, id string) (token deployment.Token, hash []byte, err error) {
	err = s.read(ctx, func(tx *tx) error {
		token, hash, err = scanToken(tx.row(tokenColumns+` WHERE id = ?`, id).Scan)
		return err
	})
	if err != nil {
		return deployment.Token{}, nil, fmt.Errorf("read token %q: %w", id, err)
	}
	return token, hash, nil
}

// Tokens implements store.Registry.
func (s *Store) Tokens(ctx context.Context) ([]deployment.Token, error) {
	var all []deployment.Token
	err := s.read(ctx, func(tx *tx) error {
		return tx.rows(func(scan func(...any) error) error {
			token, _, err := scanToken(scan)
			all = append(all, token)
			return err
		}, tokenColumns+` ORDER BY ord`)
	})
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	return all, nil
}

// RevokeToken implements store.Registry.
func (s *Store) RevokeToken(ctx context.Context, id string, at time.Time, audit deployment.AuditRecord) error {
	return s.write(ctx, func(tx *tx) error {
		var known int
		if err := tx.row(`SELECT 1 FROM tokens WHERE id = ?`, id).Scan(&known); err != nil {
			return fmt.Errorf("find token %q: %w", id, err)
		}
		if _, err := tx.exec(`UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at = 0`, nanoseconds(at), id); err != nil {
			return fmt.Errorf("revoke token %q: %w", id, err)
		}
		return insertAudit(tx, audit)
	})
}

// UseTokens implements store.Registry.
func (s *Store) UseTokens(ctx context.Context, used map[string]time.Time) error {
	return s.write(ctx, func(tx *tx) error {
		for id, at := range used {
			if _, err := tx.exec(`UPDATE tokens SET last_used = max(last_used, ?) WHERE id = ?`, nanoseconds(at), id); err != nil {
				return fmt.Errorf("record the use of token %q: %w", id, err)
			}
		}
		return nil
	})
}

const tokenColumns = `SELECT id, hash, name, role, created_at, created_by, expires_at, revoked_at, last_used FROM tokens`

func scanToken(scan func(...any) error) (t deployment.Token, hash []byte, err error) {
	var created, expires, revoked, used int64
	err = scan(&t.ID, &hash, &t.Name, &t.Role, &created, &t.CreatedBy, &expires, &revoked, &used)
	t.CreatedAt, t.ExpiresAt, t.RevokedAt, t.LastUsed = instant(created), instant(expires), instant(revoked), instant(used)
	return t, hash, err
}
