package platform

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	copiesDir    = "plugins"
	newCopy      = ".new-"
	abandonAfter = time.Hour
)

// Install verifies the plugin's binary and returns it with a private copy, made
// once per checksum. The copy is what runs: a rebuild does not disturb it.
func (c *Catalog) Install(ctx context.Context, name string) (Pin, error) {
	pin, err := c.Verify(ctx, name)
	if err != nil {
		return Pin{}, err
	}
	return c.place(ctx, pin)
}

// place returns the pin with its private copy.
func (c *Catalog) place(ctx context.Context, pin Pin) (Pin, error) {
	c.installing.Lock()
	defer c.installing.Unlock()
	pin.Path = filepath.Join(c.config.DataDir, copiesDir, pin.SHA256, pin.Plugin.Name)
	if c.intact(ctx, pin) {
		return pin, nil
	}
	if err := c.copyBinary(ctx, pin); err != nil {
		return Pin{}, err
	}
	c.verified[pin.Path] = true
	return pin, nil
}

// has says whether a private copy is still there.
func (c *Catalog) has(ctx context.Context, pin Pin) bool {
	c.installing.Lock()
	defer c.installing.Unlock()
	return c.intact(ctx, pin)
}

// intact says whether the private copy is there and is what it should be. It is
// read once per process: nobody else writes below the data directory.
func (c *Catalog) intact(ctx context.Context, pin Pin) bool {
	info, err := os.Lstat(pin.Path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o100 == 0 {
		return false
	}
	if !c.verified[pin.Path] {
		sum, err := sumFile(ctx, pin.Path)
		c.verified[pin.Path] = err == nil && sum == pin.SHA256
	}
	return c.verified[pin.Path]
}

// copyBinary copies into a directory of its own, which takes its name when the
// checksum of what was written is right.
func (c *Catalog) copyBinary(ctx context.Context, pin Pin) (err error) {
	parent := filepath.Join(c.config.DataDir, copiesDir)
	defer func() {
		if err != nil {
			err = unusable(err, "see that the data directory can be written and has space", "plugin %q: copy binary: %v", pin.Plugin.Name, err)
		}
	}()
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, newCopy)
	if err != nil {
		return err
	}
	// After the rename there is nothing of that name any more.
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sum, err := copyFile(ctx, pin.Plugin.Path, filepath.Join(dir, pin.Plugin.Name))
	if err != nil {
		return err
	}
	if sum != pin.SHA256 {
		return fmt.Errorf("%s changed while it was copied: it has sha256 %s now, pinned is %s", pin.Plugin.Path, sum, pin.SHA256)
	}
	target := filepath.Dir(pin.Path)
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	return os.Rename(dir, target)
}

func copyFile(ctx context.Context, from, to string) (sum string, err error) {
	source, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer func() { _ = source.Close() }()
	copied, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o500)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(copied, hash), contextReader{ctx, source})
	// The mode is set again because the umask may have taken from it.
	err = errors.Join(err, copied.Chmod(0o500), copied.Sync(), copied.Close())
	return hex.EncodeToString(hash.Sum(nil)), err
}

// Prune removes the private copies that none of keep uses. Only the host that
// owns the data directory may call it.
func (c *Catalog) Prune(keep ...Pin) error {
	c.installing.Lock()
	defer c.installing.Unlock()
	used := map[string]bool{}
	for _, pin := range keep {
		used[pin.SHA256] = true
	}
	parent := filepath.Join(c.config.DataDir, copiesDir)
	entries, err := os.ReadDir(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("prune plugin copies: %w", err)
	}
	var found []error
	for _, entry := range entries {
		old := sumShape.MatchString(entry.Name()) && !used[entry.Name()]
		if strings.HasPrefix(entry.Name(), newCopy) {
			info, err := entry.Info()
			old = err == nil && time.Since(info.ModTime()) > abandonAfter
		}
		if old {
			path := filepath.Join(parent, entry.Name())
			found = append(found, os.RemoveAll(path))
			for verified := range c.verified {
				if filepath.Dir(verified) == path {
					delete(c.verified, verified)
				}
			}
		}
	}
	return errors.Join(found...)
}
