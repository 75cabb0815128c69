// Command pack writes the files of a directory into one text archive. What its
// .gitignore names is left out.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"
)

func main() {
	if err := pack(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func pack(args []string) error {
	if len(args) != 2 {
		return errors.New("it is used as: pack DIRECTORY FILE")
	}
	archive, err := read(os.DirFS(args[0]))
	if err != nil {
		return err
	}
	return os.WriteFile(args[1], txtar.Format(archive), 0o644)
}

// read returns the files in the order of their names.
func read(dir fs.FS) (*txtar.Archive, error) {
	ignored, err := fs.ReadFile(dir, ".gitignore")
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(ignored), "\n")
	archive := &txtar.Archive{}
	err = fs.WalkDir(dir, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(lines, "/"+name+"/"):
			return fs.SkipDir
		case entry.IsDir() || slices.Contains(lines, "/"+name):
			return nil
		}
		content, err := fs.ReadFile(dir, name)
		if err != nil {
			return err
		}
		if len(content) > 0 && !strings.HasSuffix(string(content), "\n") {
			return fmt.Errorf("%s does not end with a line break, which the archive cannot hold", name)
		}
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: content})
		return nil
	})
	return archive, err
}
