package wire

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/emptypb"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
)

// healthService is the name under which go-plugin's contract reports health.
const healthService = "plugin"

// Conn is a connection to a plugin that was not made by go-plugin: the
// conformance suite's.
type Conn struct{ conn *grpc.ClientConn }

// Dial connects to the Unix socket of a plugin; config nil means no TLS. The
// connection is made with the first call.
func Dial(socket string, config *tls.Config) (*Conn, error) {
	creds := insecure.NewCredentials()
	if config != nil {
		creds = credentials.NewTLS(config)
	}
	options := append(DialOptions(),
		grpc.WithTransportCredentials(creds),
		grpc.WithAuthority("localhost"),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}),
	)
	conn, err := grpc.NewClient("passthrough:///plugin", options...)
	if err != nil {
		return nil, fmt.Errorf("dial plugin at %q: %w", socket, err)
	}
	return &Conn{conn: conn}, nil
}

// Client returns the platform on the far side.
func (c *Conn) Client(options ...ClientOption) *Client { return NewClient(c.conn, options...) }

// Raw is the connection itself, for what a polite client would not send or does not
// see.
func (c *Conn) Raw() *grpc.ClientConn { return c.conn }

// Serving asks the health service of the contract.
func (c *Conn) Serving(ctx context.Context) error {
	response, err := grpc_health_v1.NewHealthClient(c.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: healthService})
	if err != nil {
		return errorOf(ctx, "health", err, false)
	}
	if got := response.GetStatus(); got != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("health service %q is %s, not SERVING", healthService, got)
	}
	return nil
}

// Shutdown asks the process to end. The answer may get lost with the process:
// its exit is the proof.
func (c *Conn) Shutdown(ctx context.Context) error {
	err := c.conn.Invoke(ctx, "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{})
	return errorOf(ctx, "Shutdown", err, false)
}

// Close ends the connection.
func (c *Conn) Close() error { return c.conn.Close() }

// Listen serves the platform without TLS until stop is called, which returns
// when every call and every Watch has ended and the platform is closed, as far as
// that takes no longer than a process would have. It is for tests within one process.
func (s *Server) Listen(listener net.Listener) (stop func()) {
	server := grpc.NewServer(s.options()...)
	pluginv1.RegisterPlatformServer(server, s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); err != nil {
			s.log.Error("serve plugin", "error", err)
		}
	}()
	return func() {
		server.Stop()
		<-done
		ctx, cancel := context.WithTimeout(context.Background(), CloseTimeout)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			s.log.Warn("the plugin did not end in good order", "error", err)
		}
		s.Wait()
	}
}
