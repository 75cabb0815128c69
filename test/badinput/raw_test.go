package badinput_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/test/harness"
)

// rawRequests sends what no HTTP client would send.
func rawRequests(t *testing.T, w *world) {
	const path = "/api/v1/deployments"
	host := fmt.Sprintf("Host: localhost:%d\r\n", w.Port)
	token := "Authorization: Bearer " + w.Token() + "\r\n"
	for name, c := range map[string]struct {
		request string
		status  int
		told
	}{
		"no request line":  {"nonsense\r\n\r\n", 400, told{"", "the request cannot be read", "send a whole HTTP/1.1 request; TLS is not spoken here"}},
		"binary":           {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, told{"", "the request cannot be read", "send a whole HTTP/1.1 request; TLS is not spoken here"}},
		"absolute form":    {"GET http://evil.example" + path + " HTTP/1.1\r\n" + host + "\r\n", 400, told{"", "the request target must be a path", "send the path alone"}},
		"bad escape":       {"GET " + path + "/%zz HTTP/1.1\r\n" + host + "\r\n", 400, told{"", "the request target is not a valid URL", "escape it"}},
		"no host":          {"GET " + path + " HTTP/1.0\r\n\r\n", 403, told{"", "the Host header does not name this host", "server.allowed_hosts"}},
		"two hosts":        {"GET " + path + " HTTP/1.1\r\n" + host + "Host: evil.example\r\n\r\n", 400, told{"", "the request cannot be read", "send a whole HTTP/1.1 request"}},
		"both lengths":     {"POST " + path + " HTTP/1.1\r\n" + host + token + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, told{"", "both a Content-Length and a Transfer-Encoding", "send one of them"}},
		"negative length":  {"POST " + path + " HTTP/1.1\r\n" + host + token + "Content-Length: -5\r\n\r\n", 400, told{"", "the request cannot be read", "send a whole HTTP/1.1 request; TLS is not spoken here"}},
		"length of a word": {"POST " + path + " HTTP/1.1\r\n" + host + token + "Content-Length: many\r\n\r\n", 400, told{"", "the request cannot be read", "send a whole HTTP/1.1 request; TLS is not spoken here"}},
		"bad chunk":        {"POST " + path + " HTTP/1.1\r\n" + host + token + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, told{"", "the request cannot be read", "send a whole HTTP/1.1 request; TLS is not spoken here"}},
		"old WebSocket":    {"GET /ws/deployments HTTP/1.1\r\n" + host + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 1\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", 426, told{"", "this path speaks WebSocket only", "connect with a WebSocket client"}},
		"no WebSocket key": {"GET /ws/deployments HTTP/1.1\r\n" + host + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n", 426, told{"", "this path speaks WebSocket only", "connect with a WebSocket client"}},
		"header of 64 kB":  {"GET " + path + " HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431, told{"", "the request line and headers are larger than 16 KiB", "send less"}},
		"path of 64 kB":    {"GET /" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\n" + host + "\r\n", 431, told{"", "the request line and headers are larger than 16 KiB", "send less"}},
		"body of 5 MB":     {"POST " + path + " HTTP/1.1\r\n" + host + token + "Content-Length: 5000000\r\n\r\n{", 413, told{"", "the body is larger than 4 MiB", "send less"}},
	} {
		t.Run(name, func(t *testing.T) {
			changed := w.nothing(t)
			problem(t, w.Host, raw(t, w.Host, c.request), c.status, c.told)
			changed()
		})
	}
}

// raw sends a request as it stands, and reads the answer.
func raw(t *testing.T, h *harness.Host, request string) harness.Answer {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", h.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatalf("send the request: %v", err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	return harness.Answer{Status: res.StatusCode, Header: res.Header, Body: string(body)}
}
