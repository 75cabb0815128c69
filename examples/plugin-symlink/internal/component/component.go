// Package component is the directory of one component on disk:
//
//	current             → releases/DIGEST     what a web server serves
//	releases/DIGEST/    the files of a release
//	.apm/               the journal: stamps, lock, what the copying said
//	.apm/frozen/DIGEST/ the files as they were accepted; releases are copied from here
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

	"github.com/apm-deploy/apm/sdk/journal"
)

// own is the directory of what is ours and not to be served.
const own = ".apm"

// Dir is the directory of a component. It need not exist.
type Dir string

// Goal is what an operation makes current.
type Goal struct {
	Digest string `json:"digest"`
	Link   string `json:"link,omitempty"` // releases/NAME once it is there; or the absolute path of what was never ours
	Files  int    `json:"files"`
}

// Record is what is written down of a component.
type Record = journal.Record[Goal]

// Operation is what is written down of an operation on it.
type Operation = journal.Operation[Goal]

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

// OfJournal returns the directory of the component whose journal lies in dir.
func OfJournal(dir string) Dir { return Dir(filepath.Dir(dir)) }

// Journals is the pattern of the directories of journals below root.
func Journals(root string) string { return filepath.Join(root, "*", "*", "*", own) }

// Journal is the directory of the component's journal.
func (d Dir) Journal() string { return d.path(own) }

func (d Dir) path(parts ...string) string {
	return filepath.Join(append([]string{string(d)}, parts...)...)
}

func (d Dir) own(parts ...string) string { return d.path(append([]string{own}, parts...)...) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
