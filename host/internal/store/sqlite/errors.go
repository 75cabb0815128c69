package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Primary result codes of SQLite, https://sqlite.org/rescode.html.
const (
	codeError        = 1
	codePerm         = 3
	codeBusy         = 5
	codeLocked       = 6
	codeNoMemory     = 7
	codeReadOnly     = 8
	codeIO           = 10
	codeCorrupt      = 11
	codeFull         = 13
	codeCantOpen     = 14
	codeProtocol     = 15
	codeNotADatabase = 26
)

// primary returns SQLite's primary result code, 0 for an error of another kind.
func primary(err error) int {
	var coded interface{ Code() int }
	if !errors.As(err, &coded) {
		return 0
	}
	return coded.Code() & 0xff
}

// errMoved: what would be written now is found by nobody later.
var errMoved = errors.New("the file that was opened does not lie there any more; put it back, or start the host again")

// present says whether the path still leads to the file that was opened: an open
// file can be written long after it was deleted.
func (s *Store) present() error {
	if s.file == nil {
		return nil
	}
	if found, err := os.Stat(s.path); err != nil || !os.SameFile(s.file, found) {
		return errMoved
	}
	return nil
}

// translate adds the errors of package deployment to those of the driver.
func (s *Store) translate(err error) error {
	if err == nil {
		return nil
	}
	// Whoever gave a deadline waited for the store in vain.
	if lost(err) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("database %s: %w: %w", s.path, deployment.ErrUnavailable, err)
	}
	return err
}

// lost says that the store could not be used, rather than that it was misused.
func lost(err error) bool {
	switch primary(err) {
	case codePerm, codeBusy, codeLocked, codeNoMemory, codeReadOnly, codeIO, codeFull, codeCantOpen, codeProtocol:
		return true
	default:
		return errors.Is(err, sql.ErrConnDone) || errors.Is(err, errMoved)
	}
}
