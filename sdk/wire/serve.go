package wire

import (
	"io"
	"log/slog"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// Serve serves the platform by the wire contract until the host asks the process
// to end. It prints the handshake line on standard output. connected is called
// when a connection arrives, which is after everything that go-plugin does to
// the process. Serve says whether it served at all.
func Serve(platform *Server, logs io.Writer, level slog.Level, connected func()) (served bool) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: Handshake,
		Plugins:         plugin.PluginSet{PluginKey: &Plugin{Platform: platform}},
		Logger: hclog.New(&hclog.LoggerOptions{
			Name: "go-plugin", Output: logs, JSONFormat: true, Level: hclogLevel(level),
		}),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			served = true
			options = append(options, ServerOptions()...)
			return grpc.NewServer(append(options, grpc.StatsHandler(&arrivals{connected: connected}))...)
		},
	})
	return served
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
