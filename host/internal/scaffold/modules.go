package scaffold

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/apm-deploy/apm/api"
	"github.com/apm-deploy/apm/sdk"
)

// ours is the path that all modules of APM lie below.
const ours = "github.com/apm-deploy/apm"

// source is one of the modules that a plugin is built with.
type source struct {
	name  string // the last element of its path
	files fs.FS
}

// path returns the module path.
func (s source) path() string { return ours + "/" + s.name }

// sources are all of them.
func sources() []source {
	return []source{{"api", api.Source}, {"sdk", sdk.Source}}
}

// version returns the version that the modules require each other at: one number
// for a release.
func version() (string, error) {
	content, err := fs.ReadFile(sdk.Source, "go.mod")
	if err != nil {
		return "", err
	}
	file, err := modfile.ParseLax("go.mod", content, nil)
	if err != nil {
		return "", err
	}
	for _, required := range file.Require {
		if required.Mod.Path == ours+"/api" {
			return required.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("the go.mod of %s/sdk does not require %s/api", ours, ours)
}

// zip returns the module as a proxy serves it. The same source gives the same bytes.
func (s source) zip(version string) ([]byte, error) {
	var files []zip.File
	err := fs.WalkDir(s.files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, embedded{s.files, name})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := zip.Create(&b, module.Version{Path: s.path(), Version: version}, files); err != nil {
		return nil, fmt.Errorf("pack %s: %w", s.path(), err)
	}
	return b.Bytes(), nil
}

// embedded is a file of a source, for package zip.
type embedded struct {
	files fs.FS
	name  string
}

// Path returns the path within the module.
func (e embedded) Path() string { return e.name }

// Lstat describes the file.
func (e embedded) Lstat() (os.FileInfo, error) { return fs.Stat(e.files, e.name) }

// Open opens the file.
func (e embedded) Open() (io.ReadCloser, error) { return e.files.Open(e.name) }

// modules returns the content of every file of the modules by its path below a
// directory: "sdk/go.mod".
func modules() (map[string][]byte, error) {
	all := map[string][]byte{}
	for _, s := range sources() {
		err := fs.WalkDir(s.files, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := fs.ReadFile(s.files, name)
			all[path.Join(s.name, name)] = content
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
