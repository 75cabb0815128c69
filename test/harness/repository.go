package harness

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// Repository returns the root of the repository.
func Repository(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir
		}
	}
	t.Fatal("the tests run outside of the repository")
	return ""
}

// Binary returns a program that `make build` made, such as "apm" or
// "demo/server".
func Binary(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(Repository(t), "bin", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; make build makes it", err)
	}
	return path
}

// CopyProgram copies a program.
func CopyProgram(t testing.TB, from, to string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(to), 0o755)
	if err == nil {
		err = copyProgram(from, to)
	}
	if err != nil {
		t.Fatalf("copy %s: %v", from, err)
	}
}

// copyProgram never writes into a program that runs: another takes its place.
func copyProgram(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	if err = errors.Join(err, target.Close()); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}
