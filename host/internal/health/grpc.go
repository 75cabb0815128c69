package health

import (
	"context"
	"crypto/tls"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// askGRPC asks grpc.health.v1.Health.
func (c *Checker) askGRPC(ctx context.Context, check deployment.GRPCCheck, addresses map[string]string) answer {
	address, err := fill(check.Address, addresses, nil)
	if err != nil {
		return unknown("address: %v", err)
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return unknown("address %q is not host:port", address)
	}
	subject := "grpc health of " + address
	if check.Service != "" {
		subject += " (" + check.Service + ")"
	}
	var (
		broken cause
		stage  stage
	)
	ctx = stage.follow(ctx)
	creds := insecure.NewCredentials()
	if check.TLS {
		creds = credentials.NewTLS(&tls.Config{RootCAs: c.roots, MinVersion: tls.VersionTLS12})
	}
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(&watchedCredentials{creds, &broken}),
		grpc.WithContextDialer(func(_ context.Context, address string) (net.Conn, error) {
			// The connection is of this question alone, and ends with it.
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			broken.set(err)
			stage.doing.Store(stageWaiting)
			return conn, err
		}),
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithUserAgent(userAgent),
	)
	if err != nil {
		return unknown("address: %v", err).about(subject)
	}
	// The answer is there, or the connection is broken anyhow.
	defer func() { _ = conn.Close() }()

	response, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: check.Service})
	if err != nil {
		return explainGRPC(ctx, err, broken.get(), &stage).about(subject)
	}
	if state := response.GetStatus(); state != grpc_health_v1.HealthCheckResponse_SERVING {
		return unhealthy("%s", state).about(subject)
	}
	return healthy("SERVING").about(subject)
}

func explainGRPC(ctx context.Context, err, broken error, stage *stage) answer {
	code := status.Code(err)
	switch {
	case ctx.Err() != nil, code == codes.DeadlineExceeded:
		return stage.timedOut()
	case broken != nil:
		return explain(broken)
	case code == codes.Unimplemented:
		return unhealthy("the server has no grpc.health.v1.Health service; register it in the server, or use a tcp check")
	case code == codes.NotFound:
		return unhealthy("the server's health service does not know this service; check `service`")
	default:
		return unhealthy("%s: %s", code, status.Convert(err).Message())
	}
}

// cause keeps the error below gRPC's, which knows it as a text only.
type cause struct {
	mu  sync.Mutex
	err error
}

func (c *cause) set(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *cause) get() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// watchedCredentials keep the error of a failed TLS handshake.
type watchedCredentials struct {
	credentials.TransportCredentials

	broken *cause
}

// ClientHandshake shakes hands and keeps the error.
func (w *watchedCredentials) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := w.TransportCredentials.ClientHandshake(ctx, authority, raw)
	w.broken.set(err)
	return conn, info, err
}

// Clone keeps the watching.
func (w *watchedCredentials) Clone() credentials.TransportCredentials {
	return &watchedCredentials{w.TransportCredentials.Clone(), w.broken}
}
