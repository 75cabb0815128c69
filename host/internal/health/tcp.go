package health

import (
	"context"
	"net"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// askTCP passes when a connection is accepted.
func askTCP(ctx context.Context, check deployment.TCPCheck, addresses map[string]string) answer {
	address, err := fill(check.Address, addresses, nil)
	if err != nil {
		return unknown("address: %v", err)
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return unknown("address %q is not host:port", address)
	}
	var stage stage
	conn, err := new(net.Dialer).DialContext(stage.follow(ctx), "tcp", address)
	switch {
	case err != nil && ctx.Err() != nil:
		return stage.timedOut().about("connect to " + address)
	case err != nil:
		return explain(err).about("connect to " + address)
	}
	// It was accepted, which was the question.
	_ = conn.Close()
	return healthy("%s accepts connections", address)
}
