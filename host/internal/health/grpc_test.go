package health_test

import (
	"crypto/x509"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/health"
)

// serveGRPC serves what register registers, until the test ends.
func serveGRPC(t *testing.T, register func(*grpc.Server), options ...grpc.ServerOption) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	register(server)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return listener.Addr().String()
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	states := grpchealth.NewServer()
	states.SetServingStatus("shop.Up", grpc_health_v1.HealthCheckResponse_SERVING)
	states.SetServingStatus("shop.Down", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	register := func(s *grpc.Server) { grpc_health_v1.RegisterHealthServer(s, states) }
	plain := serveGRPC(t, register)
	bare := serveGRPC(t, func(*grpc.Server) {})

	// httptest's certificate for 127.0.0.1.
	keyed := httptest.NewTLSServer(nil)
	t.Cleanup(keyed.Close)
	roots := x509.NewCertPool()
	roots.AddCert(keyed.Certificate())
	secured := serveGRPC(t, register, grpc.Creds(credentials.NewServerTLSFromCert(&keyed.TLS.Certificates[0])))

	tests := map[string]struct {
		check   deployment.GRPCCheck
		roots   *x509.CertPool
		timeout time.Duration
		want    want
	}{
		"server as a whole":     {deployment.GRPCCheck{Address: plain}, nil, 0, want{status: deployment.Healthy, says: []string{"grpc health of " + plain + ": SERVING"}}},
		"by address":            {deployment.GRPCCheck{Address: "${addresses.grpc}"}, nil, 0, want{status: deployment.Healthy}},
		"service":               {deployment.GRPCCheck{Address: plain, Service: "shop.Up"}, nil, 0, want{status: deployment.Healthy, says: []string{"(shop.Up)"}}},
		"not serving":           {deployment.GRPCCheck{Address: plain, Service: "shop.Down"}, nil, 0, want{status: deployment.Unhealthy, says: []string{"NOT_SERVING"}}},
		"unknown service":       {deployment.GRPCCheck{Address: plain, Service: "shop.Other"}, nil, 0, want{status: deployment.Unhealthy, says: []string{"does not know this service"}}},
		"no health service":     {deployment.GRPCCheck{Address: bare}, nil, 0, want{status: deployment.Unhealthy, says: []string{"no grpc.health.v1.Health service", "register it"}}},
		"TLS":                   {deployment.GRPCCheck{Address: secured, TLS: true}, roots, 0, want{status: deployment.Healthy}},
		"TLS, not trusted":      {deployment.GRPCCheck{Address: secured, TLS: true}, x509.NewCertPool(), 0, want{status: deployment.Unhealthy, says: []string{"TLS: the certificate is signed by an unknown authority"}}},
		"TLS of a plain server": {deployment.GRPCCheck{Address: plain, TLS: true}, roots, 0, want{status: deployment.Unhealthy, says: []string{"TLS"}}},
		"plain of a TLS server": {deployment.GRPCCheck{Address: secured}, nil, 0, want{status: deployment.Unhealthy, says: []string{"Unavailable"}}},
		"refused":               {deployment.GRPCCheck{Address: closed(t)}, nil, 0, want{status: deployment.Unhealthy, says: []string{"connection refused"}}},
		"hangs":                 {deployment.GRPCCheck{Address: silent(t)}, nil, 100 * time.Millisecond, want{status: deployment.Unhealthy, says: []string{"no answer within the timeout"}}},
		"no port":               {deployment.GRPCCheck{Address: "localhost"}, nil, 0, want{status: deployment.Unknown, says: []string{"not host:port"}}},
		"no address":            {deployment.GRPCCheck{Address: "${addresses.no}"}, nil, 0, want{status: deployment.Unknown, says: []string{"no address named"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.timeout == 0 {
				test.timeout = time.Minute
			}
			test.want.check(t, health.New(health.Config{RootCAs: test.roots}).Look(t.Context(), deployment.CheckDefinition{
				Type: "grpc", Timeout: test.timeout, GRPC: &test.check,
			}, map[string]string{"grpc": plain}))
		})
	}
}
