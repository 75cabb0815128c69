package demo

import (
	"context"
	"fmt"
	"net"
	"strconv"
)

// freeAddress returns host:port with the port asked for when it is free on
// every loopback address, else with one that is.
func freeAddress(ctx context.Context, host string, port int) (string, error) {
	if port > 0 && free(ctx, port) {
		return net.JoinHostPort(host, strconv.Itoa(port)), nil
	}
	for range 20 {
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return "", fmt.Errorf("find a free port: %w", err)
		}
		address, ok := listener.Addr().(*net.TCPAddr)
		if err := listener.Close(); err != nil || !ok {
			return "", fmt.Errorf("find a free port: %w", err)
		}
		if free(ctx, address.Port) {
			return net.JoinHostPort(host, strconv.Itoa(address.Port)), nil
		}
	}
	return "", fmt.Errorf("find a free port: none is free on every loopback address")
}

// free says whether nobody listens on a port of the loopback addresses. A
// machine without IPv6 has one of them less.
func free(ctx context.Context, port int) bool {
	for _, address := range []struct{ network, host string }{{"tcp4", "127.0.0.1"}, {"tcp6", "::1"}} {
		var dialer net.Dialer
		var config net.ListenConfig
		at := net.JoinHostPort(address.host, strconv.Itoa(port))
		if conn, err := dialer.DialContext(ctx, address.network, at); err == nil {
			_ = conn.Close() // somebody answered, that is all there is to know
			return false
		}
		listener, err := config.Listen(ctx, address.network, at)
		switch {
		case err == nil:
			if listener.Close() != nil {
				return false
			}
		case address.network == "tcp4":
			return false
		}
	}
	return true
}
