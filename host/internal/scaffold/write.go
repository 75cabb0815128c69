package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// write writes files below a directory, which is made when it is not there and
// must be empty. All of them are there in the end or, with an error, none: they
// are written beside their place, then ready is asked, then they move.
func write(ctx context.Context, dir string, files map[string][]byte, ready func(dir string) error) (err error) {
	made, err := makeEmpty(dir)
	if err != nil {
		return err
	}
	stage, err := os.MkdirTemp(dir, ".apm-")
	if err != nil {
		return errors.Join(cannotWrite(dir, err), remove(made))
	}
	var moved []string
	defer func() {
		left := os.RemoveAll(stage)
		if err == nil {
			err = left
			return
		}
		for _, name := range moved {
			_ = os.RemoveAll(filepath.Join(dir, name))
		}
		_ = remove(made)
	}()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		path := filepath.Join(stage, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return cannotWrite(dir, err)
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil {
			return cannotWrite(dir, err)
		}
	}
	if err := ready(stage); err != nil {
		return err
	}
	entries, err := os.ReadDir(stage)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := os.Rename(filepath.Join(stage, entry.Name()), filepath.Join(dir, entry.Name())); err != nil {
			return cannotWrite(dir, err)
		}
		moved = append(moved, entry.Name())
	}
	return nil
}

// makeEmpty makes a directory with those above it, and returns what it made, the
// innermost first.
func makeEmpty(dir string) (made []string, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case err == nil && len(entries) == 0:
		return nil, nil
	case err == nil:
		return nil, &deployment.Error{
			Code: deployment.Conflict, Message: fmt.Sprintf("%s is not empty: it holds %s", dir, entries[0].Name()),
			Remedy: "name a directory that is not there yet, or an empty one",
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, cannotWrite(dir, err)
	}
	for missing := dir; ; missing = filepath.Dir(missing) {
		if _, err := os.Lstat(missing); err == nil || missing == filepath.Dir(missing) {
			break
		}
		made = append(made, missing)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, errors.Join(cannotWrite(dir, err), remove(made))
	}
	return made, nil
}

// remove removes directories as far as they are there.
func remove(dirs []string) error {
	for _, dir := range dirs {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func cannotWrite(dir string, err error) error {
	return &deployment.Error{
		Code: deployment.Unavailable, Err: err, Message: fmt.Sprintf("write %s: %v", dir, err),
		Remedy: "name a directory that you may write to",
	}
}
