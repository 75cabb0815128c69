package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strconv"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// applicationID marks our databases: "APMd".
const applicationID = 0x41504d64

//go:embed migrations/*.sql
var migrations embed.FS

// connect returns a pool whose connections have our settings and those pragmas.
// No connection is made yet.
func connect(path string, wait time.Duration, pragmas ...string) (*sql.DB, error) {
	query := url.Values{"_pragma": append([]string{
		// First: the others may have to wait already.
		"busy_timeout(" + strconv.FormatInt(wait.Milliseconds(), 10) + ")",
		"foreign_keys(1)",
		"synchronous(full)",
	}, pragmas...)}
	location := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", location.String())
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return db, nil
}

// migrate brings the schema to the version of this program.
func (s *Store) migrate(ctx context.Context) error {
	if err := s.mark(ctx); err != nil {
		return err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.writer, files)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	current, known, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if current > known {
		return unavailable(nil, "use the newer apm that wrote it, or restore a backup of the time before",
			"database %s has schema version %d, this apm knows versions up to %d", s.path, current, known)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	return nil
}

// mark makes an empty database ours before anything else is written, so that one
// whose making was interrupted is still known.
func (s *Store) mark(ctx context.Context) error {
	var id int64
	if err := s.writer.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&id); err != nil {
		return fmt.Errorf("read application id: %w", err)
	}
	if id == applicationID {
		return nil
	}
	if _, err := s.writer.ExecContext(ctx, `PRAGMA application_id = `+strconv.Itoa(applicationID)); err != nil {
		return fmt.Errorf("write application id: %w", err)
	}
	return nil
}

// install makes the installation's id, or reads it and tries the key on it.
func (s *Store) install(ctx context.Context) error {
	var id string
	err := s.write(ctx, func(tx *tx) error {
		var sealed []byte
		err := tx.row(`SELECT id, seal FROM installation`).Scan(&id, &sealed)
		switch {
		case errors.Is(err, deployment.ErrNotFound):
			random := make([]byte, 16)
			if _, err := rand.Read(random); err != nil {
				return fmt.Errorf("make installation id: %w", err)
			}
			id = hex.EncodeToString(random)
			sealed, err := s.sealer.Seal([]byte(id), []byte("installation"))
			if err != nil {
				return fmt.Errorf("seal installation id: %w", err)
			}
			_, err = tx.exec(`INSERT INTO installation (only, id, seal) VALUES (1, ?, ?)`, id, sealed)
			return err
		case err != nil:
			return err
		}
		if _, err := s.sealer.Open(sealed, []byte("installation")); err != nil {
			return unavailable(err, "put back the seal.key that was made with it; without it the history cannot be read",
				"database %s is sealed with another key", s.path)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.id = id
	return nil
}
