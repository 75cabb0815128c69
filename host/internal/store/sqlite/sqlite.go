// Package sqlite keeps the history in one SQLite file, for one host on one
// machine. All writes go through one connection in immediate transactions, reads
// through a pool beside it; a file lock keeps a second host out. What a
// deployment is made of is sealed before it reaches the file; only what lists
// need stands in the clear.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	// The driver, by the name "sqlite".
	_ "modernc.org/sqlite"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/store"
)

// Config says which file, and for whom.
type Config struct {
	Path   string // of the database; made when missing, its directory must exist
	Sealer store.Sealer
	HostID string // written into the lock file, for whoever finds it taken
	// Wait is how long a write waits for another process that has the database
	// locked, such as a backup; default 5 s.
	Wait time.Duration
}

// Validate says what is missing.
func (c *Config) Validate() error {
	switch {
	case c.Path == "":
		return errors.New("open database: no path")
	case c.Sealer == nil:
		return errors.New("open database: no sealer")
	default:
		return nil
	}
}

// Store is a store.Store on SQLite.
type Store struct {
	path    string
	file    os.FileInfo // of the database that was opened
	sealer  store.Sealer
	lock    *fileLock
	writer  *sql.DB // one connection
	readers *sql.DB
	id      string
	// ailing is set from a write that found the store unavailable to one that
	// did not.
	ailing atomic.Bool
	closed atomic.Bool
	// recorded counts the events that were committed.
	recorded atomic.Uint64
}

var _ store.Store = (*Store)(nil)

// Open opens the database, making it when there is none and bringing its schema
// up to date. Errors are *deployment.Error and name the file and the remedy: the
// file is not ours, read-only, locked, from a newer version, sealed with another
// key, or a second host has it.
func Open(ctx context.Context, config Config) (_ *Store, err error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.Wait == 0 {
		config.Wait = 5 * time.Second
	}
	path, err := locate(config.Path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, sealer: config.Sealer}
	defer func() {
		if err != nil {
			_ = s.close(ctx)
		}
	}()
	if s.lock, err = lockFile(path, config.HostID); err != nil {
		return nil, err
	}
	if err := s.examine(ctx, config.Wait); err != nil {
		return nil, err
	}
	if s.writer, err = connect(path, config.Wait, "journal_mode(wal)"); err != nil {
		return nil, err
	}
	s.writer.SetMaxOpenConns(1)
	if err := s.prepare(ctx); err != nil {
		return nil, s.opening(err)
	}
	if s.readers, err = connect(path, config.Wait, "query_only(1)"); err != nil {
		return nil, err
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	s.readers.SetMaxOpenConns(readers)
	s.readers.SetMaxIdleConns(readers)
	// One reader stays from now on: it keeps the write-ahead log and its index open
	// when the writer has to begin anew, as after a full disk.
	if err := s.Health(ctx); err != nil {
		return nil, s.opening(err)
	}
	if s.file, err = os.Stat(path); err != nil {
		return nil, s.refused(err)
	}
	return s, nil
}

// prepare brings the schema up to date and takes possession.
func (s *Store) prepare(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if err := s.install(ctx); err != nil {
		return err
	}
	// The file lock is ours: whoever held leases is gone, and need not be waited for.
	return s.write(ctx, func(tx *tx) error {
		_, err := tx.exec(`UPDATE targets SET owner = '', lease_until = 0 WHERE owner <> ''`)
		return err
	})
}

// InstallationID was made with the database.
func (s *Store) InstallationID() string { return s.id }

// Recorded implements store.Upkeep.
func (s *Store) Recorded() uint64 { return s.recorded.Load() }

// Health reads, and writes too when the last write could not be made. A file
// that was deleted or moved is no store any more, even if it can be read still.
func (s *Store) Health(ctx context.Context) error {
	if err := s.present(); err != nil {
		return s.translate(err)
	}
	if s.ailing.Load() {
		return s.write(ctx, func(tx *tx) error {
			_, err := tx.exec(`UPDATE installation SET touched = touched + 1`)
			return err
		})
	}
	return s.read(ctx, func(tx *tx) error {
		var only int
		return tx.row(`SELECT only FROM installation`).Scan(&only)
	})
}

// Close moves what the write-ahead log holds into the file and gives the file
// lock back. A second time it does nothing.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return s.close(context.Background())
}

func (s *Store) close(ctx context.Context) error {
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.writer != nil {
		if s.id != "" {
			// Closing the last connection does the same, but cannot say that it failed.
			_, err := s.writer.ExecContext(context.WithoutCancel(ctx), `PRAGMA wal_checkpoint(TRUNCATE)`)
			errs = append(errs, err)
		}
		errs = append(errs, s.writer.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.release())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close database %s: %w", s.path, err)
	}
	return nil
}

// unavailable is what opening errors have in common.
func unavailable(err error, remedy, format string, arguments ...any) error {
	return &deployment.Error{
		Code: deployment.Unavailable, Message: fmt.Sprintf(format, arguments...), Remedy: remedy, Err: err,
	}
}
