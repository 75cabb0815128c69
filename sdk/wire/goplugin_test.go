package wire_test

import (
	"crypto/tls"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/serve"
	"github.com/apm-deploy/apm/sdk/wire"
)

const envServe = "APM_TEST_SERVE"

func servePlugin() int {
	return serve.Main(sdk.Plugin{Name: "real", Version: "0.0.1", New: func(*slog.Logger) sdk.Platform { return &bare{} }})
}

// The host's way to a plugin: go-plugin's client, AutoMTLS off, and the same with
// a P-256 pair of our own.
func TestGoPluginClient(t *testing.T) {
	t.Parallel()
	certificate, clientPEM, err := wire.NewCertificate()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "wire") //nolint:usetesting // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), envServe + "=1", "PLUGIN_UNIX_SOCKET_DIR=" + dir,
		wire.EnvClientCert + "=" + clientPEM,
	}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: wire.Handshake, Plugins: wire.PluginSet(), Cmd: cmd, SkipHostEnv: true,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, GRPCDialOptions: wire.DialOptions(),
		Logger: hclog.New(&hclog.LoggerOptions{Output: io.Discard}),
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, ServerName: "localhost",
		},
	})
	defer client.Kill()
	protocol, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	dispensed, err := protocol.Dispense(wire.PluginKey)
	if err != nil {
		t.Fatal(err)
	}
	platform, ok := dispensed.(*wire.Client)
	if !ok {
		t.Fatalf("dispensed a %T", dispensed)
	}
	description, err := platform.Describe(t.Context())
	if err != nil || description.Name != "real" {
		t.Errorf("description %+v, %v", description, err)
	}
	if err := protocol.Ping(); err != nil {
		t.Errorf("health: %v", err)
	}
	client.Kill()
	if !client.Exited() {
		t.Error("the plugin lives on")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the run directory: %v, %v", left, err)
	}
}
