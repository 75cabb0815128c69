// Package tree reads, compares and copies directories of files. It follows no
// link, and must never write outside of the directory that it was given.
package tree

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// The kinds of an entry.
const (
	File      = 'f'
	Program   = 'x' // a file that may be executed
	Link      = 'l'
	Directory = 'd'
	Other     = 'o' // a socket, a device: it is seen, and never copied
)

// Entry is one file, link or directory.
type Entry struct {
	Path string // relative, with slashes
	Kind rune
	Size int64
	Sum  string // SHA-256 of the content, or of a link's target
}

// Tree is everything below a directory, sorted by path.
type Tree []Entry

// Digest is equal for trees of equal content. Times, owners and permissions other
// than "may be executed" are no content.
func (t Tree) Digest() string {
	sum := sha256.New()
	for _, e := range t {
		fmt.Fprintf(sum, "%c %s %s\x00", e.Kind, e.Sum, e.Path)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Files counts files and links, and their bytes.
func (t Tree) Files() (count int, bytes int64) {
	for _, e := range t {
		if e.Kind != Directory {
			count++
			bytes += e.Size
		}
	}
	return count, bytes
}

// Read reads what is below a directory, which may be a link itself.
func Read(ctx context.Context, dir string) (Tree, error) {
	return walk(ctx, dir, func(path string, info fs.FileInfo, e *Entry) error {
		switch e.Kind {
		case File, Program:
			return e.read(ctx, path, io.Discard)
		case Link:
			target, err := os.Readlink(path)
			e.Sum = sum(target)
			return err
		default:
			return nil
		}
	})
}

// Fingerprint changes with every change that leaves a trace in names, sizes or
// times. It reads no content, and so says nothing about a file that was changed
// and given its old time.
func Fingerprint(ctx context.Context, dir string) (string, error) {
	found := sha256.New()
	_, err := walk(ctx, dir, func(_ string, info fs.FileInfo, e *Entry) error {
		fmt.Fprintf(found, "%c %d %d %s\x00", e.Kind, e.Size, info.ModTime().UnixNano(), e.Path)
		return nil
	})
	return hex.EncodeToString(found.Sum(nil)), err
}

// walk visits what is below dir.
func walk(ctx context.Context, dir string, visit func(path string, info fs.FileInfo, e *Entry) error) (Tree, error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	t := Tree{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case path == root && !d.IsDir():
			return fmt.Errorf("%q is not a directory", dir)
		case path == root:
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		e := Entry{Path: filepath.ToSlash(name), Kind: kindOf(info.Mode())}
		if e.Kind != Directory {
			e.Size = info.Size()
		}
		err = visit(path, info, &e)
		t = append(t, e)
		return err
	})
	slices.SortFunc(t, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
	return t, err
}

func kindOf(mode fs.FileMode) rune {
	switch {
	case mode.IsRegular() && mode&0o100 != 0:
		return Program
	case mode.IsRegular():
		return File
	case mode.IsDir():
		return Directory
	case mode&fs.ModeSymlink != 0:
		return Link
	default:
		return Other
	}
}

// read hashes a file's content on its way to out.
func (e *Entry) read(ctx context.Context, path string, out io.Writer) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	hash := sha256.New()
	e.Size, err = io.Copy(io.MultiWriter(hash, out), &reader{ctx, in})
	e.Sum = hex.EncodeToString(hash.Sum(nil))
	return err
}

func sum(text string) string {
	hash := sha256.Sum256([]byte(text))
	return hex.EncodeToString(hash[:])
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	in  io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}
