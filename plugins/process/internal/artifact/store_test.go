package artifact_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/plugins/process/internal/artifact"
)

func tarOf(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		content := []byte(nil)
		if h.Typeflag == tar.TypeReg {
			content = []byte("content of " + h.Name)
			h.Size = int64(len(content))
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipOf(t *testing.T, names map[string]fs.FileMode) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, mode := range names {
		header := &zip.FileHeader{Name: name}
		header.SetMode(mode)
		entry, err := w.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		content := "content"
		if mode&fs.ModeSymlink != 0 {
			content = "../../outside"
		}
		if _, err := entry.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func file(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg} }
func link(name, to string) tar.Header {
	return tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeSymlink}
}

func TestHostileArtifacts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		name string
		data func(t *testing.T) []byte
		want string // part of the error
	}{
		"traversal":             {"a.tar", func(t *testing.T) []byte { return tarOf(t, file("../evil")) }, `"../evil" lies outside`},
		"traversal in the path": {"a.tar", func(t *testing.T) []byte { return tarOf(t, file("a/../../evil")) }, `"a/../../evil" lies outside`},
		"absolute":              {"a.tar", func(t *testing.T) []byte { return tarOf(t, file("/etc/evil")) }, `"/etc/evil" has an absolute name`},
		"absolute link":         {"a.tar", func(t *testing.T) []byte { return tarOf(t, link("l", "/etc")) }, `"l" is a link to the absolute path`},
		"link outside":          {"a.tar", func(t *testing.T) []byte { return tarOf(t, link("d/l", "../../x")) }, `"d/l" is a link to "../../x", outside`},
		"chain of links": {"a.tar", func(t *testing.T) []byte {
			return tarOf(t, file("x/y/f"), link("x/y/z", "../.."), link("w", "x/y/z/../outside"))
		}, `"w" is a link that leads outside`},
		"write through a link": {"a.tar", func(t *testing.T) []byte {
			return tarOf(t, link("x", "."), link("y", "x/.."), file("y/evil"))
		}, ""},
		"file below a file": {"a.tar", func(t *testing.T) []byte { return tarOf(t, file("f"), file("f/g")) }, `"f/g"`},
		"twice":             {"a.tar", func(t *testing.T) []byte { return tarOf(t, file("f"), file("f")) }, `"f" is there twice`},
		"device":            {"a.tar", func(t *testing.T) []byte { return tarOf(t, tar.Header{Name: "null", Typeflag: tar.TypeChar}) }, `"null" is a device`},
		"pipe":              {"a.tar", func(t *testing.T) []byte { return tarOf(t, tar.Header{Name: "p", Typeflag: tar.TypeFifo}) }, `"p" is a device`},
		"hard link outside": {"a.tar", func(t *testing.T) []byte {
			return tarOf(t, tar.Header{Name: "h", Linkname: "../x", Typeflag: tar.TypeLink})
		}, `"h" is a hard link`},
		"hard link to a link": {"a.tar", func(t *testing.T) []byte {
			return tarOf(t, link("l", "f"), tar.Header{Name: "h", Linkname: "l", Typeflag: tar.TypeLink})
		}, `"h" is a hard link`},
		"zip traversal": {"a.zip", func(t *testing.T) []byte { return zipOf(t, map[string]fs.FileMode{"../evil": 0o644}) }, `"../evil" lies outside`},
		"zip link":      {"a.zip", func(t *testing.T) []byte { return zipOf(t, map[string]fs.FileMode{"l": fs.ModeSymlink | 0o777}) }, `"l" is a link to "../../outside"`},
		"zip backslash": {"a.zip", func(t *testing.T) []byte { return zipOf(t, map[string]fs.FileMode{`..\evil`: 0o644}) }, `backslash`},
		"not a tar":     {"a.tar", func(*testing.T) []byte { return []byte("hello") }, "is corrupt"},
		"not a zip":     {"a.zip", func(*testing.T) []byte { return []byte("hello") }, "is corrupt"},
		"not gzip":      {"a.tgz", func(*testing.T) []byte { return []byte("hello") }, "is corrupt"},
		"cut gzip":      {"a.tar.gz", func(t *testing.T) []byte { return gzipped(t, tarOf(t, file("f")))[:60] }, "corrupt"},
		"wrong gzip checksum": {"a.tar.gz", func(t *testing.T) []byte {
			data := gzipped(t, tarOf(t, file("f")))
			data[len(data)-8] ^= 1
			return data
		}, "corrupt"},
		"other kind": {"a.rar", func(*testing.T) []byte { return nil }, "is neither a directory nor"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			source := filepath.Join(dir, test.name)
			if err := os.WriteFile(source, test.data(t), 0o600); err != nil {
				t.Fatal(err)
			}
			store := artifact.Store{Dir: filepath.Join(dir, "store", "artifacts")}
			_, _, err := store.Add(t.Context(), source, "claim")
			var bad *artifact.InvalidError
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an InvalidError with %q", err, test.want)
			}
			found := []string{}
			_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.Name() != test.name && entry.Name() != ".lock" && !entry.IsDir() {
					found = append(found, path)
				}
				return nil
			})
			if len(found) > 0 {
				t.Errorf("files are left: %v", found)
			}
		})
	}
}

