package access

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// File is the name of the file in the data directory that holds the token of
// the own machine.
const File = "token"

// localName is the name of the token in that file.
const localName = "local"

// EnsureLocal makes sure that the own machine has its admin token: at first
// start one is made and written to dataDir. A file whose token the store knows
// stays, even if that token was revoked. Without a file nothing is made while an
// admin token of another name is valid: somebody took the file away on purpose.
func (a *Access) EnsureLocal(ctx context.Context, dataDir string, actor deployment.Actor) error {
	path := filepath.Join(dataDir, File)
	text, err := ReadFile(dataDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		if id, _, ok := parse(text); ok {
			_, _, err := a.store.Token(ctx, id)
			if err == nil {
				return nil
			}
			if !errors.Is(err, deployment.ErrNotFound) {
				return fmt.Errorf("look up token %q: %w", id, err)
			}
		}
	}
	tokens, err := a.Tokens(ctx)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		expired := !t.ExpiresAt.IsZero() && !a.now().Before(t.ExpiresAt)
		if t.Role == deployment.RoleAdmin && t.Name != localName && t.RevokedAt.IsZero() && !expired {
			return nil
		}
	}
	_, token, err := a.Create(ctx, localName, deployment.RoleAdmin, 0, actor)
	if err != nil {
		return err
	}
	return writeFile(path, token+"\n")
}

// ReadFile returns the token in the file of dataDir. The error is
// fs.ErrNotExist where there is none; a file that others may read is refused,
// for whoever read it may have copied it.
func ReadFile(dataDir string) (string, error) {
	path := filepath.Join(dataDir, File)
	info, err := os.Stat(path)
	if err != nil {
		return "", cannotRead(path, err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", &deployment.Error{
			Code:    deployment.Forbidden,
			Message: fmt.Sprintf("token file %q can be read by others (mode %04o)", path, mode),
			Remedy:  "chmod 600 " + path,
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", cannotRead(path, err)
	}
	return strings.TrimSpace(string(content)), nil
}

// cannotRead tells a file that belongs to somebody else from one that is not there.
func cannotRead(path string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("read token file %q: %w", path, err)
	}
	return &deployment.Error{
		Code: deployment.Forbidden, Err: err,
		Message: fmt.Sprintf("token file %q cannot be read: permission denied", path),
		Remedy:  "run apm as the user that it belongs to; a command can name another token with --token or APM_TOKEN",
	}
}

// writeFile replaces the file whole, so that no reader sees half a token.
func writeFile(path, content string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".token-*")
	if err != nil {
		return fmt.Errorf("write token file %q: %w", path, err)
	}
	_, err = f.WriteString(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write token file %q: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
