package state

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// artifactsDir lies beside the applications of an installation. No application
// can have that directory, see escape.
const artifactsDir = "artifacts"

// maxElement bounds a path element, below every file system's own bound.
const maxElement = 100

// Layout says where things lie in a state directory.
type Layout struct{ Root string }

// Component returns the directory of a component.
func (l Layout) Component(id Identity) string {
	return filepath.Join(l.Root, escape(id.Installation), escape(id.Application), escape(id.Environment), escape(id.Component))
}

// Artifacts returns the directory of an installation's artifacts.
func (l Layout) Artifacts(installation string) string {
	return filepath.Join(l.Root, escape(installation), artifactsDir)
}

// Components returns the directories of all components of an installation, or
// of all installations ("").
func (l Layout) Components(installation string) ([]string, error) {
	pattern := "*"
	if installation != "" {
		pattern = escape(installation)
	}
	return l.ComponentsIn(pattern)
}

// ComponentsIn is Components for the directory of an installation.
func (l Layout) ComponentsIn(pattern string) ([]string, error) {
	files, err := fs.Glob(os.DirFS(l.Root), pattern+"/*/*/*/"+FileName)
	if err != nil {
		return nil, fmt.Errorf("list components: %w", err)
	}
	dirs := make([]string, len(files))
	for i, file := range files {
		dirs[i] = filepath.Join(l.Root, filepath.FromSlash(filepath.Dir(file)))
	}
	return dirs, nil
}

// InstallationDir returns the directory of the installation that the component
// in dir belongs to.
func InstallationDir(dir string) string {
	return filepath.Dir(filepath.Dir(filepath.Dir(filepath.Clean(dir))))
}

// ArtifactsOf returns the artifacts' directory that goes with the component in
// dir.
func ArtifactsOf(dir string) string { return filepath.Join(InstallationDir(dir), artifactsDir) }

// IdentityOf reads the identity back from a component's directory, as far as
// its names were short enough to be kept whole.
func IdentityOf(dir string) Identity {
	rest := filepath.Clean(dir)
	names := make([]string, 4)
	for i := range names {
		names[i] = unescape(filepath.Base(rest))
		rest = filepath.Dir(rest)
	}
	return Identity{Component: names[0], Environment: names[1], Application: names[2], Installation: names[3]}
}

// escape makes one path element of any name: letters, digits, "-", "_" and
// inner dots stay, all else becomes %XX. What grows too long ends in a hash.
func escape(name string) string {
	if name == "" {
		return "%"
	}
	if name == artifactsDir {
		return "%61rtifacts"
	}
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		plain := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' && i > 0
		if plain {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	if b.Len() <= maxElement {
		return b.String()
	}
	sum := sha256.Sum256([]byte(name))
	return b.String()[:maxElement-33] + "~" + hex.EncodeToString(sum[:16])
}

func unescape(element string) string {
	if element == "%" {
		return ""
	}
	var b strings.Builder
	for i := 0; i < len(element); i++ {
		if element[i] == '%' && i+2 < len(element) {
			if raw, err := hex.DecodeString(element[i+1 : i+3]); err == nil {
				b.Write(raw)
				i += 2
				continue
			}
		}
		b.WriteByte(element[i])
	}
	return b.String()
}
