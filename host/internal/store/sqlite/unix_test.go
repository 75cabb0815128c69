//go:build unix

package sqlite_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/store/sqlite"
)

// asNobody takes the rights of root from a process, if this one has them.
func asNobody(t *testing.T, command *exec.Cmd, readable string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	const nobody = 65534
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	// The test binary lies where nobody may look.
	program, err := os.ReadFile(command.Path)
	if err != nil {
		t.Fatal(err)
	}
	command.Path = filepath.Join(readable, "program")
	if err := os.WriteFile(command.Path, program, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	command, stderr := process(t.Context(), t, "fill the disk", t.TempDir())
	if err := command.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
}

// fillTheDisk is a process that may write no more for a while.
func fillTheDisk(directory string, _ io.Writer) error {
	signal.Ignore(syscall.SIGXFSZ)
	ctx := context.Background()
	s, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(directory, "apm.db"), Sealer: plain{}})
	if err != nil {
		return err
	}
	a := build(shop, "d1")
	d := a.Deployment
	if err := s.Accept(ctx, a); err != nil {
		return err
	}
	leases, err := s.Claim(ctx, "host-a", time.Hour)
	if err != nil {
		return err
	}
	change := func() error {
		c := next(d, leases[0])
		c.Blobs = []deployment.Blob{{Key: fmt.Sprint(d.Seq), DeploymentID: d.ID, Data: make([]byte, 50_000)}}
		return s.Commit(ctx, c)
	}
	for range 3 {
		if err := limit(directory); err != nil {
			return err
		}
		written := d.Seq
		for err = nil; err == nil && d.Seq < written+1000; {
			err = change()
		}
		d.Seq-- // the last one was not written
		if !errors.Is(err, deployment.ErrUnavailable) {
			return fmt.Errorf("on a full disk not unavailable: %w", orNone(err))
		}
		// What was too much for the change may be room enough to look at the health.
		if err := setLimit(1); err != nil {
			return err
		}
		if err := s.Health(ctx); !errors.Is(err, deployment.ErrUnavailable) {
			return fmt.Errorf("health on a full disk not unavailable: %w", orNone(err))
		}
		events, err := s.Events(ctx, d.ID, d.Seq-1, 10)
		if err != nil || len(events) != 1 {
			return fmt.Errorf("read on a full disk: %d events, %w", len(events), orNone(err))
		}
		if err := unlimited(); err != nil {
			return err
		}
		if err := s.Health(ctx); err != nil {
			return fmt.Errorf("health when there is room again: %w", err)
		}
		for range 20 {
			if err := change(); err != nil {
				return fmt.Errorf("when there is room again: %w", err)
			}
		}
	}
	if err := s.Close(); err != nil {
		return err
	}
	_, err = verify(ctx, directory, map[string]uint64{d.ID: d.Seq})
	return err
}

// errNone stands for an error that should have been there.
var errNone = errors.New("no error")

func orNone(err error) error { return cmp.Or(err, errNone) }

// limit leaves room for little in the files of this process.
func limit(directory string) error {
	largest := int64(0)
	for _, name := range []string{"apm.db", "apm.db-wal"} {
		info, err := os.Stat(filepath.Join(directory, name))
		if err != nil {
			return err
		}
		largest = max(largest, info.Size())
	}
	return setLimit(uint64(largest) + 10_000)
}

func unlimited() error {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
		return err
	}
	return setLimit(now.Max)
}

func setLimit(size uint64) error {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
		return err
	}
	now.Cur = size
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &now)
}
