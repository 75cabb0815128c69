package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// magic begins every SQLite database.
var magic = []byte("SQLite format 3\x00")

// Exists says whether there is a database to be opened, rather than made.
func Exists(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for database: %w", err)
	}
	return info.Size() > 0, nil
}

// locate returns the path by which everybody knows the file: two ways to it must
// end at one lock.
func locate(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("locate database %q: %w", path, err)
	}
	if resolved, err := filepath.EvalSymlinks(absolute); err == nil {
		return resolved, nil
	}
	directory, err := filepath.EvalSymlinks(filepath.Dir(absolute))
	if err != nil {
		return "", unavailable(err, "make the directory, or name another in config.hcl",
			"database %s: its directory cannot be opened", absolute)
	}
	return filepath.Join(directory, filepath.Base(absolute)), nil
}

// examine looks at the file before anything is written to it, so that what is
// not ours stays as it is.
func (s *Store) examine(ctx context.Context, wait time.Duration) error {
	file, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return s.refused(err)
	}
	head := make([]byte, len(magic))
	n, err := io.ReadFull(file, head)
	if closed := file.Close(); err == nil {
		err = closed
	}
	switch {
	case errors.Is(err, io.EOF): // nothing in it yet
		return nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return s.refused(err)
	case !bytes.Equal(head[:n], magic):
		return s.foreign("it is no SQLite database")
	}

	db, err := connect(s.path, wait, "query_only(1)")
	if err != nil {
		return err
	}
	defer db.Close()
	var id, tables, versions int64
	if err := db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&id); err != nil {
		return s.opening(err)
	}
	const count = `SELECT count(*), count(*) FILTER (WHERE name = 'goose_db_version') FROM sqlite_schema`
	if err := db.QueryRowContext(ctx, count).Scan(&tables, &versions); err != nil {
		return s.opening(err)
	}
	switch {
	case id == applicationID && tables > 0 && versions == 0:
		return s.mangled(nil)
	case id == applicationID, id == 0 && tables == 0:
		return nil
	}
	return s.foreign(fmt.Sprintf("it has application id %#x and %d tables and indexes", id, tables))
}

// foreign says that the file is somebody else's.
func (s *Store) foreign(why string) error {
	return &deployment.Error{
		Code:    deployment.Invalid,
		Message: fmt.Sprintf("database %s is not one of apm: %s", s.path, why),
		Remedy:  "name another data directory, or move the file away; it was left as it is",
	}
}

// mangled says that the file is ours and its tables are not as we make them.
func (s *Store) mangled(err error) error {
	return unavailable(err, "restore a backup of it",
		"database %s does not have the tables of apm: it is damaged, or was changed by hand", s.path)
}

// refused says that the file or its directory cannot be written.
func (s *Store) refused(err error) error {
	return unavailable(err, "give the user that runs apm the right to write the file and its directory, or name another data directory",
		"database %s cannot be opened for writing: %v", s.path, errors.Unwrap(err))
}

// opening puts an error of the first statements into words.
func (s *Store) opening(err error) error {
	var known *deployment.Error
	if errors.As(err, &known) {
		return err
	}
	switch primary(err) {
	case codeBusy, codeLocked:
		return unavailable(err, "end the program that has it locked (a shell, a backup), then start again",
			"database %s is locked by another process", s.path)
	case codeReadOnly, codeCantOpen, codePerm:
		return unavailable(err, "give the user that runs apm the right to write the file and its directory, or name another data directory",
			"database %s is read-only", s.path)
	case codeNotADatabase:
		return s.foreign("it is no SQLite database")
	case codeCorrupt:
		return unavailable(err, "restore a backup of it",
			"database %s is damaged", s.path)
	case codeError:
		return s.mangled(err)
	case codeFull:
		return unavailable(err, "make room on its disk, then start again",
			"database %s: the disk is full", s.path)
	}
	return fmt.Errorf("open database %s: %w", s.path, err)
}
