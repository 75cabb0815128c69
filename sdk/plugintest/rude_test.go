package plugintest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/types/known/emptypb"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk/plugintest/fake"
	"github.com/apm-deploy/apm/sdk/wire"
)

// envRude has this binary be a plugin that follows the wire contract by its own
// means, but for what the variable names.
const envRude = "APM_TEST_RUDE"

// The ways in which a process can break the wire contract.
const (
	rudeNothing   = "nothing" // none: it passes
	rudeHealth    = "no health service"
	rudeCurve     = "another curve"
	rudeByHand    = "serves whoever starts it"
	rudeStranger  = "serves strangers"
	rudeAnywhere  = "makes its socket anywhere"
	rudeChatty    = "says goodbye on stdout"
	rudeStays     = "stays after shutdown"
	rudeUndead    = "outlives its host"
	rudePings     = "takes pings for abuse"
	rudeInterrupt = "ends with an interrupt"
)

type rude struct {
	how    string
	byHand bool
	stop   chan struct{}
	server *grpc.Server
}

// rudeMain is the plugin's main, and returns its exit code.
func rudeMain(how string) int {
	r := &rude{how: how, stop: make(chan struct{}, 2)}
	signal.Ignore(os.Interrupt)
	if how == rudeInterrupt {
		interrupts := make(chan os.Signal, 1)
		signal.Notify(interrupts, os.Interrupt)
		go func() { <-interrupts; r.stop <- struct{}{} }()
	}
	if os.Getenv(wire.Handshake.MagicCookieKey) != wire.Handshake.MagicCookieValue {
		fmt.Fprintln(os.Stderr, "started by the host alone")
		if how != rudeByHand {
			return 1
		}
		r.byHand = true
	}
	if err := r.serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	<-r.stop
	if how == rudeChatty {
		fmt.Fprintln(os.Stdout, "goodbye")
	}
	return 0
}

// serve begins to serve, and prints the handshake line.
func (r *rude) serve() error {
	config, der, err := r.tls()
	if err != nil {
		return err
	}
	listener, err := r.listen()
	if err != nil {
		return err
	}
	platform, err := wire.NewServer(fake.Plugin(), slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{ReplaceAttr: contractKeys})),
		wire.WithHeartbeat(200*time.Millisecond))
	if err != nil {
		return err
	}
	options := append(wire.ServerOptions(), grpc.Creds(credentials.NewTLS(config)))
	if r.how == rudePings {
		options = append(options, grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Minute}))
	}
	r.server = grpc.NewServer(options...)
	pluginv1.RegisterPlatformServer(r.server, platform)
	if r.how != rudeHealth {
		checks := health.NewServer()
		checks.SetServingStatus("plugin", grpc_health_v1.HealthCheckResponse_SERVING)
		grpc_health_v1.RegisterHealthServer(r.server, checks)
	}
	r.server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "plugin.GRPCController", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Shutdown", Handler: r.shutdown}},
	}, r)
	go func() { _ = r.server.Serve(listener) }()
	if r.how != rudeUndead {
		go r.followHost()
	}
	fmt.Fprintf(os.Stdout, "1|1|unix|%s|grpc|%s\n", listener.Addr(), base64.RawStdEncoding.EncodeToString(der))
	return nil
}

// contractKeys gives log lines the keys of the contract.
func contractKeys(_ []string, a slog.Attr) slog.Attr {
	names := map[string]string{slog.TimeKey: "@timestamp", slog.LevelKey: "@level", slog.MessageKey: "@message"}
	if name := names[a.Key]; name != "" {
		a.Key = name
	}
	if a.Key == "@level" {
		a.Value = slog.StringValue(map[string]string{"DEBUG": "debug", "INFO": "info", "WARN": "warn", "ERROR": "error"}[a.Value.String()])
	}
	return a
}

// shutdown has the signature of a method of gRPC.
//
//nolint:revive // the receiver of the service comes before the context
func (r *rude) shutdown(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var empty emptypb.Empty
	if err := decode(&empty); err != nil {
		return nil, err
	}
	end := func() { r.stop <- struct{}{} }
	if r.how == rudeStays {
		end = func() { r.server.GracefulStop(); r.stop <- struct{}{} } // which waits for open streams
	}
	go func() {
		<-time.After(10 * time.Millisecond) // for the answer
		end()
	}()
	return &empty, nil
}

// followHost ends the process with its host.
func (r *rude) followHost() {
	_, _ = io.Copy(io.Discard, os.NewFile(3, "lifeline"))
	os.Exit(3) //nolint:forbidigo // the main of a plugin
}

func (r *rude) listen() (net.Listener, error) {
	path := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), fmt.Sprint("s", os.Getpid()))
	listener, err := new(net.ListenConfig).Listen(context.Background(), "unix", path)
	if err != nil && r.how == rudeAnywhere {
		listener, err = new(net.ListenConfig).Listen(context.Background(), "unix", filepath.Join(os.TempDir(), filepath.Base(path)))
	}
	return listener, err
}

func (r *rude) tls() (*tls.Config, []byte, error) {
	hosts := x509.NewCertPool()
	if !hosts.AppendCertsFromPEM([]byte(os.Getenv(wire.EnvClientCert))) && !r.byHand {
		return nil, nil, fmt.Errorf("%s holds no certificate", wire.EnvClientCert)
	}
	own, _, err := wire.NewCertificate()
	if err == nil && r.how == rudeCurve {
		own, err = otherCurve()
	}
	if err != nil {
		return nil, nil, err
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: hosts, MinVersion: tls.VersionTLS12,
	}
	if r.how == rudeStranger {
		config.ClientAuth = tls.NoClientCert
	}
	return config, own.Certificate[0], nil
}

// otherCurve is the pair that go-plugin would make.
func otherCurve() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Minute),
		NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
