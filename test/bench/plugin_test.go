package main_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/apm-deploy/apm/sdk/serve"
	"github.com/apm-deploy/apm/sdk/wire"
)

// envRole makes the test binary the other process of a benchmark, so that both
// sides are the same binary.
const envRole = "APM_BENCH_ROLE"

// The roles.
const (
	product   = "product"   // a plugin as the SDK serves it
	bareTLS   = "bare"      // grpc-go and nothing else, with the same mutual TLS
	barePlain = "bareplain" // grpc-go and nothing else
)

func TestMain(m *testing.M) {
	switch role := os.Getenv(envRole); role {
	case product:
		os.Exit(serve.Main(benchPlugin())) //nolint:forbidigo // the main of a plugin
	case bareTLS, barePlain:
		if err := serveBare(role == bareTLS); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // the main of a process
		}
	default:
		m.Run()
	}
}

// other is the process on the far side.
type other struct {
	conn *grpc.ClientConn
	acks *os.File // a byte lets it send its next event
	pid  int
}

// startOther starts the test binary again in a role and connects to it.
func startOther(b *testing.B, role string) *other {
	b.Helper()
	certificate, encoded, err := wire.NewCertificate()
	must(b, err)
	dir, err := os.MkdirTemp("/tmp", "apm") //nolint:usetesting // the path of a socket must be short
	must(b, err)
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	lifeline, ours, err := os.Pipe()
	must(b, err)
	acks, ackIn, err := os.Pipe()
	must(b, err)
	cmd := exec.CommandContext(context.Background(), os.Args[0])
	cmd.Env = append(os.Environ(), envRole+"="+role, "PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR="+dir,
		wire.Handshake.MagicCookieKey+"="+wire.Handshake.MagicCookieValue, wire.EnvClientCert+"="+encoded,
		"APM_PLUGIN_LIFELINE_FD=3", "APM_PLUGIN_LOG_LEVEL=error")
	cmd.ExtraFiles, cmd.Stderr = []*os.File{lifeline, acks}, os.Stderr
	out, err := cmd.StdoutPipe()
	must(b, err)
	must(b, cmd.Start())
	must(b, errors.Join(lifeline.Close(), acks.Close()))
	b.Cleanup(func() {
		_ = ours.Close()
		_ = ackIn.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	must(b, err)
	parts := strings.Split(strings.TrimSpace(line), "|")
	if len(parts) != 6 {
		b.Fatalf("handshake %q", line)
	}
	var options []grpc.DialOption
	if role == product {
		options = wire.DialOptions()
	}
	conn, err := grpc.NewClient("passthrough:///plugin", append(options,
		grpc.WithTransportCredentials(clientCredentials(b, parts[5], certificate)), grpc.WithAuthority("localhost"),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", parts[3])
		}))...)
	must(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	return &other{conn: conn, acks: ackIn, pid: cmd.Process.Pid}
}

// clientCredentials trust the one certificate of the handshake line; without one
// there is no TLS.
func clientCredentials(b *testing.B, encoded string, own tls.Certificate) credentials.TransportCredentials {
	b.Helper()
	if encoded == "" {
		return insecure.NewCredentials()
	}
	der, err := base64.RawStdEncoding.DecodeString(encoded)
	must(b, err)
	parsed, err := x509.ParseCertificate(der)
	must(b, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return credentials.NewTLS(&tls.Config{
		RootCAs: roots, Certificates: []tls.Certificate{own}, ServerName: "localhost", MinVersion: tls.VersionTLS12,
	})
}

// cpu is the time that this process and the other one have computed so far.
func (o *other) cpu(b *testing.B) time.Duration {
	b.Helper()
	var ticks int64
	for _, pid := range []string{"self", strconv.Itoa(o.pid)} {
		text, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		must(b, err)
		fields := strings.Fields(string(text)[strings.LastIndexByte(string(text), ')')+1:])
		for _, field := range fields[11:13] { // utime and stime
			n, err := strconv.ParseInt(field, 10, 64)
			must(b, err)
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond // a tick on Linux
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
