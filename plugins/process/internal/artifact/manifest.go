package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Entry is one file of an artifact.
type Entry struct {
	Name   string      `json:"name"` // slash-separated, relative
	Mode   fs.FileMode `json:"mode"` // type and permission bits
	SHA256 string      `json:"sha256,omitempty"`
	Target string      `json:"target,omitempty"` // of a symbolic link
}

// Manifest lists the files of an artifact in order of their names. Files that
// an application adds beside them are its own business and are not looked at.
type Manifest struct {
	Entries []Entry `json:"entries"`
}

// Digest is over all entries: names, modes, contents.
func (m Manifest) Digest() string {
	sum := sha256.New()
	encoder := json.NewEncoder(sum)
	for _, entry := range m.Entries {
		_ = encoder.Encode(entry) // a hash takes everything
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// scan makes the manifest of the tree below dir. What is neither a file nor a
// directory nor a link within the tree is refused.
func scan(ctx context.Context, dir string) (Manifest, error) {
	var m Manifest
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil || name == "." {
			return err
		}
		name = filepath.ToSlash(name)
		info, err := entry.Info()
		if err != nil {
			return err
		}
		found := Entry{Name: name, Mode: info.Mode() & (fs.ModeType | fs.ModePerm)}
		switch {
		case info.Mode().IsRegular():
			found.SHA256, err = hashFile(file)
		case info.IsDir():
		case info.Mode()&fs.ModeSymlink != 0:
			found.Mode = fs.ModeSymlink // its permission bits differ between systems
			if found.Target, err = os.Readlink(file); err == nil {
				err = checkLink(name, found.Target)
			}
		default:
			err = invalid(name, "is a device, socket or pipe; only files, directories and links are allowed")
		}
		m.Entries = append(m.Entries, found)
		return err
	})
	sort.Slice(m.Entries, func(i, j int) bool { return m.Entries[i].Name < m.Entries[j].Name })
	return m, err
}

// checkLink refuses links that lead out of the artifact. Chains of links are
// checked by resolving them, see checkLinks.
func checkLink(name, target string) error {
	if path.IsAbs(target) || filepath.IsAbs(target) {
		return invalid(name, "is a link to the absolute path %q", target)
	}
	if at := path.Join(path.Dir(name), target); at == ".." || strings.HasPrefix(at, "../") {
		return invalid(name, "is a link to %q, outside of the artifact", target)
	}
	return nil
}

// HashFile returns "sha256:…" of a file.
func HashFile(file string) (string, error) {
	sum, err := hashFile(file)
	if err != nil {
		return "", err
	}
	return "sha256:" + sum, nil
}

func hashFile(file string) (string, error) {
	opened, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer opened.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, opened); err != nil {
		return "", fmt.Errorf("read %q: %w", file, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Observer digests files as they are found, again and again: a file whose size,
// times and inode did not change is not read a second time. The zero value is
// ready to use, by several goroutines.
type Observer struct {
	mu    sync.Mutex
	known map[string]seen
}

type seen struct {
	stamp  string
	sha256 string
}

// settled is how old a change must be before its stamp can stand for the
// content: a second write within the clock's granularity leaves the same stamp.
const settled = 2 * time.Second

// File returns "sha256:…" of a file as it is now.
func (o *Observer) File(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	sum, err := o.hash(file, info)
	return "sha256:" + sum, err
}

// Tree returns the manifest of an artifact as its files are now, and the names
// of those that were changed or removed. An error means that it could not look.
func (o *Observer) Tree(dir string, want Manifest) (Manifest, []string, error) {
	var changed []string
	got := Manifest{Entries: make([]Entry, len(want.Entries))}
	for i, entry := range want.Entries {
		found, err := o.entry(dir, entry.Name)
		if err != nil {
			return got, nil, err
		}
		got.Entries[i] = found
		if found != entry {
			changed = append(changed, entry.Name)
		}
	}
	return got, changed, nil
}

// entry is a file as it is now. One that is gone, or that nobody may read, differs
// from every content.
func (o *Observer) entry(dir, name string) (Entry, error) {
	found := Entry{Name: name}
	file := filepath.Join(dir, filepath.FromSlash(name))
	info, err := os.Lstat(file)
	if err == nil {
		found.Mode = info.Mode() & (fs.ModeType | fs.ModePerm)
		switch {
		case info.Mode().IsRegular():
			found.SHA256, err = o.hash(file, info)
		case info.Mode()&fs.ModeSymlink != 0:
			found.Mode = fs.ModeSymlink
			found.Target, err = os.Readlink(file)
		}
	}
	if CouldNotLook(err) {
		return found, fmt.Errorf("look at %q: %w", file, err)
	}
	return found, nil
}

// CouldNotLook says whether an error is ours, for want of descriptors, memory or
// a working disk, and says nothing about the file.
func CouldNotLook(err error) bool {
	for _, ours := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO, syscall.ESTALE, syscall.ETIMEDOUT} {
		if errors.Is(err, ours) {
			return true
		}
	}
	return false
}

func (o *Observer) hash(file string, info fs.FileInfo) (string, error) {
	stamp := fmt.Sprint(info.Size(), info.ModTime().UnixNano(), inode(info))
	o.mu.Lock()
	known := o.known[file]
	o.mu.Unlock()
	if known.stamp == stamp {
		return known.sha256, nil
	}
	sum, err := hashFile(file)
	if err != nil {
		return "", err
	}
	if time.Since(info.ModTime()) > settled {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.known == nil {
			o.known = map[string]seen{}
		}
		o.known[file] = seen{stamp: stamp, sha256: sum}
	}
	return sum, nil
}

func inode(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino
	}
	return 0
}
