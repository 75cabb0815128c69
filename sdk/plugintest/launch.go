package plugintest

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/apm-deploy/apm/sdk/wire"
)

// envSocketDir names the directory in which a plugin makes its socket.
const envSocketDir = "PLUGIN_UNIX_SOCKET_DIR"

// startTimeout bounds the time to the handshake line.
const startTimeout = 10 * time.Second

// Start starts a plugin and connects to it. It is stopped when the test ends.
// env is added to the environment of the contract ("NAME=value").
func Start(t T, command []string, env ...string) *Process {
	t.Helper()
	p, err := start(t, command, env)
	if err != nil {
		t.Fatalf("start plugin %q: %v\nits log:\n%s", command, err, p.Logs())
	}
	return p
}

func start(t T, command, env []string) (*Process, error) {
	p, first, err := launch(t, command, env)
	if err != nil {
		return p, err
	}
	select {
	case p.Line = <-first:
	case <-p.exited:
		p.outRead() // its last words
		p.errRead()
		select {
		case p.Line = <-first: // what is wrong with it says more than that it has ended
		default:
			return p, fmt.Errorf("exit before the handshake: %v", p.cmd.ProcessState)
		}
	case <-time.After(startTimeout):
		return p, fmt.Errorf("no handshake line within %v", startTimeout)
	}
	socket, err := p.readHandshake()
	if err != nil {
		return p, err
	}
	p.conn, err = wire.Dial(socket, p.tls())
	if err != nil {
		return p, err
	}
	t.Cleanup(func() { _ = p.conn.Close() })
	return p, nil
}

// launch starts the process in the environment of the contract, to which env is
// added, and hands out its first line.
func launch(t T, command, env []string) (*Process, <-chan string, error) {
	p := &Process{exited: make(chan struct{}), outEnded: make(chan struct{}), errEnded: make(chan struct{})}
	if c, ok := t.(*check); ok {
		c.keepLog(p.Logs)
	}
	runDir, err := os.MkdirTemp("", "apm") // the path of a socket must be short
	if err != nil {
		return p, nil, err
	}
	p.RunDir = runDir
	t.Cleanup(func() { _ = os.RemoveAll(runDir) })
	var pem string
	if p.host, pem, err = wire.NewCertificate(); err != nil {
		return p, nil, err
	}
	program, err := programOf(command)
	if err != nil {
		return p, nil, err
	}
	p.cmd = exec.CommandContext(context.Background(), program, command[1:]...)
	p.cmd.Dir = "/" // as the host has it
	inGroup(p.cmd)
	p.cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir(),
		wire.Handshake.MagicCookieKey + "=" + wire.Handshake.MagicCookieValue,
		"PLUGIN_PROTOCOL_VERSIONS=1", wire.EnvClientCert + "=" + pem, envSocketDir + "=" + runDir,
		"APM_PLUGIN_LIFELINE_FD=3", "APM_PLUGIN_LOG_LEVEL=debug",
	}, env...)
	first, err := p.run(t)
	return p, first, err
}

// programOf finds a program wherever it is called from.
func programOf(command []string) (string, error) {
	program, err := exec.LookPath(command[0])
	if err != nil {
		return "", err
	}
	return filepath.Abs(program)
}

// run starts the command and returns its first line. The process lives until the
// cleanup, which needs it, and so beyond the context of the test.
func (p *Process) run(t T) (<-chan string, error) {
	lifeline, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	errRead, errWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.lifeline, p.cmd.ExtraFiles = ours, []*os.File{lifeline}
	// Files and not writers: what the plugin started may hold them open for
	// longer than it lives, which must not keep Wait.
	p.cmd.Stdout, p.cmd.Stderr = outWrite, errWrite
	err = p.cmd.Start()
	for _, theirs := range []*os.File{lifeline, outWrite, errWrite} {
		_ = theirs.Close()
	}
	if err != nil {
		return nil, errors.Join(err, ours.Close(), outRead.Close(), errRead.Close())
	}
	first := make(chan string, 1)
	var readers sync.WaitGroup
	readers.Go(func() {
		defer close(p.outEnded)
		copyOutput(&p.stdout, outRead, first)
	})
	readers.Go(func() {
		defer close(p.errEnded)
		copyOutput(&p.stderr, errRead, nil)
	})
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // the exit code is asked for where it matters
	}()
	t.Cleanup(func() {
		_ = p.lifeline.Close() // a case may have closed it
		p.Kill()
		_ = outRead.Close()
		_ = errRead.Close()
		readers.Wait()
	})
	return first, nil
}

func copyOutput(to io.Writer, from io.Reader, first chan<- string) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if first != nil && line != "" {
			first <- strings.TrimSuffix(line, "\n")
			first = nil
		}
		_, _ = io.WriteString(to, line) // to memory
		if err != nil {
			return
		}
	}
}

// readHandshake reads "1|1|unix|SOCKET|grpc|CERTIFICATE".
func (p *Process) readHandshake() (socket string, err error) {
	parts := strings.Split(p.Line, "|")
	if len(parts) == 6 && parts[0] == "1" && parts[1] != "1" {
		return "", fmt.Errorf("the plugin speaks version %s of the plugin protocol, this suite version 1: build it with an SDK of this version, or take the suite of its own", oneLine(parts[1]))
	}
	if len(parts) != 6 || parts[0] != "1" || parts[2] != "unix" || parts[4] != "grpc" {
		return "", fmt.Errorf("the first line on standard output is %q, not 1|1|unix|SOCKET|grpc|CERTIFICATE", clip(p.Line))
	}
	der, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return "", fmt.Errorf("read certificate of handshake line: %w", err)
	}
	if p.plugin, err = x509.ParseCertificate(der); err != nil {
		return "", fmt.Errorf("read certificate of handshake line: %w", err)
	}
	return parts[3], nil
}

// clip shortens a line for a message.
func clip(line string) string {
	const longest = 100
	if len(line) > longest {
		line = line[:longest] + "…"
	}
	return line
}
