package proxy

import (
	"context"
	"io"
	"net"
	"sync"
)

// forward carries one TCP connection to an instance and back. A connection that
// began stays with its release until it ends, or until its drain time does.
func (f *Front) forward(client net.Conn) {
	defer client.Close()
	f.track(client, true)
	defer f.track(client, false)
	l := f.sw.take(f.listen, &f.counter)
	if l == nil {
		return
	}
	defer l.release()
	instance, err := l.dial(context.Background()) // bounded by readyWait and the kernel: it is this machine
	if err != nil {
		return
	}
	defer instance.Close()
	defer context.AfterFunc(l.group.ended, func() { _ = client.Close() })()
	var wg sync.WaitGroup
	wg.Add(2)
	go func() { defer wg.Done(); pipe(instance, client) }()
	go func() { defer wg.Done(); pipe(client, instance) }()
	wg.Wait()
}

func (f *Front) track(conn net.Conn, open bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !open {
		delete(f.conns, conn)
		return
	}
	f.conns[conn] = true
	select {
	case <-f.closed: // accepted just before the front closed
		_ = conn.Close()
	default:
	}
}

// pipe copies one direction. An end is passed on as an end, so that the other
// direction can finish; an error ends both.
func pipe(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = to.Close()
		_ = from.Close()
		return
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
