//go:build linux

package node

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// forward carries connections of a listener to an address until the listener is
// closed. The kernel moves the bytes.
func forward(listener net.Listener, to string) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go carry(connection, to)
	}
}

func carry(from net.Conn, to string) {
	defer func() { _ = from.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var dialer net.Dialer
	target, err := dialer.DialContext(ctx, "tcp", to)
	if err != nil {
		refuse(from)
		return
	}
	defer func() { _ = target.Close() }()
	var both sync.WaitGroup
	both.Go(func() { pour(target, from) })
	both.Go(func() { pour(from, target) })
	both.Wait()
}

// pour copies until the end of one side and tells the other one of it.
func pour(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if tcp, ok := to.(*net.TCPConn); ok && err == nil {
		_ = tcp.CloseWrite()
		return
	}
	_ = to.Close()
	_ = from.Close()
}

// refuse resets a connection, the nearest to a port that nobody listens on.
func refuse(connection net.Conn) {
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}
