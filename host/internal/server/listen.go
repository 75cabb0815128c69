package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// listen takes HOST:PORT. "localhost" is 127.0.0.1 and, where there is IPv6, ::1
// with the same port.
func listen(ctx context.Context, address string) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	if host != "localhost" {
		listener, err := listenOn(ctx, host, port)
		if err != nil {
			return nil, err
		}
		return []net.Listener{listener}, nil
	}
	// A free port of one family may be taken in the other: another is tried.
	const attempts = 20
	for attempt := 1; ; attempt++ {
		four, err := listenOn(ctx, "127.0.0.1", port)
		if err != nil {
			return nil, err
		}
		_, taken, err := net.SplitHostPort(four.Addr().String())
		if err != nil {
			return nil, errors.Join(fmt.Errorf("split address %q: %w", four.Addr(), err), four.Close())
		}
		six, err := listenOn(ctx, "::1", taken)
		switch {
		case err == nil:
			return []net.Listener{four, six}, nil
		case !errors.Is(err, syscall.EADDRINUSE):
			return []net.Listener{four}, nil // no IPv6 here
		case port != "0" || attempt == attempts:
			return nil, errors.Join(err, four.Close())
		}
		if err := four.Close(); err != nil {
			return nil, fmt.Errorf("close listener: %w", err)
		}
	}
}

// listenOn takes one address.
func listenOn(ctx context.Context, host, port string) (net.Listener, error) {
	address := net.JoinHostPort(host, port)
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err == nil {
		return listener, nil
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return nil, refused(address, err)
	}
	message := fmt.Sprintf("listen: %s is in use", address)
	if holder := portHolder(port); holder != "" {
		message += " by " + holder
	}
	return nil, &deployment.Error{
		Code: deployment.Conflict, Message: message, Err: err,
		Remedy: "end that process, or set another port in server.listen of config.hcl",
	}
}

// refused says why an address cannot be taken.
func refused(address string, err error) error {
	cause := err
	var operation *net.OpError
	if errors.As(err, &operation) {
		cause = operation.Err
	}
	var call *os.SyscallError
	if errors.As(cause, &call) {
		cause = call.Err
	}
	remedy := `name an address of this machine in server.listen of config.hcl, such as "localhost:8080"`
	if errors.Is(err, fs.ErrPermission) {
		remedy = "set a port from 1024 on in server.listen of config.hcl, or give the host's user the right to this one"
	}
	return &deployment.Error{
		Code: deployment.Invalid, Err: err, Remedy: remedy,
		Message: fmt.Sprintf("listen: %s cannot be taken: %v", address, cause),
	}
}
