//go:build linux

package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/test/testbed/internal/binaries"
	"github.com/apm-deploy/apm/test/testbed/internal/debian"
	"github.com/apm-deploy/apm/test/testbed/internal/image"
	"github.com/apm-deploy/apm/test/testbed/internal/place"
)

// Program is the name of the testbed's command in a state directory.
const Program = "testbed"

// Options are what Up needs to know.
type Options struct {
	Progress   io.Writer
	Dir        string
	Repository string
	// Idle is how long the node stays when nobody uses it; 0 is ten minutes.
	Idle time.Duration
	// Keep lets it stay until Down.
	Keep bool
}

func keepFile(dir string) string { return filepath.Join(dir, "keep") }

func kept(dir string) bool {
	_, err := os.Stat(keepFile(dir))
	return err == nil
}

// Check says whether a node can run on this machine: ErrCannot if not.
func Check() error {
	if os.Getuid() != 0 {
		return fmt.Errorf("%w: it needs root, for namespaces, mounts and containers", ErrCannot)
	}
	try := exec.Command("true")
	try.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaceFlags}
	if err := try.Run(); err != nil {
		return fmt.Errorf("%w: root may make no namespaces here, as in a container that is not privileged: %w", ErrCannot, err)
	}
	return nil
}

// Prepare builds and installs what every node needs, and leaves it there.
func Prepare(ctx context.Context, o Options) error {
	if err := Check(); err != nil {
		return err
	}
	err := debian.Ensure(ctx, debian.Node, o.Progress)
	if errors.Is(err, debian.ErrMissing) {
		return fmt.Errorf("%w: %w", ErrCannot, err)
	}
	if err != nil {
		return err
	}
	_, err = binaries.Ensure(ctx, o.Repository, o.Progress)
	return err
}

// Up attaches to the node of a directory, or starts one. The lock that it returns
// says that the node is in use; it goes with the process. With several callers
// one starts and the others wait. A node of other sources is replaced unless
// somebody uses it.
func Up(ctx context.Context, o Options) (*State, *place.Lock, error) {
	if err := Prepare(ctx, o); err != nil {
		return nil, nil, err
	}
	lock, err := place.Take(ctx, startLock(o.Dir), false, func() {
		fmt.Fprintln(o.Progress, "testbed: another process starts or stops the node; waiting for it")
	})
	if err != nil {
		return nil, nil, err
	}
	defer lock.Release()
	state, err := o.up(ctx)
	if err != nil {
		return nil, nil, err
	}
	if o.Keep {
		if err := os.WriteFile(keepFile(o.Dir), nil, 0o644); err != nil {
			return nil, nil, err
		}
		state.Kept = true
	}
	user, err := place.Take(ctx, UsersLock(o.Dir), true, nil)
	return state, user, err
}

func (o Options) up(ctx context.Context) (*State, error) {
	mark, err := fingerprint(o.Repository)
	if err != nil {
		return nil, err
	}
	wasKept := false
	if state, err := Read(o.Dir); err == nil {
		state.Kept = kept(o.Dir)
		if state.Fingerprint == mark {
			return state, nil
		}
		alone, err := place.Try(UsersLock(o.Dir), false)
		if errors.Is(err, place.ErrHeld) {
			fmt.Fprintln(o.Progress, "testbed: the node is of other sources, but in use; it is taken as it is")
			return state, nil
		}
		if err != nil {
			return nil, err
		}
		alone.Release()
		wasKept = state.Kept
		fmt.Fprintln(o.Progress, "testbed: the node is of other sources; a new one is started")
	}
	if err := clean(o.Dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(o.Dir, "logs"), 0o755); err != nil {
		return nil, err
	}
	if wasKept {
		if err := os.WriteFile(keepFile(o.Dir), nil, 0o644); err != nil {
			return nil, err
		}
	}
	state, err := o.launch(ctx, mark)
	if err == nil {
		state.Kept = wasKept
		return state, nil
	}
	err = fmt.Errorf("start the node: %w\n%s", err, Tail(o.Dir))
	return nil, errors.Join(err, clean(o.Dir))
}

func (o Options) launch(ctx context.Context, mark string) (*State, error) {
	s := Service{Dir: o.Dir, Fingerprint: mark, Idle: o.Idle}
	if s.Idle == 0 {
		s.Idle = 10 * time.Minute
	}
	var err error
	if s.Programs, err = binaries.Ensure(ctx, o.Repository, o.Progress); err != nil {
		return nil, err
	}
	if s.Version, err = binaries.Version(o.Repository); err != nil {
		return nil, err
	}
	if err := image.Build(ctx, o.Repository, o.Dir); err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", filepath.Join(o.Dir, Program), "./testbed/cmd/testbed")
	build.Dir = filepath.Join(o.Repository, "test")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the supervisor: %w\n%s", err, output)
	}
	started := time.Now()
	settings, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(logFile(o.Dir, "supervisor"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// It outlives this process and everything that it may have inherited.
	serve := exec.Command(filepath.Join(o.Dir, Program), "serve", string(settings))
	serve.Dir, serve.Stdout, serve.Stderr = "/", log, log
	serve.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := serve.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- serve.Wait() }()
	for {
		if state, err := Read(o.Dir); err == nil {
			fmt.Fprintf(o.Progress, "testbed: Kubernetes %s is ready after %s\n", s.Version, time.Since(started).Round(100*time.Millisecond))
			return state, nil
		}
		select {
		case err := <-ended:
			return nil, fmt.Errorf("the supervisor ended: %w", err)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// fingerprint is that of all sources that a node is made of.
func fingerprint(repository string) (string, error) {
	sum := sha256.New()
	top := filepath.Join(repository, "test", "testbed")
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", path, len(content))
		_, _ = sum.Write(content)
		return nil
	})
	return hex.EncodeToString(sum.Sum(nil)[:12]), err
}
