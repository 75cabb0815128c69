package badinput_test

import (
	"database/sql"
	"testing"

	// The driver, by the name "sqlite".
	_ "modernc.org/sqlite"
)

// execute runs statements on a database file, as another program would.
func execute(t *testing.T, path string, statements ...string) {
	t.Helper()
	db := open(t, path)
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// open opens a database file with one connection.
func open(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}
