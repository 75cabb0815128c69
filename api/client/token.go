package client

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// TokenFile is the name of the file in the host's data directory that holds the
// token of its machine.
const TokenFile = "token"

// PermissionError says that the token file can be read by others.
type PermissionError struct {
	Path string
	Mode os.FileMode
}

// Error names the file and the remedy.
func (e *PermissionError) Error() string {
	return fmt.Sprintf("token file %q can be read by others (mode %04o); chmod 600 %s", e.Path, e.Mode, e.Path)
}

// TokenFromFile reads the token of this machine's host from its data directory.
// The error is fs.ErrNotExist where there is none, and a *PermissionError where
// others may read it.
func TokenFromFile(dataDir string) (string, error) {
	path := filepath.Join(dataDir, TokenFile)
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read token file %q: %w", path, err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", &PermissionError{Path: path, Mode: mode}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read token file %q: %w", path, err)
	}
	return strings.TrimSpace(string(content)), nil
}
