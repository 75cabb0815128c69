package sqlite

import (
	"context"
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// one reads the only deployment that the rest of the query selects.
func (s *Store) one(ctx context.Context, what, rest string, arguments ...any) (*deployment.Deployment, error) {
	all, err := s.some(ctx, rest+` LIMIT 1`, arguments...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: %w", what, deployment.ErrNotFound)
	}
	return all[0], nil
}

func (s *Store) some(ctx context.Context, rest string, arguments ...any) (all []*deployment.Deployment, err error) {
	err = s.read(ctx, func(tx *tx) error {
		all, err = s.deployments(tx, rest, arguments...)
		return err
	})
	return all, err
}

// Deployment implements store.Reader.
func (s *Store) Deployment(ctx context.Context, id string) (*deployment.Deployment, error) {
	return s.one(ctx, fmt.Sprintf("deployment %q", id), `WHERE d.id = ?`, id)
}

// Find implements store.Reader.
func (s *Store) Find(ctx context.Context, prefix string, limit int) (ids []string, err error) {
	err = s.read(ctx, func(tx *tx) error {
		ids, err = tx.strings(`SELECT id FROM deployments WHERE id >= ?1 AND substr(id, 1, length(?1)) = ?1 ORDER BY id LIMIT ?2`,
			prefix, bound(limit))
		return err
	})
	return ids, err
}

// Blob implements store.Reader.
func (s *Store) Blob(ctx context.Context, key string) ([]byte, error) {
	var sealed []byte
	err := s.read(ctx, func(tx *tx) error {
		return tx.row(`SELECT sealed FROM blobs WHERE key = ?`, key).Scan(&sealed)
	})
	if err != nil {
		return nil, fmt.Errorf("read blob %q: %w", key, err)
	}
	data, err := s.sealer.Open(sealed, []byte("blob/"+key))
	if err != nil {
		return nil, fmt.Errorf("unseal blob %q: %w", key, err)
	}
	return data, nil
}

// completed selects deployments whose deploy run completed.
const completed = `JOIN runs AS r ON r.deployment_id = d.id AND r.number = 1 AND r.kind = 'deploy' AND r.result = 'completed'
	WHERE d.application = ?1 AND d.environment = ?2 `

// Completed implements store.Reader.
func (s *Store) Completed(ctx context.Context, target deployment.Target, version string) (*deployment.Deployment, error) {
	return s.one(ctx, fmt.Sprintf("completed deployment of %s %q", target, version),
		completed+`AND d.version = ?3 ORDER BY r.ended_at DESC, d.ord DESC`, target.Application, target.Environment, version)
}

// CompletedVersions implements store.Reader.
func (s *Store) CompletedVersions(ctx context.Context, target deployment.Target, limit int) ([]*deployment.Deployment, error) {
	return s.some(ctx, `JOIN (
			SELECT d.ord AS chosen, max(r.ended_at) AS ended FROM deployments AS d `+completed+` GROUP BY d.version
		) ON d.ord = chosen ORDER BY ended DESC, d.ord DESC LIMIT ?3`, target.Application, target.Environment, bound(limit))
}

// LastAccepted implements store.Reader.
func (s *Store) LastAccepted(ctx context.Context, application string) (*deployment.Deployment, error) {
	return s.one(ctx, fmt.Sprintf("deployment of application %q", application),
		`WHERE d.application = ? AND d.removal = 0 ORDER BY d.ord DESC`, application)
}

// Latest implements store.Reader.
func (s *Store) Latest(ctx context.Context) ([]*deployment.Deployment, error) {
	return s.some(ctx, `WHERE d.ord IN (SELECT max(ord) FROM deployments GROUP BY application, environment)
		ORDER BY d.application, d.environment`)
}

// Applications implements store.Reader.
func (s *Store) Applications(ctx context.Context) (names []string, err error) {
	err = s.read(ctx, func(tx *tx) error {
		names, err = tx.strings(`SELECT DISTINCT application FROM targets ORDER BY application`)
		return err
	})
	return names, err
}

// bound keeps a limit between 1 and 500; 0 is the most.
func bound(limit int) int {
	if limit <= 0 {
		return 500
	}
	return min(limit, 500)
}
