package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/store/sqlite"
)

// TestKilled kills a process that writes, several times over, at moments that
// nobody chose: nothing that it was told is stored may be missing.
func TestKilled(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	acknowledged := map[string]uint64{}
	for round := range 5 {
		command, stderr := process(t.Context(), t, "commit until killed", directory)
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			var id string
			var seq uint64
			// The last line may be cut.
			if _, err := fmt.Sscanf(lines.Text(), "%s %d.", &id, &seq); err == nil {
				acknowledged[id] = max(acknowledged[id], seq)
			}
			if n == 100*(round+1) {
				if err := command.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := command.Wait(); err == nil || stderr.Len() > 0 {
			t.Fatalf("it was not killed: %v, %s", err, stderr)
		}
		if _, err := verify(t.Context(), directory, acknowledged); err != nil {
			t.Fatal(err)
		}
	}
	if len(acknowledged) < 5 {
		t.Fatalf("%d deployments were acknowledged", len(acknowledged))
	}
}

// commitUntilKilled is a process that writes and tells what is stored.
func commitUntilKilled(directory string, out io.Writer) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(directory, "apm.db"), Sealer: plain{}})
	if err != nil {
		return err
	}
	const writers, commits = 4, 20
	var all sync.WaitGroup
	var mu sync.Mutex
	var failure error
	for writer := range writers {
		all.Go(func() {
			for n := 0; ; n++ {
				target := deployment.Target{Application: "shop", Environment: fmt.Sprintf("%d-%d", writer, time.Now().UnixNano())}
				err := write(ctx, s, target, commits, func(id string, seq uint64) {
					mu.Lock()
					defer mu.Unlock()
					fmt.Fprintf(out, "%s %d.\n", id, seq)
				})
				if err != nil {
					mu.Lock()
					defer mu.Unlock()
					failure = errors.Join(failure, err)
					return
				}
			}
		})
	}
	all.Wait()
	return failure
}

// write accepts a deployment and commits to it.
func write(ctx context.Context, s *sqlite.Store, target deployment.Target, commits int, stored func(string, uint64)) error {
	a := build(target, target.Environment)
	if err := s.Accept(ctx, a); err != nil {
		return err
	}
	stored(a.Deployment.ID, 1)
	if _, err := s.Claim(ctx, "host-a", time.Hour); err != nil {
		return err
	}
	leases, err := s.Renew(ctx, "host-a", time.Hour)
	if err != nil {
		return err
	}
	for _, lease := range leases {
		for i := 0; i < commits && lease.Target == target; i++ {
			if err := s.Commit(ctx, next(a.Deployment, lease)); err != nil {
				return err
			}
			stored(a.Deployment.ID, a.Deployment.Seq)
		}
	}
	return nil
}

// verify wants a whole database in which nothing is missing.
func verify(ctx context.Context, directory string, acknowledged map[string]uint64) (deployments int, err error) {
	path := filepath.Join(directory, "apm.db")
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return 0, err
	}
	var integrity string
	err = db.QueryRowContext(ctx, `PRAGMA integrity_check`).Scan(&integrity)
	if err := errors.Join(err, db.Close()); err != nil {
		return 0, err
	}
	if integrity != "ok" {
		return 0, fmt.Errorf("integrity: %s", integrity)
	}
	s, err := sqlite.Open(ctx, sqlite.Config{Path: path, Sealer: plain{}})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for id, seq := range acknowledged {
		d, err := s.Deployment(ctx, id)
		if err != nil {
			return 0, err
		}
		events, err := s.Events(ctx, id, 0, 500)
		if err != nil {
			return 0, err
		}
		for i := range events {
			if events[i].Seq != uint64(i+1) {
				return 0, fmt.Errorf("deployment %s: seq %d at place %d", id, events[i].Seq, i+1)
			}
		}
		// At most the one in flight is there without having been acknowledged.
		if n := min(uint64(len(events)), 500); n < min(seq, 500) || d.Seq < seq || d.Seq > seq+1 {
			return 0, fmt.Errorf("deployment %s: %d events, seq %d, acknowledged %d", id, len(events), d.Seq, seq)
		}
	}
	return len(acknowledged), nil
}
