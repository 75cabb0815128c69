package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// tx is a transaction. Its statements run to their end: only the wait for the
// connection and the lock heeds the caller's context, so that no transaction is
// cut in its middle.
type tx struct {
	ctx        context.Context
	connection *sql.Conn
	recorded   uint64 // events that were appended
}

func (t *tx) exec(query string, arguments ...any) (sql.Result, error) {
	return t.connection.ExecContext(t.ctx, query, arguments...)
}

func (t *tx) row(query string, arguments ...any) only {
	return only{t.connection.QueryRowContext(t.ctx, query, arguments...)}
}

// only is a row that must be there.
type only struct{ row *sql.Row }

// Scan returns deployment.ErrNotFound where there is none.
func (o only) Scan(into ...any) error {
	err := o.row.Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return deployment.ErrNotFound
	}
	return err
}

// rows calls each for every row.
func (t *tx) rows(each func(scan func(...any) error) error, query string, arguments ...any) error {
	rows, err := t.connection.QueryContext(t.ctx, query, arguments...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// strings returns the only column of all rows.
func (t *tx) strings(query string, arguments ...any) ([]string, error) {
	var all []string
	err := t.rows(func(scan func(...any) error) error {
		var one string
		if err := scan(&one); err != nil {
			return err
		}
		all = append(all, one)
		return nil
	}, query, arguments...)
	return all, err
}

// write runs do in an immediate transaction of the one writing connection.
func (s *Store) write(ctx context.Context, do func(*tx) error) error {
	err := s.present()
	if err == nil {
		err = s.transact(ctx, s.writer, "BEGIN IMMEDIATE", do)
	}
	s.ailing.Store(lost(err))
	return s.translate(err)
}

// read runs do on one state of the database.
func (s *Store) read(ctx context.Context, do func(*tx) error) error {
	return s.translate(s.transact(ctx, s.readers, "BEGIN", do))
}

func (s *Store) transact(ctx context.Context, db *sql.DB, begin string, do func(*tx) error) (err error) {
	connection, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer connection.Close()
	if _, err := connection.ExecContext(ctx, begin); err != nil {
		// Whether it took effect is not known when the context ended it.
		discard(connection)
		return fmt.Errorf("begin: %w", err)
	}
	t := &tx{ctx: context.WithoutCancel(ctx), connection: connection}
	done := false
	defer func() {
		if done {
			return
		}
		// SQLite may have rolled back by itself; after an error that leaves this open
		// (or a panic of do) a connection whose state is not known is of no use.
		if _, failed := t.exec("ROLLBACK"); failed != nil {
			discard(connection)
		}
	}()
	if err := do(t); err != nil {
		return err
	}
	if _, err := t.exec("COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	done = true
	s.recorded.Add(t.recorded)
	return nil
}

// discard has the pool make a new connection instead of this one.
func discard(connection *sql.Conn) {
	_ = connection.Raw(func(any) error { return driver.ErrBadConn })
}
