package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

var (
	errNoHome  = errors.New("HOME is not set")
	errTooBig  = fmt.Errorf("larger than %d MiB", maxFile>>20)
	errNoPlain = errors.New("not a regular file")
)

// readFile reads a regular file of bounded size: a pipe would hang, a device
// never end.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNoPlain
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFile {
		return nil, errTooBig
	}
	return content, nil
}

// reasonOf says why a file could not be read, without its path: the caller names
// it as the person wrote it.
func reasonOf(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}

// readSource reads a file that people know as display.
func readSource(path, display string) (*source, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find directory of %q: %w", path, err)
	}
	content, err := readFile(abs)
	if err != nil {
		return &source{path: abs, display: display}, err
	}
	return &source{path: abs, display: display, content: content}, nil
}
