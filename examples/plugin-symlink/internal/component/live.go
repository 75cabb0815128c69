package component

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"example.com/apm-plugin-symlink/internal/tree"
)

const (
	current  = "current"
	releases = "releases"
)

// What is observed where there are no files.
const (
	Empty   = "empty"   // there is no link
	Missing = "missing" // it leads nowhere
)

// ErrNoLink is matched where something else has the place of the link.
var ErrNoLink = errors.New("is not a symlink, and cannot be swapped: move it away")

// Live is what is current at a moment.
type Live struct {
	Link   string // what current leads to; "" where there is none
	Tree   tree.Tree
	Digest string // of the files; or Empty or Missing
}

// Look reads what is current, its files included.
func (d Dir) Look(ctx context.Context) (Live, error) {
	link, err := d.link()
	if err != nil || link == "" {
		return Live{Digest: Empty}, err
	}
	files, err := tree.Read(ctx, d.follow(link))
	switch {
	case errors.Is(err, fs.ErrNotExist) && !exists(d.follow(link)):
		return Live{Link: link, Digest: Missing}, nil
	case err != nil:
		return Live{}, fmt.Errorf("read what is current: %w", err)
	}
	return Live{Link: link, Tree: files, Digest: files.Digest()}, nil
}

// Fingerprint changes with nearly every change of what is current, and is had
// without reading it.
func (d Dir) Fingerprint(ctx context.Context) (string, error) {
	link, err := d.link()
	if err != nil || link == "" {
		return link, err
	}
	seen, err := tree.Fingerprint(ctx, d.follow(link))
	if errors.Is(err, fs.ErrNotExist) {
		seen, err = Missing, nil
	}
	return link + " " + seen, err
}

func (d Dir) link() (string, error) {
	link, err := os.Readlink(d.path(current))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case errors.Is(err, syscall.EINVAL):
		return "", fmt.Errorf("%q %w", d.path(current), ErrNoLink)
	default:
		return link, err
	}
}

// follow returns the path that a link leads to.
func (d Dir) follow(link string) string {
	if filepath.IsAbs(link) {
		return link
	}
	return d.path(link)
}

// Current is the path that a web server serves.
func (d Dir) Current() string { return d.path(current) }

// Ours says whether a link leads to a release that we may have made.
func Ours(link string) bool { return filepath.Dir(link) == releases }

// HasReleases says whether there are releases that may be ours.
func (d Dir) HasReleases() bool { return exists(d.path(releases)) }

// Swap makes link what is current, in one step.
func (d Dir) Swap(link string) error {
	fresh := d.own(current)
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(link, fresh); err != nil {
		return err
	}
	if err := os.Rename(fresh, d.path(current)); err != nil {
		return err
	}
	return tree.Sync(string(d))
}

// Remove removes our releases, and the link if it leads to one of them.
func (d Dir) Remove() error {
	link, err := d.link()
	if err != nil {
		return err
	}
	if Ours(link) {
		if err := os.Remove(d.path(current)); err != nil {
			return err
		}
		if err := tree.Sync(string(d)); err != nil {
			return err
		}
	}
	return os.RemoveAll(d.path(releases))
}

// ChangedBy says who made the link or changed its files, as far as a file system
// tells: the owner and the time of the newest of them.
func (d Dir) ChangedBy() string {
	newest, at := uint32(0), time.Time{}
	see := func(info fs.FileInfo) {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && info.ModTime().After(at) {
			newest, at = stat.Uid, info.ModTime()
		}
	}
	if info, err := os.Lstat(d.path(current)); err == nil {
		see(info)
	}
	root, err := filepath.EvalSymlinks(d.path(current))
	if err == nil {
		_ = filepath.WalkDir(root, func(_ string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil //nolint:nilerr // what cannot be seen is not the newest
			}
			if info, err := entry.Info(); err == nil {
				see(info)
			}
			return nil
		})
	}
	if at.IsZero() {
		return "unknown"
	}
	name := "uid " + strconv.FormatUint(uint64(newest), 10)
	if found, err := user.LookupId(strconv.FormatUint(uint64(newest), 10)); err == nil {
		name = "user " + found.Username
	}
	return name + ", at " + at.UTC().Format(time.RFC3339)
}
