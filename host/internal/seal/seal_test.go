package seal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/seal"
)

func open(t *testing.T, directory string, databaseExists bool) *seal.Sealer {
	t.Helper()
	s, err := seal.Open(directory, databaseExists)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedOpensInItsRowOnly(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	plaintext, row := []byte("a secret of the application"), []byte("deployment/1")
	sealed, err := open(t, directory, false).Seal(plaintext, row)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, plaintext) {
		t.Fatal("the plaintext is in what was sealed")
	}

	later := open(t, directory, true) // the next start
	opened, err := later.Open(sealed, row)
	if err != nil || !bytes.Equal(opened, plaintext) {
		t.Fatalf("Open() = %q, %v", opened, err)
	}
	again, err := later.Seal(plaintext, row)
	if err != nil || bytes.Equal(again, sealed) {
		t.Fatalf("sealed twice, it is the same (or %v)", err)
	}

	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for name, try := range map[string]struct {
		sealer      *seal.Sealer
		sealed, row []byte
	}{
		"another row": {later, sealed, []byte("deployment/2")},
		"changed":     {later, changed, row},
		"cut":         {later, sealed[:len(sealed)/2], row},
		"nothing":     {later, nil, row},
		"another key": {open(t, t.TempDir(), false), sealed, row},
	} {
		if got, err := try.sealer.Open(try.sealed, try.row); err == nil {
			t.Errorf("%s: opened as %q", name, got)
		}
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil    func(t *testing.T, path string)
		database bool
		want     []string
	}{
		"missing with a database": {func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, true, []string{"missing", "put back"}},
		"readable by others": {func(t *testing.T, path string) {
			if err := os.Chmod(path, 0o640); err != nil {
				t.Fatal(err)
			}
		}, true, []string{"open to others", "0640", "chmod 600"}},
		"damaged": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, true, []string{"damaged", "backup"}},
		"empty, without a database": {func(t *testing.T, path string) {
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
		}, false, []string{"damaged", "backup"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			open(t, directory, false)
			path := filepath.Join(directory, seal.KeyFile)
			test.spoil(t, path)
			before, _ := os.ReadFile(path)
			_, err := seal.Open(directory, test.database)
			if deployment.CodeOf(err) != deployment.Unavailable {
				t.Fatalf("Open: %v", err)
			}
			for _, part := range append(test.want, path) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestKeyIsMadeForTheOwnerAlone(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	open(t, directory, false)
	info, err := os.Stat(filepath.Join(directory, seal.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("mode %04o, want 0600", mode)
	}
	if entries, _ := os.ReadDir(directory); len(entries) != 1 {
		t.Errorf("%d files were left, want the key alone", len(entries))
	}
}

func TestDirectoryMissing(t *testing.T) {
	t.Parallel()
	_, err := seal.Open(filepath.Join(t.TempDir(), "gone"), false)
	if deployment.CodeOf(err) != deployment.Unavailable || !strings.Contains(err.Error(), "cannot be made") {
		t.Errorf("Open: %v", err)
	}
}

func TestTwoFirstStartsAgreeOnOneKey(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	sealers := make([]*seal.Sealer, 8)
	var all sync.WaitGroup
	for i := range sealers {
		all.Go(func() {
			s, err := seal.Open(directory, false)
			if err != nil {
				t.Error(err)
				return
			}
			sealers[i] = s
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	sealed, err := sealers[0].Seal([]byte("text"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range sealers {
		if _, err := s.Open(sealed, nil); err != nil {
			t.Errorf("start %d has another key: %v", i, err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	s, err := seal.Open(b.TempDir(), false)
	if err != nil {
		b.Fatal(err)
	}
	plaintext := make([]byte, 16<<10)
	b.SetBytes(int64(len(plaintext)))
	for b.Loop() {
		if _, err := s.Seal(plaintext, []byte("deployment/1")); err != nil {
			b.Fatal(err)
		}
	}
}
