// Package component is the directory of one component on disk:
//
//	current             → releases/DIGEST     what a web server serves
//	releases/DIGEST/    the files of a release
//	.apm/state.json     our stamps: installation, epoch, operations
//	.apm/lock           held by whoever changes any of it
//	.apm/frozen/DIGEST/ the files as they were accepted; releases are copied from here
//	.apm/logs/          what the copying of each operation said
//	.apm/incoming/      copies under way
//
// It knows files and nothing of the plugin contract, and must never change
// anything but for its caller's asking.
package component

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Dir is the directory of a component. It need not exist.
type Dir string

// Of returns the directory of a component below root. Names that would lead
// elsewhere are refused.
func Of(root, application, environment, name string) (Dir, error) {
	for _, part := range []string{application, environment, name} {
		if part == "." || !filepath.IsLocal(part) || strings.ContainsAny(part, `/\`) {
			return "", fmt.Errorf("%q cannot be the name of a directory", part)
		}
	}
	return Dir(filepath.Join(root, application, environment, name)), nil
}

// All returns the directories below root that carry our stamps.
func All(root string) ([]Dir, error) {
	files, err := filepath.Glob(filepath.Join(root, "*", "*", "*", ".apm", stateFile))
	dirs := make([]Dir, len(files))
	for i, file := range files {
		dirs[i] = Dir(filepath.Dir(filepath.Dir(file)))
	}
	return dirs, err
}

func (d Dir) path(parts ...string) string {
	return filepath.Join(append([]string{string(d)}, parts...)...)
}

func (d Dir) own(parts ...string) string { return d.path(append([]string{".apm"}, parts...)...) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
