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

// origin is what a rig's store begins with: a store in memory, or the files of a
// real one that is closed.
type origin struct {
	directory string
	ram       *ram
}

// origin is the rig's store as it is, for others to begin with; it is closed.
func (r *rig) origin() origin {
	r.shut()
	if m, is := r.store.(*ram); is {
		return origin{ram: m}
	}
	return origin{directory: r.directory}
}

// open opens the rig's store; shut, at the latest the end of the test, closes it.
func (r *rig) open(from origin) {
	r.t.Helper()
	if from.ram != nil {
		r.store = from.ram.clone()
	} else {
		r.copy(from.directory)
		s, err := openStore(r.t.Context(), r.directory)
		if err != nil {
			r.t.Fatal(err)
		}
		r.store = s
	}
	opened := r.store
	r.shut = sync.OnceFunc(func() {
		r.stop()
		if err := opened.Close(); err != nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(r.shut)
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
