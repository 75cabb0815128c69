package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// maxSocketPath is the longest path of a Unix socket on every system.
const maxSocketPath = 103

// SocketPath returns a short private path for the socket of the component in
// dir, and makes its directory. Whoever else could have made that directory is
// refused: another one is taken.
func SocketPath(dir string) (string, error) {
	sum := sha256.Sum256([]byte(dir))
	name := hex.EncodeToString(sum[:10])
	own := "apm-process-" + strconv.Itoa(os.Geteuid())
	var problem error
	for _, base := range []string{os.TempDir(), "/tmp"} {
		path := filepath.Join(base, own, name)
		if len(path) > maxSocketPath {
			problem = errors.Join(problem, fmt.Errorf("socket path %q is longer than %d bytes", path, maxSocketPath))
			continue
		}
		if err := makePrivate(filepath.Dir(path)); err != nil {
			problem = errors.Join(problem, err)
			continue
		}
		return path, nil
	}
	base, err := os.MkdirTemp("/tmp", "apm-process-")
	if err != nil {
		return "", errors.Join(problem, err)
	}
	return filepath.Join(base, name), nil
}

func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make socket directory: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("make socket directory: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != os.Geteuid() || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("socket directory %q is not private to this user", dir)
	}
	return nil
}

// Listen opens the socket at path. The caller holds the component's lock, so
// that a file that lies there belongs to nobody any more.
func Listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	return listener, nil
}
