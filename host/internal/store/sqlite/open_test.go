package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/store/sqlite"
)

// refused wants Open to fail with an error that names the file and says the rest.
func refused(t *testing.T, c sqlite.Config, code deployment.ErrorCode, says ...string) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), c)
	if err == nil {
		_ = s.Close()
		t.Fatal("it was opened")
	}
	if got := deployment.CodeOf(err); got != code {
		t.Errorf("code %q of %v, want %q", got, err, code)
	}
	for _, part := range append(says, c.Path) {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	var known *deployment.Error
	if !errors.As(err, &known) || known.Remedy == "" {
		t.Errorf("%q has no remedy", err)
	}
}

func TestOpenRefusesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, directory string){
		"text": func(t *testing.T, directory string) {
			if err := os.WriteFile(filepath.Join(directory, "apm.db"), []byte("a letter to a friend, long enough"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"a few bytes": func(t *testing.T, directory string) {
			if err := os.WriteFile(filepath.Join(directory, "apm.db"), []byte("SQL"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"tables of another program": func(t *testing.T, directory string) {
			run(t, raw(t, directory), `CREATE TABLE recipes (name TEXT)`)
		},
		"id of another program": func(t *testing.T, directory string) {
			run(t, raw(t, directory), `PRAGMA application_id = 4711`)
		},
		"another program's, in WAL mode": func(t *testing.T, directory string) {
			run(t, raw(t, directory), `PRAGMA journal_mode = wal`, `CREATE TABLE recipes (name TEXT)`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			prepare(t, directory)
			before, err := os.ReadFile(filepath.Join(directory, "apm.db"))
			if err != nil {
				t.Fatal(err)
			}
			refused(t, elsewhere(t, directory), deployment.Invalid, "not one of apm", "another data directory")
			after, err := os.ReadFile(filepath.Join(directory, "apm.db"))
			if err != nil || !bytes.Equal(before, after) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

func TestOpenRefusesNewerSchema(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	c := config(t, directory)
	if err := open(t, c).Close(); err != nil {
		t.Fatal(err)
	}
	run(t, raw(t, directory), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
	refused(t, c, deployment.Unavailable, "version 99", "newer apm")
}

func TestOpenRefusesOtherTables(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"no schema version": `DROP TABLE goose_db_version`,
		"a table less":      `DROP TABLE targets`,
		"a table changed":   `ALTER TABLE installation RENAME COLUMN seal TO label`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			c := config(t, directory)
			if err := open(t, c).Close(); err != nil {
				t.Fatal(err)
			}
			run(t, raw(t, directory), `PRAGMA foreign_keys = 0`, statement)
			refused(t, c, deployment.Unavailable, "tables of apm", "restore a backup")
		})
	}
}

func TestOpenRefusesAnotherKey(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	if err := open(t, config(t, directory)).Close(); err != nil {
		t.Fatal(err)
	}
	refused(t, elsewhere(t, directory), deployment.Unavailable, "another key", "seal.key")
}

func TestOpenRefusesWhatIsLocked(t *testing.T) {
	t.Parallel()
	for name, statements := range map[string][]string{
		"by a writer":                {`BEGIN IMMEDIATE`},
		"for readers too":            {`PRAGMA locking_mode = exclusive`, `BEGIN IMMEDIATE`},
		"in the mode that it is not": {`PRAGMA journal_mode = delete`, `BEGIN EXCLUSIVE`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			c := config(t, directory)
			if err := open(t, c).Close(); err != nil {
				t.Fatal(err)
			}
			other := raw(t, directory)
			run(t, other, statements...)
			c.Wait = 20 * time.Millisecond
			refused(t, c, deployment.Unavailable, "locked by another process", "end the program")
			if err := other.Close(); err != nil {
				t.Fatal(err)
			}
			open(t, c)
		})
	}
}

func TestOpenRefusesSecondHost(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	c := config(t, directory)
	s := open(t, c)
	pid := fmt.Sprintf("pid %d", os.Getpid())
	refused(t, c, deployment.Unavailable, "in use by", pid, "host-a")

	// By another way it is the same file.
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(c.Path, link); err != nil {
		t.Fatal(err)
	}
	linked := c
	linked.Path = link
	if s, err := sqlite.Open(t.Context(), linked); err == nil || !strings.Contains(err.Error(), pid) {
		t.Fatalf("opened by a link: %v, %v", s, err)
	}
	if _, _, err := s.Audit(t.Context(), "", 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, c)
}

func TestOpenRefusesReadOnly(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, directory os.FileMode // 0: there is no file
	}{
		"file":                       {0o444, 0o777},
		"directory":                  {0o666, 0o555},
		"directory without database": {0, 0o555},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, err := os.MkdirTemp("", "apm-read-only") //nolint:usetesting // t.TempDir lies where nobody may look
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = os.Chmod(filepath.Join(base, "data"), 0o700)
				if err := os.RemoveAll(base); err != nil {
					t.Error(err)
				}
			})
			directory := filepath.Join(base, "data")
			path := filepath.Join(directory, "apm.db")
			err = errors.Join(os.Chmod(base, 0o755), os.Mkdir(directory, 0o777), os.Chmod(directory, 0o777))
			if err != nil {
				t.Fatal(err)
			}
			if test.file != 0 {
				s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Sealer: plain{}})
				if err != nil {
					t.Fatal(err)
				}
				// Whoever opened it before may have been somebody else.
				err = errors.Join(s.Close(), os.Remove(path+".lock"), os.Chmod(path, test.file))
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(directory, test.directory); err != nil {
				t.Fatal(err)
			}
			command, stderr := process(t.Context(), t, "open", directory)
			asNobody(t, command, base)
			if err := command.Run(); err == nil {
				t.Fatal("it was opened")
			}
			for _, part := range []string{path, "cannot be opened for writing", "permission denied", "give the user that runs apm"} {
				if !strings.Contains(stderr.String(), part) {
					t.Errorf("%q does not say %q", stderr, part)
				}
			}
		})
	}
}

