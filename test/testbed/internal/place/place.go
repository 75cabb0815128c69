// Package place says where the testbed keeps what it needs: the checkout it
// belongs to, the cache of what takes long to build, and the directory of a
// running node. It makes nothing and never guesses by process name.
package place

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The environment variables that move things elsewhere.
const (
	CacheVariable     = "APM_TESTBED_CACHE"
	DirectoryVariable = "APM_TESTBED_DIR"
)

// Machine is where the locks are that all testbeds of a machine share.
const Machine = "/run/lock/apm-testbed"

// Repository returns the root of the checkout that dir lies in: the nearest
// directory above it with a go.work.
func Repository(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.work")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("directory %q is in no checkout of APM: no go.work above it", dir)
		}
	}
}

// Cache returns the directory for what is built once for all checkouts:
// $APM_TESTBED_CACHE, else apm-testbed in the user's cache directory.
func Cache() (string, error) {
	if dir := os.Getenv(CacheVariable); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache directory: %w; name one in %s", err, CacheVariable)
	}
	return filepath.Join(dir, "apm-testbed"), nil
}

// Directory returns the state directory of the node that belongs to a checkout:
// $APM_TESTBED_DIR, else one below the system's temporary directory that has the
// user and the checkout in its name.
func Directory(repository string) (string, error) {
	dir := os.Getenv(DirectoryVariable)
	if dir == "" {
		sum := sha256.Sum256([]byte(repository))
		dir = filepath.Join(os.TempDir(), "apm-testbed-"+strconv.Itoa(os.Getuid())+"-"+hex.EncodeToString(sum[:4]))
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return dir, check(dir)
}

// covered are directories that the node covers with its own, inside its own
// mount namespace: a state directory below one would vanish there.
var covered = []string{"/run", "/var/run", "/var/lib", "/var/log", "/proc", "/sys", "/dev"}

// ErrDirectory tells of a state directory that cannot be used.
var ErrDirectory = errors.New("state directory of the testbed cannot be used")

func check(dir string) error {
	if strings.ContainsAny(dir, " \t\n\\\"'") {
		return fmt.Errorf("%w: %q has a blank, a quote or a backslash; name another one in %s", ErrDirectory, dir, DirectoryVariable)
	}
	for _, above := range covered {
		if dir == above || strings.HasPrefix(dir, above+"/") {
			return fmt.Errorf("%w: %q is below %s, which the node covers; name another one in %s", ErrDirectory, dir, above, DirectoryVariable)
		}
	}
	// A socket's address has room for 107 bytes.
	if len(dir) > 80 {
		return fmt.Errorf("%w: %q has %d characters, 80 are possible; name another one in %s", ErrDirectory, dir, len(dir), DirectoryVariable)
	}
	return nil
}
