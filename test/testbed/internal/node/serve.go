//go:build linux

package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/test/testbed/internal/image"
	"github.com/apm-deploy/apm/test/testbed/internal/place"
	"github.com/apm-deploy/apm/test/testbed/internal/registry"
)

// A Service is what Serve needs to know.
type Service struct {
	Log *slog.Logger `json:"-"`
	// Dir is the state directory, with the built server in it.
	Dir string `json:"dir"`
	// Programs is where the binaries of Kubernetes are.
	Programs    string `json:"programs"`
	Version     string `json:"version"`
	Fingerprint string `json:"fingerprint"`
	// Idle is how long the node stays when nobody uses it.
	Idle time.Duration `json:"idle"`
}

// patience is how long a node may take to be ready. Calm machines need seconds.
const patience = 3 * time.Minute

// Serve runs a node until the context ends, the node does, or nobody has used it
// for a while, and removes what it made. The state file appears when the node is
// ready.
func Serve(ctx context.Context, s Service) (err error) {
	if err := writePID(pidFile(s.Dir), os.Getpid()); err != nil {
		return err
	}
	n, slot, err := takeSlot()
	if err != nil {
		return err
	}
	defer slot.Release()
	if err := os.MkdirAll(filepath.Join(s.Dir, "pki"), 0o700); err != nil {
		return err
	}
	if err := writeSecrets(s.Dir, n); err != nil {
		return err
	}
	if err := makeCgroups(s.Dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeCgroups(s.Dir)) }()
	space, err := s.newNamespaces()
	if err != nil {
		return err
	}
	defer n.disconnect(context.WithoutCancel(ctx))
	defer space.end()
	if err := n.connect(ctx, space.pid); err != nil {
		return err
	}
	images, err := s.images(n.host())
	if err != nil {
		return err
	}
	defer images.Stop()
	a := arrangement{Dir: s.Dir, Programs: s.Programs, Registry: images.Address(), Network: n}
	if err := a.write(); err != nil {
		return err
	}
	if err := json.NewEncoder(space.pipe).Encode(a); err != nil {
		return err
	}
	if err := s.ready(ctx, space, n.api()); err != nil {
		return err
	}
	state := State{
		Dir: s.Dir, Started: time.Now().UTC(), Kubeconfig: filepath.Join(s.Dir, "kubeconfig"), Programs: s.Programs,
		Version: s.Version, Address: n.node(), HostAddress: n.host(), Registry: images.Address(), Fingerprint: s.Fingerprint,
	}
	if err := state.write(); err != nil {
		return err
	}
	s.Log.Info("node is ready", "address", n.node(), "registry", images.Address())
	lock, reason := s.watch(ctx, space)
	s.Log.Info("node ends", "reason", reason)
	_ = os.Remove(stateFile(s.Dir))
	if lock == nil {
		return nil
	}
	// Nobody else removes what it leaves.
	defer lock.Release()
	space.end()
	return errors.Join(removeCgroups(s.Dir), os.RemoveAll(s.Dir))
}

// ready waits for the node, or for the end of its first process.
func (s Service) ready(ctx context.Context, space *namespaces, address string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-space.ended:
			cancel(errors.New("its first process ended"))
		case <-ctx.Done():
		}
	}()
	server, err := newAPI(s.Dir, address)
	if err != nil {
		return err
	}
	err = eventually(ctx, patience, "the node is ready", server.nodeReady)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return fmt.Errorf("%w (%w)", err, cause)
	}
	return err
}

// watch returns why the node should end, and, when that is for want of users, the
// lock that keeps others from starting or taking it meanwhile.
func (s Service) watch(ctx context.Context, space *namespaces) (*place.Lock, string) {
	used := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, "it was told to"
		case <-space.ended:
			return nil, "its first process ended"
		case <-tick.C:
		}
		starts, err := place.Try(startLock(s.Dir), false)
		if err != nil { // somebody comes, or ends it
			used = time.Now()
			continue
		}
		user, err := place.Try(UsersLock(s.Dir), false)
		if err != nil || kept(s.Dir) {
			used = time.Now()
		}
		user.Release()
		if time.Since(used) > s.Idle {
			return starts, "nobody used it for " + s.Idle.String()
		}
		starts.Release()
	}
}

// images starts the node's registry with the images that every test may use.
func (s Service) images(host string) (*registry.Registry, error) {
	layer, err := image.Layer(s.Dir)
	if err != nil {
		return nil, err
	}
	r, err := registry.Start("127.0.0.1", host)
	if err != nil {
		return nil, err
	}
	for reference, c := range image.Standard {
		one, err := image.New(layer, c.Args, c.Environment)
		if err == nil {
			_, err = r.Push(one, reference)
		}
		if err != nil {
			r.Stop()
			return nil, fmt.Errorf("make image %s: %w", reference, err)
		}
	}
	return r, nil
}

// namespaces are those of a node with their first process.
type namespaces struct {
	ended   chan struct{}
	pipe    io.WriteCloser
	process *os.Process
	pid     int
}

const namespaceFlags = syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS |
	syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC

func (s Service) newNamespaces() (*namespaces, error) {
	output, err := os.OpenFile(logFile(s.Dir, "init"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	command := exec.Command(filepath.Join(s.Dir, Program), "init")
	command.Dir, command.Stdout, command.Stderr = "/", output, output
	command.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: namespaceFlags,
	}
	pipe, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("make namespaces: %w", err)
	}
	n := &namespaces{ended: make(chan struct{}), pipe: pipe, process: command.Process, pid: command.Process.Pid}
	go func() {
		_ = command.Wait()
		close(n.ended)
	}()
	if err := writePID(initFile(s.Dir), n.pid); err != nil {
		n.end()
		return nil, err
	}
	return n, nil
}

// end kills everything in the namespaces; the kernel lets the first process go
// last.
func (n *namespaces) end() {
	_ = n.process.Kill()
	<-n.ended
}
