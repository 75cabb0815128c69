package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Bounds of what is unpacked: an archive of a few kilobytes can hold terabytes
// of zeros.
const (
	maxBytes   = 8 << 30
	maxEntries = 500_000
)

// load brings source to temp/files and returns its digest. When known says that
// the digest is there already, nothing is unpacked.
func load(ctx context.Context, source, temp string, known func(digest string) bool) (string, error) {
	info, err := os.Stat(source)
	if errors.Is(err, fs.ErrNotExist) {
		return "", invalid("", "does not exist")
	}
	if err != nil {
		return "", invalid("", "cannot be read: %v", err)
	}
	if info.IsDir() {
		return loadTree(ctx, source, temp, known)
	}
	unpack := unpackerFor(source)
	if unpack == nil {
		return "", invalid("", "is neither a directory nor a .tar, .tar.gz, .tgz or .zip file")
	}
	if !info.Mode().IsRegular() {
		return "", invalid("", "is not a regular file")
	}
	archive, digest, err := copyArchive(ctx, source, temp)
	if err != nil {
		return "", err
	}
	defer archive.Close()
	if known(digest) {
		return digest, nil
	}
	root, err := makeRoot(temp)
	if err != nil {
		return "", err
	}
	defer root.Close()
	w := &writer{ctx: ctx, root: root}
	if err := unpack(archive, w); err != nil {
		return "", err
	}
	return digest, w.finish()
}

func unpackerFor(source string) func(*os.File, *writer) error {
	name := strings.ToLower(filepath.Base(source))
	switch {
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		return unpackTarGzip
	case strings.HasSuffix(name, ".tar"):
		return unpackTar
	case strings.HasSuffix(name, ".zip"):
		return unpackZip
	default:
		return nil
	}
}

// copyArchive copies the archive first, so that what is unpacked is what was
// checksummed even if somebody writes to the file meanwhile.
func copyArchive(ctx context.Context, source, temp string) (*os.File, string, error) {
	in, err := os.Open(source)
	if err != nil {
		return nil, "", invalid("", "cannot be read: %v", err)
	}
	defer in.Close()
	out, err := os.CreateTemp(temp, "archive-*")
	if err != nil {
		return nil, "", fmt.Errorf("copy artifact: %w", err)
	}
	_ = os.Remove(out.Name()) // it lives as long as it is open
	sum := sha256.New()
	if _, err = io.Copy(io.MultiWriter(out, sum), readerWith(ctx, in)); err == nil {
		_, err = out.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = out.Close()
		return nil, "", fmt.Errorf("copy artifact: %w", err)
	}
	return out, hex.EncodeToString(sum.Sum(nil)), nil
}

func makeRoot(temp string) (*os.Root, error) {
	dir := filepath.Join(temp, filesName)
	err := os.Mkdir(dir, 0o755)
	if err != nil {
		return nil, fmt.Errorf("unpack artifact: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("unpack artifact: %w", err)
	}
	return root, nil
}

// loadTree copies a directory. The digest is that of the copy: the source may
// change while it is read.
func loadTree(ctx context.Context, source, temp string, known func(string) bool) (string, error) {
	m, err := scan(ctx, source)
	if err != nil {
		return "", readError(err)
	}
	if digest := strings.TrimPrefix(m.Digest(), "sha256:"); known(digest) {
		return digest, nil
	}
	root, err := makeRoot(temp)
	if err != nil {
		return "", err
	}
	defer root.Close()
	w := &writer{ctx: ctx, root: root}
	for _, entry := range m.Entries {
		if err := copyEntry(source, entry, w); err != nil {
			return "", err
		}
	}
	if err := w.finish(); err != nil {
		return "", err
	}
	if m, err = scan(ctx, filepath.Join(temp, filesName)); err != nil {
		return "", err
	}
	return strings.TrimPrefix(m.Digest(), "sha256:"), nil
}

func copyEntry(source string, entry Entry, w *writer) error {
	switch {
	case entry.Mode.IsDir():
		return w.directory(entry.Name, entry.Mode)
	case entry.Mode&fs.ModeSymlink != 0:
		return w.link(entry.Name, entry.Target)
	default:
		file, err := os.Open(filepath.Join(source, filepath.FromSlash(entry.Name)))
		if err != nil {
			return readError(err)
		}
		defer file.Close()
		return w.file(entry.Name, entry.Mode, file)
	}
}

// readError turns what the file system says about the user's files into an
// InvalidError; a cancelled context and InvalidErrors stay what they are.
func readError(err error) error {
	var bad *fs.PathError
	if errors.As(err, &bad) {
		return invalid("", "cannot be read: %v", bad)
	}
	return err
}
