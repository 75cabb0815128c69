package harness

import (
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Ports for the tests lie below those that the system gives to outgoing
// connections, and below those that instances get, so that none is taken between
// the look and the use.
const (
	firstPort = 10000
	lastPort  = 19999
)

// FreePort returns a port that nobody uses on a loopback address, and keeps it
// from other tests, those of other processes too, until this one ends.
func FreePort(t testing.TB) int {
	t.Helper()
	dir := filepath.Join(os.TempDir(), "apm-test-ports")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatalf("make a directory for reserved ports: %v", err)
	}
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		file, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o666)
		if err != nil {
			continue
		}
		if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil || !Free(port) {
			_ = file.Close()
			continue
		}
		t.Cleanup(func() { _ = file.Close() })
		return port
	}
	t.Fatal("no port is free")
	return 0
}

// FreeAddress returns 127.0.0.1 with a free port.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(FreePort(t)))
}

// Free says whether nobody listens on a port of the loopback addresses.
func Free(port int) bool {
	for _, network := range []struct{ name, host string }{{"tcp4", "127.0.0.1"}, {"tcp6", "::1"}} {
		listener, err := net.Listen(network.name, net.JoinHostPort(network.host, strconv.Itoa(port)))
		if err == nil {
			_ = listener.Close()
		} else if network.name == "tcp4" || errors.Is(err, syscall.EADDRINUSE) { // a machine may have no IPv6
			return false
		}
	}
	return true
}