func TestDirectoriesThatCannotBeArtifacts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	store := artifact.Store{Dir: filepath.Join(t.TempDir(), "artifacts")}
	for _, source := range []string{dir, filepath.Join(dir, "missing")} {
		var bad *artifact.InvalidError
		if _, _, err := store.Add(t.Context(), source, "claim"); !errors.As(err, &bad) {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestEveryKindUnpacksTheSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	if err := os.MkdirAll(filepath.Join(tree, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "bin", "run"), []byte("content of bin/run"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(tree, "bin", "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("bin/run", filepath.Join(tree, "run")); err != nil {
		t.Fatal(err)
	}
	data := tarOf(t, tar.Header{Name: "bin", Typeflag: tar.TypeDir}, file("bin/run"), link("run", "bin/run"))
	sources := map[string][]byte{"a.tar": data, "a.tar.gz": gzipped(t, data), "a.tgz": gzipped(t, data)}
	store := artifact.Store{Dir: filepath.Join(dir, "artifacts")}
	digest, want, err := store.Add(t.Context(), tree, "claim")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(store.Files(digest), "run")); err != nil || string(got) != "content of bin/run" {
		t.Errorf("run holds %q %v", got, err)
	}
	for name, data := range sources {
		source := filepath.Join(dir, name)
		if err := os.WriteFile(source, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, files, err := store.Add(t.Context(), source, "claim"); err != nil || files != want {
			t.Errorf("%s unpacks to %s %v, want %s", name, files, err, want)
		}
	}
}

func TestConcurrentAddsAndChangedCopies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source := filepath.Join(dir, "a.tar")
	if err := os.WriteFile(source, tarOf(t, file("a"), file("b")), 0o600); err != nil {
		t.Fatal(err)
	}
	store := artifact.Store{Dir: filepath.Join(dir, "artifacts")}
	var wg sync.WaitGroup
	digests := make([]string, 8)
	for i := range digests {
		wg.Add(1)
		go func() {
			defer wg.Done()
			digest, _, err := store.Add(t.Context(), source, "claim")
			if err != nil {
				t.Error(err)
			}
			digests[i] = digest
		}()
	}
	wg.Wait()
	var observer artifact.Observer
	pristine, changed, err := store.Observe(digests[0], &observer)
	if err != nil || len(changed) > 0 {
		t.Fatalf("%v %v", changed, err)
	}
	victim := filepath.Join(store.Files(digests[0]), "a")
	if err := os.WriteFile(victim, []byte("content of z"), 0o600); err != nil {
		t.Fatal(err)
	}
	files, changed, err := store.Observe(digests[0], &observer)
	if err != nil || files == pristine || !cmp.Equal(changed, []string{"a"}) {
		t.Errorf("a changed file is not seen: %v %v", changed, err)
	}
	// What is changed may be what serves: it stays as it is, beside a copy that is
	// as it should be.
	names := make([]string, 2)
	for i := range names {
		var unpacked string
		if names[i], unpacked, err = store.Add(t.Context(), source, "claim"); err != nil || unpacked != pristine {
			t.Fatal(unpacked, err)
		}
	}
	if names[0] == digests[0] || names[1] != names[0] {
		t.Errorf("the copies of %s have the names %v", digests[0], names)
	}
	if found, changed, err := store.Observe(names[0], &observer); err != nil || found != pristine {
		t.Errorf("the new copy: %v %v", changed, err)
	}
	if now, _, err := store.Observe(digests[0], &observer); err != nil || now != files {
		t.Errorf("the changed copy was touched: %v", err)
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := artifact.Store{Dir: filepath.Join(dir, "artifacts")}
	digests := map[string]string{}
	for _, name := range []string{"kept", "claimed", "free"} {
		source := filepath.Join(dir, name+".tar")
		if err := os.WriteFile(source, tarOf(t, file(name)), 0o600); err != nil {
			t.Fatal(err)
		}
		digest, _, err := store.Add(t.Context(), source, "claim")
		if err != nil {
			t.Fatal(err)
		}
		digests[name] = digest
	}
	store.Release(digests["kept"], "claim")
	store.Release(digests["free"], "claim")
	keep := func() (map[string]bool, error) { return map[string]bool{digests["kept"]: true}, nil }
	prune := func(at time.Time, want ...string) {
		t.Helper()
		if err := store.Prune(at, keep); err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, name := range []string{"claimed", "free", "kept"} {
			if _, err := store.Manifest(digests[name]); err == nil {
				left = append(left, name)
			} else if !errors.Is(err, artifact.ErrGone) {
				t.Error(err)
			}
		}
		if diff := cmp.Diff(want, left); diff != "" {
			t.Error(diff)
		}
	}
	prune(time.Now(), "claimed", "kept")
	prune(time.Now().Add(30*24*time.Hour), "kept")
}
