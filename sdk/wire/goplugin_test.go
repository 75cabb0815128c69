package wire_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"os"
	"os/exec"
	"testing"
	"time"

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
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
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
		"PLUGIN_CLIENT_CERT=" + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
	}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: wire.Handshake, Plugins: wire.PluginSet(), Cmd: cmd, SkipHostEnv: true,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, GRPCDialOptions: wire.DialOptions(),
		Logger: hclog.New(&hclog.LoggerOptions{Output: io.Discard}),
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
			MinVersion:   tls.VersionTLS12, ServerName: "localhost",
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
