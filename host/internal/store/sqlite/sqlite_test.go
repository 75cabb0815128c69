package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/apm-deploy/apm/host/internal/seal"
	"github.com/apm-deploy/apm/host/internal/store"
	"github.com/apm-deploy/apm/host/internal/store/sqlite"
	"github.com/apm-deploy/apm/host/internal/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, config(t, t.TempDir())) })
}

// config is that of a database in the directory, sealed by the key beside it.
func config(t *testing.T, directory string) sqlite.Config {
	t.Helper()
	path := filepath.Join(directory, "apm.db")
	exists, err := sqlite.Exists(path)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.Open(directory, exists)
	if err != nil {
		t.Fatal(err)
	}
	return sqlite.Config{Path: path, Sealer: sealer, HostID: "host-a"}
}

// open opens a store that is closed when the test ends.
func open(t *testing.T, c sqlite.Config) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// elsewhere is the configuration of a database in the directory, sealed by a key
// that lies somewhere else.
func elsewhere(t *testing.T, directory string) sqlite.Config {
	t.Helper()
	c := config(t, t.TempDir())
	c.Path = filepath.Join(directory, "apm.db")
	return c
}
