package plugintest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/apm-deploy/apm/sdk/wire"
)

// Process is a plugin that runs as a process of its own, started by the wire
// contract.
type Process struct {
	Line   string // the handshake line
	RunDir string // where its socket is

	conn     *wire.Conn
	plugin   *x509.Certificate
	host     tls.Certificate // the client certificate that it was given
	cmd      *exec.Cmd
	lifeline *os.File
	stdout   output
	stderr   output
	exited   chan struct{}
	outEnded chan struct{} // all of standard output was read
	errEnded chan struct{} // and of standard error
}

// output collects what a process writes.
type output struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.String()
}

// Client returns the platform.
func (p *Process) Client(options ...wire.ClientOption) *wire.Client { return p.conn.Client(options...) }

// socket is where it serves.
func (p *Process) socket() string { return strings.Split(p.Line, "|")[3] }

// tls is the host's side of the connection.
func (p *Process) tls() *tls.Config { return tlsConfig(p.plugin, p.host) }

// outRead waits for the end of standard output, and errRead for that of standard
// error; not for long: what the plugin started may hold them open.
func (p *Process) outRead() { waitBriefly(p.outEnded) }
func (p *Process) errRead() { waitBriefly(p.errEnded) }

func waitBriefly(ended <-chan struct{}) {
	select {
	case <-ended:
	case <-time.After(endTimeout):
	}
}

// Serving asks the health service.
func (p *Process) Serving(ctx context.Context) error { return p.conn.Serving(ctx) }

// Shutdown asks the process to end.
func (p *Process) Shutdown(ctx context.Context) error { return p.conn.Shutdown(ctx) }

// Logs returns what was written to standard error.
func (p *Process) Logs() string { return p.stderr.String() }

// Stdout returns what was written to standard output, the handshake line
// included.
func (p *Process) Stdout() string { return p.stdout.String() }

// Signal sends a signal.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Kill ends the process and its group with SIGKILL and waits for its end.
func (p *Process) Kill() {
	killGroup(p.cmd)
	<-p.exited
}

// CloseLifeline does what the death of the host does.
func (p *Process) CloseLifeline() error { return p.lifeline.Close() }

// Exited waits for the end of the process, for at most limit, and returns its exit
// code. The time in which the process wanted to run and other processes had the
// processors does not count, up to four times the limit.
func (p *Process) Exited(limit time.Duration) (code int, ended bool) {
	start, waited := time.Now(), starved(p.cmd.Process.Pid)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case <-p.exited:
			return p.cmd.ProcessState.ExitCode(), true
		case <-timer.C:
		}
		counts := time.Since(start) - min(max(starved(p.cmd.Process.Pid)-waited, 0), 4*limit)
		if counts >= limit {
			return 0, false
		}
		timer.Reset(limit - counts)
	}
}
