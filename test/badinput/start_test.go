package badinput_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

// files returns what lies below a directory: type, mode and content of each
// file, but of those whose names end in one of the words.
func files(t *testing.T, dir string, but ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		for _, word := range but {
			if strings.HasSuffix(path, word) {
				if entry.IsDir() {
					return filepath.SkipDir
				}
				return nil
			}
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		found[name] = info.Mode().String()
		switch large := info.Size() > 1<<20; {
		case !info.Mode().IsRegular():
		case large: // a program: to read it takes long
			found[name] += fmt.Sprintf(" %d bytes, %s", info.Size(), info.ModTime())
		default:
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			found[name] += fmt.Sprintf(" %x", sha256.Sum256(content))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// differ fails the test for each file that is another than before.
func differ(t *testing.T, before, after map[string]string) {
	t.Helper()
	for name, was := range before {
		if after[name] != was {
			t.Errorf("%s was changed: %q, now %q", name, was, after[name])
		}
	}
	for name := range after {
		if before[name] == "" {
			t.Errorf("%s was made", name)
		}
	}
}

// used returns an installation that has run and was stopped, and the directory
// that each case gets a copy of.
func used(t *testing.T) *harness.Host {
	t.Helper()
	h := harness.Started(t)
	h.Stop()
	return h
}

// copyData copies the data directory, but for what hosts leave there while they run.
func copyData(t *testing.T, h *harness.Host, name string) string {
	t.Helper()
	to := h.Path("data-" + name)
	if err := os.CopyFS(to, os.DirFS(h.Data)); err != nil {
		t.Fatal(err)
	}
	for _, one := range []string{"seal.key", "token"} { // CopyFS leaves them open to others
		if err := os.Chmod(filepath.Join(to, one), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// gone removes a file or directory that a case has made.
func gone(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Error(err)
	}
}

// TestDataDirectory starts hosts on data directories that cannot be used.
func TestDataDirectory(t *testing.T) {
	t.Parallel()
	h := used(t)
	database := func(dir string) string { return filepath.Join(dir, "apm.db") }
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string)
		told
		code int
	}{
		"a letter": {
			func(t *testing.T, dir string) { write(t, database(dir), "a letter to a friend, long enough") },
			told{"DIR/apm.db", "it is no SQLite database", "move the file away; it was left as it is"},
			1,
		},
		"noise": {
			func(t *testing.T, dir string) { write(t, database(dir), strings.Repeat("\x9c\x1b[2J\x00", 4096)) },
			told{"DIR/apm.db", "it is no SQLite database", "move the file away; it was left as it is"},
			1,
		},
		"tables of another program": {
			func(t *testing.T, dir string) {
				if err := os.Remove(database(dir)); err != nil {
					t.Fatal(err)
				}
				execute(t, database(dir), `CREATE TABLE recipes (name TEXT)`)
			},
			told{"DIR/apm.db", "is not one of apm", "name another data directory"},
			1,
		},
		"newer schema": {
			func(t *testing.T, dir string) {
				execute(t, database(dir), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
			},
			told{"DIR/apm.db", "has schema version 9999, this apm knows versions up to", "use the newer apm that wrote it"},
			1,
		},
		"cut off": {
			func(t *testing.T, dir string) {
				if err := os.Truncate(database(dir), 20_000); err != nil {
					t.Fatal(err)
				}
			},
			told{"DIR/apm.db", "is damaged", "restore a backup"},
			1,
		},
		"a table lost": {
			func(t *testing.T, dir string) { execute(t, database(dir), `DROP TABLE goose_db_version`) },
			told{"DIR/apm.db", "does not have the tables of apm", "restore a backup"},
			1,
		},
		"a directory": {
			func(t *testing.T, dir string) {
				if err := os.Remove(database(dir)); err != nil {
					t.Fatal(err)
				}
				if err := os.Mkdir(database(dir), 0o700); err != nil {
					t.Fatal(err)
				}
			},
			told{"DIR/apm.db", "is a directory", "name another data directory"},
			1,
		},
		"no key": {
			func(t *testing.T, dir string) {
				if err := os.Remove(filepath.Join(dir, "seal.key")); err != nil {
					t.Fatal(err)
				}
			},
			told{"DIR/seal.key", "is missing, but there is a database that was sealed with it", "put back the seal.key"},
			1,
		},
		"a damaged key": {
			func(t *testing.T, dir string) { write(t, filepath.Join(dir, "seal.key"), "\x1bnot a key") },
			told{"DIR/seal.key", "is damaged", "restore it from a backup"},
			1,
		},
		"a key that others can read": {
			func(t *testing.T, dir string) {
				if err := os.Chmod(filepath.Join(dir, "seal.key"), 0o644); err != nil {
					t.Fatal(err)
				}
			},
			told{"DIR/seal.key", "is open to others (mode 0644)", "chmod 600 DIR/seal.key"},
			1,
		},
		"a token that others can read": {
			func(t *testing.T, dir string) {
				if err := os.Chmod(filepath.Join(dir, "token"), 0o644); err != nil {
					t.Fatal(err)
				}
			},
			told{"DIR/token", "can be read by others (mode 0644)", "chmod 600 DIR/token"},
			4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyData(t, h, strings.ReplaceAll(name, " ", "-"))
			c.spoil(t, dir)
			before := files(t, dir, ".lock", "-shm", "-wal")
			r := h.CLI("serve", "--data-dir", dir)
			for _, part := range []*string{&c.where, &c.todo} {
				*part = strings.ReplaceAll(*part, "DIR", dir)
			}
			refused(t, r, c.code, told{c.where, c.wrong, c.todo})
			differ(t, before, files(t, dir, ".lock", "-shm", "-wal"))
		})
	}
}

// TestDatabaseLocked starts a host while another program has the database locked.
func TestDatabaseLocked(t *testing.T) {
	t.Parallel()
	h := used(t)
	path := filepath.Join(h.Data, "apm.db")
	db := open(t, path)
	for _, statement := range []string{"PRAGMA locking_mode = exclusive", "BEGIN IMMEDIATE"} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, h.CLI("serve"), 1, told{path, "is locked by another process", "end the program that has it locked"})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	h.Start() // and it is as good as before
}

// TestDataDirectoryNowhere names places where no directory can be.
func TestDataDirectoryNowhere(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	h.Write("file", "")
	for name, c := range map[string]struct {
		dir string
		told
	}{
		"below a file":   {h.Path("file/data"), told{h.Path("file/data"), "not a directory", "name another in config.hcl or with --data-dir"}},
		"a file":         {h.Path("file"), told{h.Path("file"), "not a directory", "name another in config.hcl or with --data-dir"}},
		"not to be made": {"/proc/apm", told{"/proc/apm", "no such file or directory", "name another in config.hcl or with --data-dir"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, h.CLI("serve", "--data-dir", c.dir), 1, told{c.where, c.wrong, c.todo})
			h.EditConfig(fmt.Sprintf("%q", h.Data), fmt.Sprintf("%q", c.dir))
			refused(t, h.CLI("serve"), 1, told{c.where, c.wrong, c.todo})
			h.EditConfig(fmt.Sprintf("%q", c.dir), fmt.Sprintf("%q", h.Data))
		})
	}
}
