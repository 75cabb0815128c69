package sqlite_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// No record, no change.
func TestWithoutAuditNothingIsChanged(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	s := open(t, config(t, directory))
	d, lease := accept(t, s, "d1")
	record := deployment.AuditRecord{Action: "deployment.cancel", Object: "d1"}
	token := deployment.Token{ID: "t1", Name: "ci", Role: deployment.RoleViewer}
	if err := s.CreateToken(t.Context(), token, []byte("hash"), record); err != nil {
		t.Fatal(err)
	}
	run(t, raw(t, directory), `CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no audit today'); END`)

	stored := func() []any {
		t.Helper()
		work, err := s.Work(t.Context(), shop)
		if err != nil {
			t.Fatal(err)
		}
		events, err := s.Events(t.Context(), "d1", 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := s.Tokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ids, err := s.Find(t.Context(), "", 10)
		if err != nil {
			t.Fatal(err)
		}
		return []any{work, events, tokens, ids}
	}
	before := stored()
	other := token
	other.ID = "t2"
	for name, change := range map[string]func() error{
		"accept": func() error { return s.Accept(t.Context(), build(shop, "d2")) },
		"command": func() error {
			return s.Command(t.Context(), deployment.Command{ID: "c", DeploymentID: "d1", Target: shop}, record)
		},
		"commit": func() error { return s.Commit(t.Context(), next(d, lease)) },
		"token":  func() error { return s.CreateToken(t.Context(), other, []byte("hash"), record) },
		"revoke": func() error { return s.RevokeToken(t.Context(), "t1", time.Now(), record) },
		"record": func() error { return s.Record(t.Context(), record) },
	} {
		if err := change(); err == nil {
			t.Errorf("%s: changed without a record", name)
		}
		if diff := cmp.Diff(before, stored()); diff != "" {
			t.Errorf("%s: (-before +after)\n%s", name, diff)
		}
	}
}

// What a killed process cannot show: that commits outlive the machine.
func TestConnectionsAreSet(t *testing.T) {
	t.Parallel()
	s := open(t, config(t, t.TempDir()))
	for pragma, want := range map[string]struct{ writer, reader string }{
		"journal_mode": {"wal", "wal"}, "synchronous": {"2", "2"}, "foreign_keys": {"1", "1"},
		"busy_timeout": {"5000", "5000"}, "query_only": {"0", "1"}, "application_id": {"1095781732", "1095781732"},
	} {
		writer, reader, err := s.Settings(t.Context(), pragma)
		if err != nil || writer != want.writer || reader != want.reader {
			t.Errorf("%s is %s and %s, %v; want %s and %s", pragma, writer, reader, err, want.writer, want.reader)
		}
	}
}

func TestDatabaseKeepsItsRules(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	s := open(t, config(t, directory))
	accept(t, s, "d1")
	db := raw(t, directory)
	for name, statement := range map[string]string{
		"an epoch falls":             `UPDATE targets SET epoch = epoch - 1`,
		"an audit record is changed": `UPDATE audit SET reason = 'another'`,
		"an audit record is deleted": `DELETE FROM audit`,
		"a seq is there twice":       `INSERT INTO events (deployment_id, seq, type, time, data) VALUES ('d1', 1, 'x', 0, '{}')`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// While somebody else has the database locked, writes are unavailable, reads go
// on, and afterwards all is as before.
func TestLockedForAWhile(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	c := config(t, directory)
	c.Wait = 20 * time.Millisecond
	s := open(t, c)
	d, lease := accept(t, s, "d1")
	db := raw(t, directory)
	run(t, db, `BEGIN IMMEDIATE`)
	change := next(d, lease)
	if err := s.Commit(t.Context(), change); !errors.Is(err, deployment.ErrUnavailable) {
		t.Fatalf("Commit: %v", err)
	}
	if err := s.Health(t.Context()); !errors.Is(err, deployment.ErrUnavailable) {
		t.Fatalf("Health: %v", err)
	}
	if _, err := s.Deployment(t.Context(), "d1"); err != nil {
		t.Fatal(err)
	}
	run(t, db, `ROLLBACK`)
	if err := s.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if err := s.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A caller that gives up waits no longer, and leaves the store as it was.
func TestCallerGivesUp(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	s := open(t, config(t, directory))
	d, lease := accept(t, s, "d1")
	db := raw(t, directory)
	run(t, db, `BEGIN IMMEDIATE`)
	change := next(d, lease)
	late, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Commit(late, change); !errors.Is(err, deployment.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Commit with a deadline: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Commit(gone, change); !errors.Is(err, context.Canceled) || errors.Is(err, deployment.ErrUnavailable) {
		t.Fatalf("Commit cancelled: %v", err)
	}
	run(t, db, `ROLLBACK`)
	if err := s.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
}
