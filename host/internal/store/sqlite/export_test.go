package sqlite

import (
	"context"
	"database/sql"
)

// Settings returns a pragma of the writing connection and of a reading one.
func (s *Store) Settings(ctx context.Context, pragma string) (writer, reader string, err error) {
	ask := func(db *sql.DB) (value string) {
		if err == nil {
			err = db.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&value)
		}
		return value
	}
	return ask(s.writer), ask(s.readers), err
}
