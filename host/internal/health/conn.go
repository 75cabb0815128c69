package health

import (
	"context"
	"net"
	"sync"
)

// askingConn reads nothing before something was written. What a server of
// another protocol says at once (mail, ssh) is then read as the answer that it is
// taken for, and can be quoted; net/http would drop it and log it.
type askingConn struct {
	net.Conn

	once  sync.Once
	asked chan struct{}
}

func dialAsking(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &askingConn{Conn: conn, asked: make(chan struct{})}, nil
}

// Read waits for the first Write, or for Close.
func (c *askingConn) Read(p []byte) (int, error) {
	<-c.asked
	return c.Conn.Read(p)
}

// Write writes, and lets Read begin.
func (c *askingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.once.Do(func() { close(c.asked) })
	return n, err
}

// Close closes, and ends a Read that waits.
func (c *askingConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { close(c.asked) })
	return err
}
