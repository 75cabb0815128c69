package proxy_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/proxy"
	"github.com/apm-deploy/apm/plugins/process/internal/release"
)

// A client that has read the end of its instance's direction and does not hang up
// keeps its own open; with the end of the release it is cut.
func TestTheEndOfAReleaseCutsItsConnections(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	backend, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = backend.Close() })
	go func() {
		conn, err := backend.Accept()
		if err != nil {
			return
		}
		if half, ok := conn.(*net.TCPConn); ok {
			_ = half.CloseWrite() // it says nothing more, and reads on
		}
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}()
	g := proxy.NewGroup([]proxy.Port{{Name: "tcp", Listen: b.listen, Protocol: release.TCP}})
	g.Set("1", map[string]string{"tcp": backend.Addr().String()})
	b.sw.Set(g, nil, 0)
	client, err := new(net.Dialer).DialContext(t.Context(), "tcp", b.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // Read promises io.EOF itself
		t.Fatalf("the instance's end: %v", err)
	}
	if _, err := client.Write([]byte("still here")); err != nil {
		t.Fatalf("half a connection is one: %v", err)
	}
	g.End()
	deadline := time.After(5 * time.Second)
	for {
		if _, err := client.Write([]byte("x")); err != nil {
			return
		}
		select {
		case <-deadline:
			t.Fatal("the connection outlives its release")
		case <-time.After(10 * time.Millisecond):
		}
	}
}
