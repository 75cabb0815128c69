package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/apm-deploy/apm/sdk/wire"
)

// envBare has this binary be go-plugin and nothing else, with the key pair in the
// variable: what a start costs at least.
const envBare = "APM_TEST_BARE"

// hello is a plugin without any call of its own.
type hello struct{ plugin.NetRPCUnsupportedPlugin }

func (hello) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

func (hello) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

// serveBare serves the health service that go-plugin brings, under the same TLS.
func serveBare(pair string) {
	own, err := tls.X509KeyPair([]byte(pair), []byte(pair))
	hosts := x509.NewCertPool()
	if err == nil && !hosts.AppendCertsFromPEM([]byte(os.Getenv(wire.EnvClientCert))) {
		err = errors.New("no certificate of the host")
	}
	if err != nil {
		panic(err)
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: wire.Handshake, Plugins: plugin.PluginSet{"hello": hello{}}, GRPCServer: plugin.DefaultGRPCServer,
		Logger: hclog.NewNullLogger(),
		TLSProvider: func() (*tls.Config, error) {
			return &tls.Config{
				Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: hosts, MinVersion: tls.VersionTLS12,
			}, nil
		},
	})
}
