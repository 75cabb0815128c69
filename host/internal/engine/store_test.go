package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	"github.com/apm-deploy/apm/host/internal/seal"
	"github.com/apm-deploy/apm/host/internal/store/sqlite"
)

// freshDirectory is where main keeps the store that new rigs begin with.
var freshDirectory string

// fresh is the directory of an empty store, made once: to make one takes longer
// than most tests need it for.
var fresh = sync.OnceValue(func() string {
	s, err := openStore(context.Background(), freshDirectory)
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		panic(err)
	}
	return freshDirectory
})

func openStore(ctx context.Context, directory string) (*sqlite.Store, error) {
	sealer, err := seal.Open(directory, false)
	if err != nil {
		return nil, err
	}
	return sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(directory, "apm.db"), Sealer: sealer, HostID: "host"})
}

// copy makes the rig begin with the files of a store that is closed.
func (r *rig) copy(directory string) {
	r.t.Helper()
	files, err := os.ReadDir(directory)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, file := range files { // with the mode that the key insists on
		data, err := os.ReadFile(filepath.Join(directory, file.Name()))
		if err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(r.directory, file.Name()), data, 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
}

// open opens the store; shut, at the latest the end of the test, closes it.
func (r *rig) open() {
	r.t.Helper()
	s, err := openStore(r.t.Context(), r.directory)
	if err != nil {
		r.t.Fatal(err)
	}
	r.store = s
	r.shut = sync.OnceFunc(func() {
		r.stop()
		if err := s.Close(); err != nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(r.shut)
}
