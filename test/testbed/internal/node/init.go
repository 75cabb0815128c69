//go:build linux

package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// Init is the first process of the node's namespaces. It reads how the node is
// arranged from the supervisor, starts everything, and returns when the
// supervisor is gone, or with an error when the node cannot be started; the
// kernel then ends whatever runs in the namespaces.
func Init(ctx context.Context, supervisor io.Reader, log io.Writer) error {
	if os.Getpid() != 1 {
		return errors.New("init: it must be the first process of a namespace")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var a arrangement
	decoder := json.NewDecoder(supervisor)
	if err := decoder.Decode(&a); err != nil {
		return fmt.Errorf("init: read the arrangement: %w", err)
	}
	go func() {
		// Nothing more comes: the supervisor holds the pipe as long as it lives.
		_, _ = io.Copy(io.Discard, supervisor)
		cancel(errGone)
	}()
	if err := a.start(ctx, log); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, errGone) {
		return err
	}
	return nil
}

var errGone = errors.New("supervisor is gone")

func (a arrangement) start(ctx context.Context, log io.Writer) error {
	if err := syscall.Sethostname([]byte(Name)); err != nil {
		return err
	}
	if err := a.arrangeMounts(); err != nil {
		return err
	}
	if err := a.Network.inside(ctx); err != nil {
		return err
	}
	// Commands with a Wait of their own (ip) are done; from here on one waits for all.
	units := newUnits(a.Dir, log)
	go units.reap()
	if err := units.control(socket(a.Dir)); err != nil {
		return err
	}
	const patience = 90 * time.Second
	if err := units.add(a.storage()...); err != nil {
		return err
	}
	if err := eventually(ctx, patience, "etcd answers", etcdReady); err != nil {
		return err
	}
	if err := units.add(a.apiserver()); err != nil {
		return err
	}
	if err := eventually(ctx, patience, "containerd answers", containerdReady); err != nil {
		return err
	}
	server, err := newAPI(a.Dir, "127.0.0.1:"+apiPort)
	if err != nil {
		return err
	}
	if err := eventually(ctx, patience, "the API server is ready", server.ready); err != nil {
		return err
	}
	return units.add(a.others()...)
}

func etcdReady(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:2379/health", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

func containerdReady(ctx context.Context) error {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "unix", containerdSocket)
	if err == nil {
		_ = connection.Close()
	}
	return err
}
