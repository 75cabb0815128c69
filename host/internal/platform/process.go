package platform

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/apm-deploy/apm/sdk/wire"
)

// launch is all that one start of a plugin needs.
type launch struct {
	plugin   Plugin
	platform string // "" where it is started for no platform
	path     string // of the binary that is executed
	secrets  *secrets
	runBase  string
	log      *slog.Logger
	times    Times
}

// process is a plugin that runs and answers. Whoever has one must stop it.
type process struct {
	platform *wire.Client

	child    *child
	client   *plugin.Client
	protocol plugin.ClientProtocol
	tail     *tail
	dir      *runDir
	lifeline *os.File // the plugin ends when this end of the pipe is closed
	stopTime time.Duration
	stopping chan struct{}  // closed when it is going to be stopped
	leave    func()         // closes stopping, once
	guarding sync.WaitGroup // guard
	asking   sync.WaitGroup // pings under way
}

// start starts a plugin by the wire contract, up to the handshake. On an error
// nothing is left: no process, no directory, no descriptor. The end of ctx ends
// the start, and nothing afterwards.
func start(ctx context.Context, l launch) (*process, error) {
	log := l.log.With("plugin", l.plugin.Name)
	if l.platform != "" {
		log = log.With("platform", l.platform)
	}
	p := &process{tail: &tail{secrets: l.secrets}, stopTime: l.times.Stop, stopping: make(chan struct{})}
	p.leave = sync.OnceFunc(func() { close(p.stopping) })
	certificate, clientPEM, err := wire.NewCertificate()
	if err != nil {
		return nil, err
	}
	if p.dir, err = newRunDir(l.runBase); err != nil {
		return nil, err
	}
	pluginEnd, hostEnd, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make lifeline: %w", err), p.dir.remove())
	}
	p.lifeline = hostEnd
	defer func() { _ = pluginEnd.Close() }() // the plugin has its own

	var variables []string // set by go-plugin before the process starts
	p.child, err = newChild(func() *exec.Cmd {
		cmd := exec.CommandContext(context.Background(), l.path) // outlives ctx: stop ends it
		cmd.Dir = "/"
		cmd.Env = environment(l.plugin, variables, p.dir.path, clientPEM)
		cmd.ExtraFiles = []*os.File{pluginEnd}
		cmd.SysProcAttr = attributes()
		return cmd
	}, newRelay(log, p.tail))
	if err != nil {
		return nil, errors.Join(err, p.lifeline.Close(), p.dir.remove())
	}
	p.client = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake,
		Plugins:          wire.PluginSet(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		SkipHostEnv:      true,
		// go-plugin puts the certificate of the plugin's handshake into RootCAs.
		// A plugin without one is trusted by nobody.
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{certificate}, RootCAs: x509.NewCertPool(),
			MinVersion: tls.VersionTLS12, ServerName: "localhost",
		},
		StartTimeout:     2 * l.times.Start, // ours ends it
		Logger:           hclog.NewNullLogger(),
		GRPCDialOptions:  wire.DialOptions(),
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: p.dir.path},
		RunnerFunc: func(_ hclog.Logger, prepared *exec.Cmd, _ string) (runner.Runner, error) {
			variables = prepared.Env
			return p.child, nil
		},
	})
	if err := p.connect(ctx, l); err != nil {
		return nil, errors.Join(err, p.discard())
	}
	// Not before, because a runtime may raise the limit that it finds at its start.
	if err := p.limitFiles(l.plugin); err != nil {
		return nil, errors.Join(err, p.discard())
	}
	p.guarding.Go(func() { p.guard(l.times, l.plugin.MemoryLimit) })
	return p, nil
}

// connect waits for the handshake.
func (p *process) connect(ctx context.Context, l launch) error {
	starting, cancel := context.WithTimeout(ctx, l.times.Start)
	defer cancel()
	// go-plugin's own calls have no deadline: the end of the process ends them.
	unwatch := context.AfterFunc(starting, p.child.kill)
	var err error
	if p.protocol, err = p.client.Client(); err == nil {
		var dispensed any
		if dispensed, err = p.protocol.Dispense(wire.PluginKey); err == nil {
			p.platform, _ = dispensed.(*wire.Client)
		}
	}
	inTime := unwatch()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil || !inTime:
		return p.explainStart(l, err, inTime)
	case checkHandshake(l.plugin.Name, p.child.out.text(), nil) != nil:
		return checkHandshake(l.plugin.Name, p.child.out.text(), nil)
	case p.platform == nil:
		return fmt.Errorf("start plugin %q: go-plugin dispensed no platform", l.plugin.Name)
	}
	return nil
}

// discard ends the process at once.
func (p *process) discard() error {
	hurry, cancel := context.WithCancel(context.Background())
	cancel()
	return p.stop(hurry)
}

// stop ends the process: Shutdown, and SIGKILL of its group when that takes too
// long or hurry ends. It returns when nothing is left.
func (p *process) stop(hurry context.Context) error {
	p.leave()
	p.guarding.Wait()
	if hurry.Err() != nil {
		p.child.kill()
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		p.client.Kill()
	}()
	timer := time.NewTimer(p.stopTime)
	defer timer.Stop()
	select {
	case <-stopped:
	case <-timer.C:
	case <-hurry.Done():
	}
	p.child.kill()
	err := p.lifeline.Close()
	<-stopped
	if p.child.ID() != "" {
		<-p.child.settled
	} else {
		p.child.abandon()
	}
	p.asking.Wait()
	return errors.Join(err, p.dir.remove())
}
