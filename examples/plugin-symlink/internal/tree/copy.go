package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// ErrInvalid is matched by errors about content that cannot be copied: a link that
// leads out of the tree, or something that is no file.
var ErrInvalid = errors.New("cannot be part of a release")

// Copy copies what is below from to the new directory to, tells each entry once it
// is there, and returns what it has written. Everything is on disk when it returns:
// whoever renames to afterwards publishes all of it or nothing.
func Copy(ctx context.Context, from, to string, each func(Entry) error) (Tree, error) {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return nil, err
	}
	written := []string{to}
	t, err := walk(ctx, from, func(path string, info fs.FileInfo, e *Entry) error {
		target := filepath.Join(to, filepath.FromSlash(e.Path))
		var err error
		switch e.Kind {
		case File, Program:
			written = append(written, target)
			err = e.copyFile(ctx, path, target, info.Mode().Perm())
		case Link:
			err = e.copyLink(path, target)
		case Directory:
			written = append(written, target)
			err = os.Mkdir(target, 0o755)
		default:
			err = fmt.Errorf("%q is neither file, directory nor link: it %w", e.Path, ErrInvalid)
		}
		if err != nil || each == nil {
			return err
		}
		return each(*e)
	})
	for _, path := range slices.Backward(written) { // many at once cost little more than one
		if err == nil {
			err = Sync(path)
		}
	}
	return t, err
}

func (e *Entry) copyFile(ctx context.Context, from, to string, mode fs.FileMode) error {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	err = e.read(ctx, from, out)
	if err == nil {
		err = out.Chmod(mode) // whatever the umask is
	}
	return errors.Join(err, out.Close())
}

func (e *Entry) copyLink(from, to string) error {
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	if filepath.IsAbs(target) || !filepath.IsLocal(filepath.Join(filepath.Dir(filepath.FromSlash(e.Path)), target)) {
		return fmt.Errorf("link %q leads out of the directory, to %q: it %w", e.Path, target, ErrInvalid)
	}
	e.Sum = sum(target)
	return os.Symlink(target, to)
}

// Sync has a file's content, or a directory's entries, written to disk.
func Sync(path string) error {
	handle, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(handle.Sync(), handle.Close())
}