// openOnly is a process that opens the database and says why it could not.
func openOnly(directory string, _ io.Writer) error {
	s, err := sqlite.Open(context.Background(), sqlite.Config{Path: filepath.Join(directory, "apm.db"), Sealer: plain{}})
	if err != nil {
		return err
	}
	return s.Close()
}

func TestOpenRefusesMissingDirectory(t *testing.T) {
	t.Parallel()
	c := config(t, t.TempDir())
	c.Path = filepath.Join(t.TempDir(), "gone", "apm.db")
	refused(t, c, deployment.Unavailable, "make the directory")
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]sqlite.Config{
		"no path": {Sealer: plain{}}, "no sealer": {Path: filepath.Join(t.TempDir(), "apm.db")},
	} {
		if s, err := sqlite.Open(t.Context(), c); err == nil {
			_ = s.Close()
			t.Errorf("%s: it was opened", name)
		}
	}
}

func TestOpenAndCloseRepeatedly(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	c := config(t, directory)
	installation := ""
	for i := range 10 {
		s := open(t, c)
		if installation == "" {
			installation = s.InstallationID()
		}
		if s.InstallationID() != installation {
			t.Fatalf("installation %s has become %s", installation, s.InstallationID())
		}
		accept(t, s, fmt.Sprintf("d%d", i))
		page, err := s.List(t.Context(), deployment.Filter{})
		if err != nil || len(page.Deployments) != i+1 {
			t.Fatalf("%d deployments, %v; want %d", len(page.Deployments), err, i+1)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(c.Path + "-wal"); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("a closed database has a write-ahead log: %v", err)
		}
	}
	info, err := os.Stat(c.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode of the database %v, %v; want 0600", info.Mode(), err)
	}
}

// The file lock is held, so whoever held leases has died: the next one does not
// wait for them, and its epochs are higher.
func TestOpenFreesLeases(t *testing.T) {
	t.Parallel()
	c := config(t, t.TempDir())
	s := open(t, c)
	d, old := accept(t, s, "d1")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, c)
	leases, err := s.Claim(t.Context(), "host-b", time.Hour)
	if err != nil || len(leases) != 1 || leases[0].Epoch <= old.Epoch {
		t.Fatalf("leases %v, %v; want one with an epoch above %d", leases, err, old.Epoch)
	}
	if err := s.Commit(t.Context(), next(d, old)); !errors.Is(err, deployment.ErrStaleEpoch) {
		t.Fatalf("the old owner: %v", err)
	}
}

// An installation whose making was cut short is made anew.
func TestOpenGoesOnWithWhatWasBegun(t *testing.T) {
	t.Parallel()
	for name, statements := range map[string][]string{
		"an empty database": {`PRAGMA journal_mode = wal`, `VACUUM`},
		"ours, but no more": {`PRAGMA journal_mode = wal`, `PRAGMA application_id = 0x41504d64`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			run(t, raw(t, directory), statements...)
			s := open(t, elsewhere(t, directory))
			accept(t, s, "d1")
		})
	}
}

// A database that was deleted or moved away takes nothing more: whoever was told
// that it is stored would not find it after a restart. Put back, it goes on.
func TestMovedDatabaseTakesNothing(t *testing.T) {
	t.Parallel()
	c := config(t, t.TempDir())
	s, path := open(t, c), c.Path
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Health(t.Context()); !errors.Is(err, deployment.ErrUnavailable) || !strings.Contains(err.Error(), path) {
			t.Fatalf("health without a file: %v", err)
		}
		if err := s.Accept(t.Context(), build(shop, "d1")); !errors.Is(err, deployment.ErrUnavailable) {
			t.Fatalf("accepted without a file: %v", err)
		}
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if err := s.Accept(t.Context(), build(shop, "d1")); err != nil {
		t.Errorf("accept after it was put back: %v", err)
	}
	if err := s.Health(t.Context()); err != nil {
		t.Errorf("health after it was put back: %v", err)
	}
}
