package scaffold

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
)

// WriteProxy writes api and sdk as a file module proxy, which GOPROXY=file://DIR
// reads. dir must be empty or not there.
func WriteProxy(ctx context.Context, dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	files, err := proxy()
	if err != nil {
		return "", err
	}
	return dir, write(ctx, dir, files, nothing)
}

// proxy returns the modules in the layout of the GOPROXY protocol, by path: what
// GOPROXY=file://DIR reads.
func proxy() (map[string][]byte, error) {
	version, err := version()
	if err != nil {
		return nil, err
	}
	info, err := json.Marshal(struct{ Version string }{version})
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	for _, s := range sources() {
		mod, err := fs.ReadFile(s.files, "go.mod")
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", s.path(), err)
		}
		packed, err := s.zip(version)
		if err != nil {
			return nil, err
		}
		dir := path.Join(s.path(), "@v")
		all[path.Join(dir, "list")] = []byte(version + "\n")
		all[path.Join(dir, version+".info")] = info
		all[path.Join(dir, version+".mod")] = mod
		all[path.Join(dir, version+".zip")] = packed
	}
	return all, nil
}
