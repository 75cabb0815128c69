package artifact

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// writer puts entries below a root that nothing can leave: os.Root refuses
// every path that does, also by way of links unpacked before.
type writer struct {
	ctx     context.Context
	root    *os.Root
	links   []string
	modes   []Entry // of directories, set at the end: one may be read-only
	bytes   int64
	entries int
}

func (w *writer) check(name string) (string, error) {
	if err := w.ctx.Err(); err != nil {
		return "", err
	}
	if w.entries++; w.entries > maxEntries {
		return "", invalid("", "has more than %d entries", maxEntries)
	}
	if strings.ContainsRune(name, 0) || strings.Contains(name, `\`) {
		return "", invalid(name, "has a name with a NUL byte or a backslash")
	}
	if path.IsAbs(name) {
		return "", invalid(name, "has an absolute name")
	}
	clean := path.Clean(name)
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", invalid(name, "lies outside of the artifact")
	}
	if parent := path.Dir(clean); parent != "." {
		if err := w.root.MkdirAll(parent, 0o755); err != nil {
			return "", w.failed(name, err)
		}
	}
	return clean, nil
}

// failed tells what the archive did wrong from what the disk did wrong.
func (w *writer) failed(name string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return invalid(name, "is there twice")
	}
	if strings.Contains(err.Error(), "escapes") {
		return invalid(name, "lies outside of the artifact, by way of a link")
	}
	if errors.Is(err, syscall.ENOTDIR) {
		return invalid(name, "lies below something that is not a directory")
	}
	return fmt.Errorf("unpack %q: %w", name, err)
}

func (w *writer) directory(name string, mode fs.FileMode) error {
	clean, err := w.check(name)
	if err != nil || clean == "." {
		return err
	}
	if err := w.root.MkdirAll(clean, 0o755); err != nil {
		return w.failed(name, err)
	}
	w.modes = append(w.modes, Entry{Name: clean, Mode: mode.Perm()})
	return nil
}

func (w *writer) link(name, target string) error {
	clean, err := w.check(name)
	if err != nil {
		return err
	}
	if err := checkLink(clean, target); err != nil {
		return err
	}
	if err := w.root.Symlink(target, clean); err != nil {
		return w.failed(name, err)
	}
	w.links = append(w.links, clean)
	return nil
}

func (w *writer) hardLink(name, target string) error {
	clean, err := w.check(name)
	if err != nil {
		return err
	}
	if path.IsAbs(target) || !filepath.IsLocal(target) {
		return invalid(name, "is a hard link to %q, outside of the artifact", target)
	}
	if info, err := w.root.Lstat(path.Clean(target)); err != nil || !info.Mode().IsRegular() {
		return invalid(name, "is a hard link to %q, which is not a file before it", target)
	}
	if err := w.root.Link(path.Clean(target), clean); err != nil {
		return w.failed(name, err)
	}
	return nil
}

func (w *writer) file(name string, mode fs.FileMode, content io.Reader) error {
	clean, err := w.check(name)
	if err != nil {
		return err
	}
	out, err := w.root.OpenFile(clean, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return w.failed(name, err)
	}
	defer out.Close()
	n, err := io.Copy(out, io.LimitReader(readerWith(w.ctx, content), maxBytes-w.bytes+1))
	if err != nil {
		return corrupt(name, err)
	}
	if w.bytes += n; w.bytes > maxBytes {
		return invalid("", "is larger than %d GiB when unpacked", maxBytes>>30)
	}
	if err := out.Chmod(mode.Perm()); err != nil { // never set-uid
		return w.failed(name, err)
	}
	return out.Close()
}

// finish sets the modes of directories and follows every link once more, now
// that all of them are there.
func (w *writer) finish() error {
	for _, name := range w.links {
		if _, err := w.root.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return invalid(name, "is a link that leads outside of the artifact")
		}
	}
	for i := len(w.modes) - 1; i >= 0; i-- {
		if err := w.root.Chmod(w.modes[i].Name, w.modes[i].Mode); err != nil {
			return w.failed(w.modes[i].Name, err)
		}
	}
	return nil
}

// corrupt says that an archive cannot be read; a full disk is not its fault.
func corrupt(name string, err error) error {
	var disk *fs.PathError
	if errors.As(err, &disk) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("unpack %q: %w", name, err)
	}
	return invalid(name, "is corrupt: %v", err)
}

func unpackTarGzip(archive *os.File, w *writer) error {
	plain, err := gzip.NewReader(archive)
	if err != nil {
		return invalid("", "is corrupt: %v", err)
	}
	return untar(plain, w)
}

func unpackTar(archive *os.File, w *writer) error { return untar(archive, w) }

func untar(in io.Reader, w *writer) error {
	reader := tar.NewReader(in)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return invalid("", "is corrupt: %v", err)
		}
		mode := fs.FileMode(header.Mode).Perm()
		switch header.Typeflag {
		case tar.TypeReg:
			err = w.file(header.Name, mode, reader)
		case tar.TypeDir:
			err = w.directory(header.Name, mode)
		case tar.TypeSymlink:
			err = w.link(header.Name, header.Linkname)
		case tar.TypeLink:
			err = w.hardLink(header.Name, header.Linkname)
		case tar.TypeXGlobalHeader:
		default:
			err = invalid(header.Name, "is a device, socket or pipe; only files, directories and links are allowed")
		}
		if err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(in, maxBytes)); err != nil { // the checksum of gzip stands at the end
		return invalid("", "is corrupt: %v", err)
	}
	return nil
}

func unpackZip(archive *os.File, w *writer) error {
	info, err := archive.Stat()
	if err != nil {
		return fmt.Errorf("unpack artifact: %w", err)
	}
	reader, err := zip.NewReader(archive, info.Size())
	if err != nil {
		return invalid("", "is corrupt: %v", err)
	}
	for _, file := range reader.File {
		if err := unzipEntry(file, w); err != nil {
			return err
		}
	}
	return nil
}

func unzipEntry(file *zip.File, w *writer) error {
	mode := file.Mode()
	if mode.IsDir() {
		return w.directory(file.Name, mode)
	}
	if !mode.IsRegular() && mode&fs.ModeSymlink == 0 {
		return invalid(file.Name, "is a device, socket or pipe; only files, directories and links are allowed")
	}
	content, err := file.Open()
	if err != nil {
		return corrupt(file.Name, err)
	}
	defer content.Close()
	if mode.IsRegular() {
		return w.file(file.Name, mode, content)
	}
	target, err := io.ReadAll(io.LimitReader(content, 4096))
	if err != nil {
		return corrupt(file.Name, err)
	}
	return w.link(file.Name, string(target))
}

// readerWith ends with the context.
func readerWith(ctx context.Context, r io.Reader) io.Reader {
	return readFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
