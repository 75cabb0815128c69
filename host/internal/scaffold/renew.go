package scaffold

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"
)

// Renew replaces the api and sdk in the module of a plugin by those of this
// program, and returns the directory they lie in. It returns Invalid where dir is
// not the root of such a module, Unavailable where it cannot be written to; then
// nothing has changed.
func Renew(ctx context.Context, dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := checkOwner(dir); err != nil {
		return "", err
	}
	files, err := modules()
	if err != nil {
		return "", err
	}
	place := filepath.Join(dir, filepath.FromSlash(modulesDir))
	fresh, old := place+".new", place+".old"
	if err := errors.Join(os.RemoveAll(fresh), os.RemoveAll(old)); err != nil {
		return "", cannotWrite(place, err)
	}
	if err := write(ctx, fresh, files, nothing); err != nil {
		return "", err
	}
	if err := os.Rename(place, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", errors.Join(cannotWrite(place, err), os.RemoveAll(fresh))
	}
	if err := os.Rename(fresh, place); err != nil {
		return "", errors.Join(cannotWrite(place, err), os.Rename(old, place))
	}
	return place, os.RemoveAll(old)
}

// checkOwner looks whether the go.mod of a directory says that api and sdk lie
// where Renew puts them.
func checkOwner(dir string) error {
	const remedy = "run it in the directory that apm plugin new wrote, or name that directory"
	content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return invalid(remedy, "%s is not the root of a Go module: %w", dir, err)
	}
	file, err := modfile.Parse("go.mod", content, nil)
	if err != nil {
		return invalid(remedy, "read go.mod: %w", err)
	}
	for _, s := range sources() {
		want := "./" + modulesDir + "/" + s.name
		if !slices.ContainsFunc(file.Replace, func(r *modfile.Replace) bool { return r.Old.Path == s.path() && r.New.Path == want }) {
			return invalid(remedy+"; by hand: replace "+s.path()+" => "+want, "%s has no line that replaces %s by %s", filepath.Join(dir, "go.mod"), s.path(), want)
		}
	}
	return nil
}

// nothing is nothing to be asked before files move to their place.
func nothing(string) error { return nil }
