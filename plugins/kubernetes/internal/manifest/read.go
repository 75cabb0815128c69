package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// MaxFile bounds a file, in bytes: a release holds no more.
const MaxFile = 8 << 20

// maxFiles bounds a directory.
const maxFiles = 1000

// extensions are those of the files that count in a directory.
var extensions = []string{".yaml", ".yml", ".json"}

func extension(file string) string { return strings.ToLower(filepath.Ext(file)) }

// Read reads a file, or of a directory all files that end in .yaml, .yml or .json,
// by name, and not those of directories below it.
func Read(path string) ([]Document, []Problem) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, []Problem{unreadable(path, err)}
	}
	if !info.IsDir() {
		return readFile(path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, []Problem{unreadable(path, err)}
	}
	var documents []Document
	var problems []Problem
	files, below := 0, 0
	for _, entry := range entries {
		file := filepath.Join(path, entry.Name())
		info, err := os.Stat(file) // behind a link, as a mounted ConfigMap has them
		switch {
		case !slices.Contains(extensions, extension(file)):
			if err == nil && info.IsDir() {
				below++
			}
			continue
		case err != nil:
			problems = append(problems, unreadable(file, err))
			continue
		case info.IsDir():
			continue
		}
		if files++; files > maxFiles {
			return nil, []Problem{{File: path, Message: fmt.Sprintf("more than %d files", maxFiles), Remedy: "name fewer"}}
		}
		found, wrong := readFile(file)
		documents, problems = append(documents, found...), append(problems, wrong...)
	}
	if files == 0 {
		p := Problem{File: path, Message: "no file in it ends in .yaml, .yml or .json", Remedy: "name a directory with manifests"}
		if below > 0 {
			p.Remedy = "directories below it are not looked into: name each"
		}
		problems = append(problems, p)
	}
	return documents, problems
}

func readFile(path string) ([]Document, []Problem) {
	text, err := textOf(path)
	if err != nil {
		return nil, []Problem{unreadable(path, err)}
	}
	return Parse(path, text)
}

var (
	errIrregular = errors.New("not a file")
	errLarge     = fmt.Errorf("larger than %d MiB", MaxFile>>20)
)

func textOf(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would never end
		return nil, errIrregular
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err == nil && len(text) > MaxFile {
		err = errLarge
	}
	return text, err
}

func unreadable(path string, err error) Problem {
	p := Problem{File: path, Message: err.Error(), Remedy: "correct the path, or let the host's user read it"}
	var of *fs.PathError
	if errors.As(err, &of) {
		p.Message = of.Err.Error()
	}
	if errors.Is(err, errLarge) {
		p.Remedy = "name smaller files"
	}
	return p
}
