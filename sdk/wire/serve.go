package wire

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// Serve serves the platform by the wire contract until the host asks the process
// to end. It prints the handshake line on standard output. connected is called
// when a connection arrives, which is after everything that go-plugin does to
// the process. Serve says whether it served at all; an error is why it did not
// even try.
func Serve(platform *Server, logs io.Writer, level slog.Level, connected func()) (served bool, err error) {
	config, certificate, err := serverTLS()
	if err != nil {
		return false, err
	}
	printed, err := completeHandshake(certificate)
	if err != nil {
		return false, err
	}
	defer printed()
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: Handshake,
		Plugins:         plugin.PluginSet{PluginKey: &Plugin{Platform: platform}},
		TLSProvider:     func() (*tls.Config, error) { return config, nil },
		Logger: hclog.New(&hclog.LoggerOptions{
			Name: "go-plugin", Output: logs, JSONFormat: true, Level: hclogLevel(level),
		}),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			served = true
			options = append(options, platform.options()...)
			return grpc.NewServer(append(options, grpc.StatsHandler(&arrivals{connected: connected}))...)
		},
	})
	return served, nil
}

// completeHandshake puts a pipe in the place of standard output, and our
// certificate into the line that go-plugin prints there: it gives only one that
// it made itself, which is of P-521. What it returns waits for the line.
func completeHandshake(certificate []byte) (printed func(), err error) {
	stdout := os.Stdout
	line, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe for the handshake: %w", err)
	}
	os.Stdout = in
	done := make(chan struct{})
	go func() {
		defer close(done)
		text, err := bufio.NewReader(line).ReadString('\n')
		if err != nil {
			return // go-plugin said why it printed none
		}
		// A host that does not read it ends us by the lifeline.
		_, _ = fmt.Fprintln(stdout, strings.TrimSuffix(text, "\n")+base64.RawStdEncoding.EncodeToString(certificate))
	}()
	return func() {
		_ = in.Close()
		<-done
		_ = line.Close()
	}, nil
}

// hclogLevel leaves go-plugin's own chatter out unless all is wanted.
func hclogLevel(level slog.Level) hclog.Level {
	switch {
	case level < slog.LevelDebug:
		return hclog.Trace
	case level >= slog.LevelError:
		return hclog.Error
	default:
		return hclog.Warn
	}
}
