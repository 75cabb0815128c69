// Package artifact keeps the files of releases: a directory or an archive is
// checksummed and unpacked beside the others, under its digest, and never
// changed again. What it is given may be hostile: nothing in an artifact can
// make it write outside of its own directory.
package artifact

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/state"
)

// Missing stands for the digest of files that are gone.
const Missing = "missing"

// ErrGone is matched where an artifact is not in the store any more.
var ErrGone = errors.New("artifact is gone")

// InvalidError says what is wrong with an artifact itself.
type InvalidError struct {
	Entry  string // the name within the artifact; "" for the whole
	Reason string
}

// Error names the entry and what is wrong with it.
func (e *InvalidError) Error() string {
	if e.Entry == "" {
		return e.Reason
	}
	return fmt.Sprintf("entry %q %s", e.Entry, e.Reason)
}

func invalid(entry, format string, args ...any) error {
	return &InvalidError{Entry: entry, Reason: fmt.Sprintf(format, args...)}
}

// Names within a stored artifact.
const (
	filesName    = "files"
	manifestName = "manifest.json"
	claimsName   = "claims"
)

// Store is the artifacts of one installation.
type Store struct{ Dir string }

// Files returns the directory of an artifact's files.
func (s Store) Files(digest string) string { return filepath.Join(s.Dir, digest, filesName) }

// Manifest returns what an artifact consists of, or ErrGone.
func (s Store) Manifest(digest string) (Manifest, error) {
	var m Manifest
	data, err := os.ReadFile(filepath.Join(s.Dir, digest, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%w: sha256:%s", ErrGone, digest)
	}
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return m, fmt.Errorf("read manifest of artifact %q: %w", digest, err)
	}
	return m, nil
}

// Observe returns the digest of an artifact's files as they are now, and which
// of them were changed since they were unpacked.
func (s Store) Observe(digest string, o *Observer) (files string, changed []string, err error) {
	want, err := s.Manifest(digest)
	if err != nil {
		return "", nil, err
	}
	got, changed, err := o.Tree(s.Files(digest), want)
	return got.Digest(), changed, err
}

// Add puts the directory or archive at source into the store and returns the
// name of its copy there and the digest of its files. The name is the digest of
// source; where that copy was changed meanwhile it stays as it is, since something
// may run from it, and another one gets a number behind the digest. The claim
// keeps it from being pruned until its component takes it. Mistakes in the
// artifact are an [*InvalidError].
func (s Store) Add(ctx context.Context, source, claim string) (name, files string, err error) {
	if err := os.MkdirAll(s.Dir, 0o711); err != nil {
		return "", "", fmt.Errorf("make artifact directory: %w", err)
	}
	temp, err := os.MkdirTemp(s.Dir, ".incoming-*")
	if err != nil {
		return "", "", fmt.Errorf("make artifact directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	digest, err := load(ctx, source, temp, func(digest string) bool {
		_, there := s.copyOf(digest)
		return there
	})
	if err != nil {
		return "", "", err
	}
	lock, err := state.WaitLock(s.Dir)
	if err != nil {
		return "", "", err
	}
	defer lock.Unlock()
	name, there := s.copyOf(digest)
	var m Manifest
	if there {
		m, err = s.Manifest(name)
	} else {
		m, err = place(ctx, temp, s.Dir, name)
	}
	if err != nil {
		return "", "", err
	}
	return name, m.Digest(), s.claim(name, claim)
}

// copyOf returns the name of the intact copy of an artifact, or the name that
// another copy gets.
func (s Store) copyOf(digest string) (name string, there bool) {
	for name, n := digest, 2; ; n++ {
		if s.intact(name) {
			return name, true
		}
		if _, err := os.Lstat(filepath.Join(s.Dir, name)); err != nil {
			return name, false
		}
		name = fmt.Sprintf("%s-%d", digest, n)
	}
}

// place moves what was unpacked in temp to its final name, which is free.
func place(ctx context.Context, temp, dir, name string) (Manifest, error) {
	m, err := scan(ctx, filepath.Join(temp, filesName))
	if err != nil {
		return m, err
	}
	data, err := json.Marshal(m)
	if err == nil {
		err = os.WriteFile(filepath.Join(temp, manifestName), data, 0o644)
	}
	if err == nil {
		err = os.Mkdir(filepath.Join(temp, claimsName), 0o755)
	}
	if err == nil {
		err = os.Chmod(temp, 0o755)
	}
	if err != nil {
		return m, fmt.Errorf("store artifact: %w", err)
	}
	if err := os.Rename(temp, filepath.Join(dir, name)); err != nil {
		return m, fmt.Errorf("store artifact: %w", err)
	}
	return m, nil
}

func (s Store) intact(digest string) bool {
	_, changed, err := s.Observe(digest, &Observer{})
	return err == nil && len(changed) == 0
}

func (s Store) claim(name, claim string) error {
	file := filepath.Join(s.Dir, name, claimsName, claim)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return fmt.Errorf("claim artifact: %w", err)
	}
	now := time.Now()
	return os.Chtimes(file, now, now)
}

// Release takes back the claim that Add made.
func (s Store) Release(digest, claim string) {
	_ = os.Remove(filepath.Join(s.Dir, digest, claimsName, claim)) // an old claim lapses by itself
}
